package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// diskUse is how full the disk of a folder is.
type diskUse struct {
	device  uint64
	percent float64 // of what everybody may use, as df tells it
	inodes  bool    // it is the files that run out, not the bytes
	free    uint64  // bytes, or files
}

// useOfDisk looks at the disk of a folder or, while it is not there, of the one
// that it will be made in.
func useOfDisk(dir string) (diskUse, error) {
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
			return diskUse{}, fmt.Errorf("looking at the disk of %s: %w", dir, err)
		}
		dir = parent
	}
	used := at.Blocks - at.Bfree
	use := diskUse{device: uint64(info.Dev), percent: share(used, used+at.Bavail), free: at.Bavail * uint64(at.Bsize)}
	if files := share(at.Files-at.Ffree, at.Files); files > use.percent {
		use.percent, use.inodes, use.free = files, true, at.Ffree
	}
	return use, nil
}

// share is how many per cent of whole a part is; some file systems have no
// limit, and tell 0.
func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func (u diskUse) cause() string {
	if u.inodes {
		return fmt.Sprintf("%s %% of its inodes are used, there is room for %d more files", decimal(u.percent), u.free)
	}
	return fmt.Sprintf("%s %% of it is used, %s GB are free", decimal(u.percent), decimal(float64(u.free)/1e9))
}

// decimal writes a number with at most one place.
func decimal(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}
