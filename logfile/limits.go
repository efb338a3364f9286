package logfile

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits bound a log file and what is kept of it; all must be above zero.
type Limits struct {
	Size  int64         // in bytes, at which a file is rotated
	Age   time.Duration // after which what was rotated out is removed
	Keep  int           // how many files that were rotated out of it are kept
	Total int64         // in bytes, of all log files in the folder
}

// rotateAfter is the age at which a file is rotated although it is small, so
// that Age holds for what is in it, and Keep does not end its life earlier.
func (l Limits) rotateAfter() time.Duration { return max(l.Age/time.Duration(l.Keep), time.Minute) }

// prune removes files that were rotated out, of any log in the folder: those
// that are too old, then the oldest until the total is kept. Of each log the
// newest one stays: what was written last can be read from it.
func prune(dir string, limits Limits, now time.Time, log *slog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there is nothing yet
	}
	var total int64
	byLog := map[string][]backup{}
	for _, entry := range entries {
		if b, ok := parseBackup(entry.Name()); ok {
			byLog[b.of] = append(byLog[b.of], b)
		} else if !strings.HasSuffix(entry.Name(), ".log") {
			continue
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
	}
	var all []backup
	for _, backups := range byLog {
		slices.SortFunc(backups, backup.compare)
		all = append(all, backups[:len(backups)-1]...)
	}
	slices.SortFunc(all, backup.compare)
	for _, b := range all {
		if total <= limits.Total && now.Sub(b.at) <= limits.Age {
			continue
		}
		path := filepath.Join(dir, b.name)
		if info, err := os.Stat(path); err == nil {
			total -= info.Size()
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			log.Warn("an old log file cannot be removed", "file", path, "error", err)
		}
	}
}

// backup is a file that was rotated out of a log.
type backup struct {
	name string    // of the file
	of   string    // name of the log, without .log
	base string    // name as long as it is not compressed
	at   time.Time // when it was rotated out
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
