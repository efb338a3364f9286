package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// stored lists the files in a backup's folder but its manifest, by path in it.
func stored(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if name != manifestFile && name != manifestFile+".new" {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// protect makes the files of a backup the owner's alone and durable, and
// returns their checksums.
func protect(ctx context.Context, folder string) (map[string]File, error) {
	names, err := stored(folder)
	if err != nil {
		return nil, err
	}
	files := make(map[string]File, len(names))
	for _, name := range names {
		if files[name], err = digest(ctx, filepath.Join(folder, name), true); err != nil {
			return nil, fmt.Errorf("reading %s back: %w", name, err)
		}
	}
	return files, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return errors.Join(os.Chmod(path, 0o700), syncFolder(path))
	})
}

func digest(ctx context.Context, path string, durable bool) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	if durable {
		if err := errors.Join(f.Chmod(0o600), f.Sync()); err != nil {
			return File{}, err
		}
	}
	sum := sha256.New()
	n, err := io.Copy(sum, reader{ctx, f})
	return File{Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// reader ends with a context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// freeBytes is what may still be written to the disk of a folder.
func freeBytes(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("asking how full the disk of %s is: %w", folder, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// spareBytes are left to the disk beyond what a dump is expected to take.
const spareBytes = 1 << 20

// makeRoom refuses a dump that the disk has no room for: the tables' own size,
// or what the last dump took of it and a quarter more.
func (s *Store) makeRoom(data int64) error {
	need := data
	if last, err := s.Latest(); err == nil && last != nil && last.Hook == nil && last.DataSize > 0 {
		ratio := float64(last.Bytes) / float64(last.DataSize)
		need = min(need, int64(float64(data)*ratio*1.25))
	}
	free, err := freeBytes(s.folder)
	if err != nil {
		return err
	}
	if free < need+spareBytes {
		return &switcher.Error{Code: switcher.CodeFailed,
			What: fmt.Sprintf("a backup may need %s and the disk of %s has %s left", Size(need), s.folder, Size(free)),
			Hint: "make room on it, move `backup.dir` to another disk, or keep fewer (`backup.keep`)"}
	}
	return nil
}

// Size writes a number of bytes for a person.
func Size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
