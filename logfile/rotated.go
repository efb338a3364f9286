package logfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/DeRuina/timberjack"
	"golang.org/x/sys/unix"
)

// rotated writes a file and rotates it. What it is given is written whole or
// not at all, so that no line is torn by a disk that is full.
type rotated struct {
	path   string
	limits Limits
	log    *slog.Logger

	out    *timberjack.Logger // nil until there is something to write
	size   int64
	began  time.Time // when the file was made
	turned time.Time // when it was last rotated
}

// write appends lines. On an error nothing of them is in the file.
func (r *rotated) write(lines []byte) error {
	if r.out == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	now := time.Now()
	var err error
	switch {
	case r.size == 0:
	case r.size+int64(len(lines)) > r.limits.Size:
		err = r.rotate("size", now)
	case now.Sub(r.began) > r.limits.rotateAfter():
		err = r.rotate("age", now)
	}
	if err != nil {
		return err
	}
	if r.size == 0 {
		r.began = now
	}
	n, err := r.out.Write(lines)
	if err != nil {
		return errors.Join(err, r.undo(n))
	}
	r.size += int64(n)
	return nil
}

// open takes over the file that is there. What is left of a line whose writer
// was killed is cut off.
func (r *rotated) open() error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	if err := cutTorn(r.path); err != nil {
		return err
	}
	r.size = 0
	if info, err := os.Stat(r.path); err == nil {
		r.size, r.began = info.Size(), born(r.path, info)
	}
	r.out = &timberjack.Logger{
		Filename: r.path, MaxSize: math.MaxInt32, MaxBackups: r.limits.Keep, // when to rotate is decided here
		Compression: "zstd", FileMode: 0o640, // gzip takes seven times the processor
	}
	return nil
}

// rotate begins a new file. When that fails the old one goes on growing, for
// a line in a file that is too long is better than none.
func (r *rotated) rotate(reason string, now time.Time) error {
	if now.Sub(r.turned) < 2*time.Millisecond {
		time.Sleep(2 * time.Millisecond) // the names tell the order, and have milliseconds
	}
	if err := r.out.RotateWithReason(reason); err != nil {
		r.log.Warn("a log file cannot be rotated and goes on growing", "file", r.path, "error", err)
		_ = r.close() // what it has open may be gone
		return r.open()
	}
	r.size, r.turned = 0, time.Now()
	prune(filepath.Dir(r.path), r.limits, now, r.log)
	return nil
}

// undo takes back the n bytes that were written before an error.
func (r *rotated) undo(n int) error {
	err := r.close()
	if n == 0 {
		return err
	}
	info, err := os.Stat(r.path)
	if err == nil {
		err = os.Truncate(r.path, info.Size()-int64(n))
	}
	return err
}

func (r *rotated) close() error {
	if r.out == nil {
		return nil
	}
	err := r.out.Close()
	r.out = nil
	return err
}

// born returns when a file was made, as far as its file system tells.
func born(path string, info fs.FileInfo) time.Time {
	var found unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &found)
	if err != nil || found.Mask&unix.STATX_BTIME == 0 {
		return info.ModTime()
	}
	return time.Unix(found.Btime.Sec, int64(found.Btime.Nsec))
}

// cutTorn removes what follows the last line end of a file.
func cutTorn(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	block := make([]byte, 64<<10)
	for at := end; at > 0; {
		from := max(0, at-int64(len(block)))
		part := block[:at-from]
		if _, err := file.ReadAt(part, from); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			if whole := from + int64(i) + 1; whole < end {
				return file.Truncate(whole)
			}
			return nil
		}
		at = from
	}
	return file.Truncate(0)
}
