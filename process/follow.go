package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// A process writes to a file and tells nobody: the file is looked at again
	// after a pause that grows while nothing comes.
	shortLook = 50 * time.Millisecond
	longLook  = 500 * time.Millisecond

	// keptOutput is how much of what was passed on stays in the output file:
	// for Tail, and for a machine that loses power before what took the lines
	// has them on its disk.
	keptOutput = 4 << 20
	// punchAt is how much must have come in addition before it is given up.
	punchAt = 1 << 20

	batchLines = 512
)

// Follow passes on the output by its offset in the file, with the time at which
// it was found there. The two streams share the file, so that their lines stay
// in order, and cannot be told apart. What was passed on is given back to the
// disk but for the last 4 MiB: the file gets longer and needs no more room.
func (r *Runtime) Follow(ctx context.Context, id string, after switcher.Cursor, take func([]switcher.Line) error) error {
	in, err := r.known(id)
	if err != nil {
		return err
	}
	return r.read(ctx, in, &follower{take: take, offset: after[switcher.Output].Offset})
}

// read follows an instance or a job to the end of its output.
func (r *Runtime) read(ctx context.Context, in *instance, f *follower) error {
	id := in.record().Instance
	defer f.close()
	for pause := shortLook; ; pause = min(2*pause, longLook) {
		ended := in.running() == nil && !in.record().Kept // before the look, or its last words are missed
		if in.gone() {
			return fmt.Errorf("%s was removed", id)
		}
		found, err := f.look(r.outputPath(id), ended)
		if err != nil {
			return fmt.Errorf("following the output of %s: %w", id, err)
		}
		if err := f.punch(); err != nil && !f.unpunched {
			f.unpunched = true
			r.log.Warn("what was read of an output file cannot be given back to the disk: it grows until its instance is removed", "instance", id, "error", err)
		}
		switch {
		case found:
			pause = shortLook / 2
			continue
		case ended:
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.open.Done():
			return errClosed
		}
	}
}

// follower is one reader of an output file.
type follower struct {
	take      func([]switcher.Line) error
	file      *os.File
	offset    int64 // of the first byte that was not passed on
	punched   int64 // below it there is a hole
	whole     bool  // nothing is given back, for it may be read again
	unpunched bool  // the file system cannot do that
	buffer    []byte
	lines     []switcher.Line
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// look passes on what there is, at most a buffer of it, and reports whether
// there was anything. A line without an end waits for it, unless the end of all
// output has come.
func (f *follower) look(path string, ended bool) (found bool, err error) {
	if f.file == nil {
		f.file, err = os.OpenFile(path, os.O_RDWR, 0) // holes are a kind of writing
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // never started
		}
		if err != nil {
			return false, err
		}
		f.buffer = make([]byte, 4*switcher.MaxLine)
	}
	info, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < f.offset { // somebody has emptied it
		f.offset, f.punched = 0, 0
	}
	n, err := f.file.ReadAt(f.buffer, f.offset)
	if err != nil && err != io.EOF {
		return false, err
	}
	last := ended && f.offset+int64(n) >= info.Size()
	taken := f.split(f.buffer[:n], last)
	if taken == 0 {
		return false, nil
	}
	if err := f.take(f.lines); err != nil {
		return false, err
	}
	f.offset += int64(taken)
	return true, nil
}

// split cuts data into lines and returns how many bytes they are.
func (f *follower) split(data []byte, last bool) (taken int) {
	f.lines = f.lines[:0]
	now := time.Now().UTC()
	add := func(text []byte, partial bool, length int) {
		taken += length
		f.lines = append(f.lines, switcher.Line{
			Time: now, Stream: switcher.Output, Text: text, Partial: partial, Offset: f.offset + int64(taken),
		})
	}
	for taken < len(data) && len(f.lines) < batchLines {
		rest := data[taken:]
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end > switcher.MaxLine, end < 0 && len(rest) > switcher.MaxLine:
			cut := switcher.CutLine(rest)
			add(rest[:cut], true, cut)
		case end >= 0:
			add(bytes.TrimSuffix(rest[:end], []byte{'\r'}), false, end+1)
		case last:
			add(rest, false, len(rest))
		default:
			return taken
		}
	}
	return taken
}

// punch gives back to the disk what was passed on. The process keeps its open
// file and goes on writing at the end.
func (f *follower) punch() error {
	until := (f.offset - keptOutput) &^ (punchAt - 1)
	if f.file == nil || f.whole || until <= f.punched {
		return nil
	}
	err := unix.Fallocate(int(f.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, until)
	f.punched = until
	return err
}
