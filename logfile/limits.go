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
		b, rotatedOut := parseBackup(entry.Name())
		if !rotatedOut && !strings.HasSuffix(entry.Name(), extension) {
			continue
		}
		if info, err := entry.Info(); err == nil {
			b.size = info.Size()
		}
		total += b.size
		if rotatedOut {
			byLog[b.of] = append(byLog[b.of], b)
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
		total -= b.size
		path := filepath.Join(dir, b.name)
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			log.Warn("an old log file cannot be removed", "file", path, "error", err)
		}
	}
}
