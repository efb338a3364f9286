package logfile

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// flushEvery is how much a kill -9 may lose.
	flushEvery = time.Second
	// flushAt wakes the writer before the second is over.
	flushAt = 64 << 10
	// maxPending is what is kept for a disk that does not take it. Lines
	// beyond it are dropped and counted.
	maxPending = 4 << 20
)

// File is a log file that nobody waits for. Any number of goroutines may write
// to it.
type File struct {
	options Options
	wake    chan struct{}
	gone    atomic.Int64 // lines that were lost, ever

	mu      sync.Mutex
	pending []byte
	dropped int // lines, since the last one that was taken

	// What follows belongs to Run.
	file    rotated
	spare   []byte
	failing bool
	worked  bool // once at least
	lost    int  // lines, since the file began to fail
}

// NewFile returns the log file at path. Nothing is opened before there is a line
// to be written.
func NewFile(path string, o Options) *File {
	o = o.withDefaults()
	return &File{options: o, file: rotated{path: path, limits: o.Limits, log: o.Logger}, wake: make(chan struct{}, 1)}
}

// Lost returns how many lines were lost since the file was made, for want of
// room or because they could not be written.
func (f *File) Lost() int64 { return f.gone.Load() }

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
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			f.flush()
			return f.file.close()
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
	f.lose(dropped)
	if len(lines) == 0 {
		return
	}
	if err := f.file.write(lines); err != nil {
		f.fail(lines, err)
		return
	}
	f.works()
}

func (f *File) fail(unwritten []byte, err error) {
	f.lose(bytes.Count(unwritten, newline))
	if !f.failing {
		f.options.Logger.Error("log lines are lost: the file cannot be written", "file", f.file.path, "error", err)
		f.options.Failed(err)
	}
	f.failing = true
}

func (f *File) lose(lines int) {
	f.lost += lines
	f.gone.Add(int64(lines))
}

// works tells how much was lost, once the file can be written again.
func (f *File) works() {
	if f.lost > 0 {
		f.options.Logger.Warn("the log file is written again", "file", f.file.path, "lost_lines", f.lost)
	}
	if f.failing || !f.worked {
		f.options.Failed(nil)
	}
	f.failing, f.worked, f.lost = false, true, 0
}
