package logfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// backup is a file that was rotated out of a log.
type backup struct {
	name string    // of the file
	of   string    // name of the log, without .log
	base string    // name as long as it is not compressed
	at   time.Time // when it was rotated out
	size int64     // in bytes, where that was asked for
}

const (
	stampLayout = "2006-01-02T15-04-05.000"
	extension   = ".log"
	compressed  = ".zst"
)

// parseBackup reads a name as <log>-<time>-<reason>.log, compressed or not.
func parseBackup(name string) (backup, bool) {
	base := strings.TrimSuffix(name, compressed)
	stem, isLog := strings.CutSuffix(base, extension)
	reason := strings.LastIndexByte(stem, '-')
	if !isLog || reason < len(stampLayout)+1 {
		return backup{}, false
	}
	begin := reason - len(stampLayout)
	at, err := time.Parse(stampLayout, stem[begin:reason])
	if err != nil || stem[begin-1] != '-' {
		return backup{}, false
	}
	return backup{name: name, of: stem[:begin-1], base: base, at: at}, true
}

func (b backup) compare(other backup) int {
	if c := b.at.Compare(other.at); c != 0 {
		return c
	}
	return strings.Compare(b.name, other.name)
}

// backups lists what was rotated out of the log at path, oldest first. Of one
// that is being compressed, or was when the process was killed, the whole one
// is listed.
func backups(path string) ([]backup, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	of := strings.TrimSuffix(filepath.Base(path), extension)
	var list []backup
	for _, entry := range entries {
		if b, ok := parseBackup(entry.Name()); ok && b.of == of {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, backup.compare)
	// A compressed file appears under its name when it is whole; it sorts last.
	return slices.CompactFunc(list, func(a, b backup) bool { return a.base == b.base }), nil
}
