package logfile

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
)

const (
	// flushEvery is how much a kill -9 may lose.
	flushEvery = time.Second
	// flushAt wakes the writer before the second is over.
	flushAt = 64 << 10
	// maxPending is what is kept for a disk that does not take it. Lines
	// beyond it are dropped and counted.
	maxPending = 4 << 20

	maxFileMegabytes = 100
	maxFiles         = 10
	maxDays          = 30
)

// File is one log file. Any number of goroutines may write to it.
type File struct {
	path string
	log  *slog.Logger
	out  *timberjack.Logger
	wake chan struct{}

	mu      sync.Mutex
	pending []byte
	dropped int // lines, since the last one that was taken

	// What follows belongs to Run.
	spare   []byte
	torn    bool // the file ends in the middle of a line
	failing bool
	lost    int // lines, since the file began to fail
}

// New returns the log file at path. Nothing is opened before there is a line
// to be written; log is told when writing begins to fail, and when it works
// again.
func New(path string, log *slog.Logger) *File {
	return &File{
		path: path, log: log,
		out: &timberjack.Logger{
			Filename: path, MaxSize: maxFileMegabytes, MaxBackups: maxFiles, MaxAge: maxDays,
			Compression: "zstd", FileMode: 0o640, // gzip takes seven times the processor
		},
		wake: make(chan struct{}, 1),
	}
}

// Write takes whole lines. It returns at once and never fails: a line that
// there is no room for is counted and dropped.
func (f *File) Write(lines []byte) (int, error) {
	f.mu.Lock()
	if len(f.pending)+len(lines) > maxPending {
		f.dropped += bytes.Count(lines, newline)
	} else {
		f.pending = append(f.pending, lines...)
	}
	full := len(f.pending) >= flushAt
	f.mu.Unlock()
	if full {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	return len(lines), nil
}

var newline = []byte{'\n'}

// Run writes what was taken until ctx ends, and then what is left. It may be
// called once.
func (f *File) Run(ctx context.Context) error {
	f.torn = endsTorn(f.path)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.flush()
			return f.out.Close()
		case <-tick.C:
		case <-f.wake:
		}
		f.flush()
	}
}

// flush writes what is pending. What could not be written is not tried again:
// a full disk must not fill the memory as well.
func (f *File) flush() {
	f.mu.Lock()
	lines, dropped := f.pending, f.dropped
	f.pending, f.dropped = f.spare[:0], 0
	f.mu.Unlock()
	f.spare = lines
	f.lost += dropped
	if len(lines) == 0 {
		return
	}
	if f.torn {
		// The rest of a line that a full disk cut off must not swallow the next.
		if _, err := f.out.Write(newline); err != nil {
			f.fail(lines, err)
			return
		}
		f.torn = false
	}
	n, err := f.out.Write(lines)
	if err != nil {
		f.torn = n > 0 && lines[n-1] != '\n'
		f.fail(lines[n:], err)
		return
	}
	f.works()
}

func (f *File) fail(unwritten []byte, err error) {
	f.lost += bytes.Count(unwritten, newline)
	if !f.failing {
		f.log.Error("log lines are lost: the file cannot be written", "file", f.path, "error", err)
	}
	f.failing = true
}

// works tells how much was lost, once the file can be written again.
func (f *File) works() {
	if f.lost > 0 {
		f.log.Warn("the log file is written again", "file", f.path, "lost_lines", f.lost)
	}
	f.failing, f.lost = false, 0
}

// endsTorn reports whether a process that was killed, or a full disk, has left
// the file at path in the middle of a line.
func endsTorn(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(-1, io.SeekEnd); err != nil {
		return false
	}
	var last [1]byte
	_, err = file.Read(last[:])
	return err == nil && last[0] != '\n'
}
