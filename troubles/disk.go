package troubles

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// Disk is how full the disk of a folder is.
type Disk struct {
	Device uint64
	Used   float64 // per cent of what everybody may use, as df tells it
	Inodes bool    // it is the files that run out, not the bytes
	Free   uint64  // bytes, or files
}

// DiskOf looks at the disk of a folder or, while it is not there, of the one
// that it will be made in.
func DiskOf(dir string) (Disk, error) {
	var at unix.Statfs_t
	var info unix.Stat_t
	for {
		err := unix.Statfs(dir, &at)
		if err == nil {
			err = unix.Stat(dir, &info)
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return Disk{}, fmt.Errorf("looking at the disk of %s: %w", dir, err)
		}
		dir = parent
	}
	used := at.Blocks - at.Bfree
	d := Disk{Device: uint64(info.Dev), Used: share(used, used+at.Bavail), Free: at.Bavail * uint64(at.Bsize)}
	if files := share(at.Files-at.Ffree, at.Files); files > d.Used {
		d.Used, d.Inodes, d.Free = files, true, at.Ffree
	}
	return d, nil
}

// share is how many per cent of whole a part is; some file systems have no
// limit, and tell 0.
func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// disks tells of each disk that is fuller than it should be, once for the
// folders that share it, until it is two points below that.
func (w *Watcher) disks(now time.Time) {
	folders, full := w.options.Folders()
	seen := map[uint64]bool{}
	for _, dir := range folders {
		disk, err := w.disk(dir)
		if err != nil || seen[disk.Device] {
			continue
		}
		seen[disk.Device] = true
		switch {
		case disk.Used >= full:
			w.full[dir] = true
		case disk.Used < full-2:
			w.full[dir] = false
		case !w.full[dir]:
			continue // between the two, and unknown from before a restart
		}
		n := switcher.Notice{Kind: switcher.NoticeDisk, Time: now, Subject: dir, Over: !w.full[dir]}
		if !n.Over {
			n.Cause = disk.cause()
		}
		w.options.Tell(n)
	}
}

func (d Disk) cause() string {
	if d.Inodes {
		return fmt.Sprintf("%s %% of its inodes are used, there is room for %d more files", decimal(d.Used), d.Free)
	}
	return fmt.Sprintf("%s %% of it is used, %s GB are free", decimal(d.Used), decimal(float64(d.Free)/1e9))
}

// decimal writes a number with at most one place.
func decimal(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}
