package collect

import (
	"context"
	"errors"
	"time"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// follow is one instance that is read.
type follow struct {
	source  source
	file    *logfile.Log
	encoder encoder
	added   time.Time

	// Guarded by the Collector's mu.
	cancel  context.CancelFunc
	done    chan struct{} // closed when nobody reads; nil when nobody has begun
	leaving bool          // it is being removed

	// These belong to whoever reads.
	cursor switcher.Cursor // nil until it is known
	buffer []byte
}

func (f *follow) isDone() bool {
	select {
	case <-f.done:
		return true
	default:
		return f.done == nil
	}
}

// read reads an instance to the end of its output, whatever stands in the way.
func (c *Collector) read(ctx context.Context, f *follow) {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := c.readOnce(ctx, f, func() { pause = firstRetry })
		if err == nil || ctx.Err() != nil {
			return
		}
		c.log.Debug("the output of an instance cannot be followed", "instance", f.source.Instance, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// readOnce returns nil when all that the instance has written is in the file;
// it calls written after every batch.
func (c *Collector) readOnce(ctx context.Context, f *follow, written func()) error {
	if f.cursor == nil {
		cursor, err := position(f.file, f.source.Instance, c.knows)
		if err != nil {
			return err
		}
		f.cursor = cursor
	}
	return c.current().Follow(ctx, f.source.Instance, f.cursor, func(lines []switcher.Line) error {
		f.buffer = f.buffer[:0]
		for _, l := range lines {
			f.buffer = f.encoder.append(f.buffer, l)
		}
		if err := f.file.Append(ctx, f.buffer); err != nil {
			return err
		}
		for _, l := range lines {
			f.cursor.Pass(l)
		}
		written()
		return nil
	})
}

var errPatience = errors.New("nothing could be written for too long")

// longest is how long the last lines of an instance may take although they
// are being written.
const longest = time.Minute

// finish reads what is left of an instance that has ended, before it is removed.
func (c *Collector) finish(ctx context.Context, instance string) {
	c.mu.Lock()
	f := c.follows[instance]
	c.mu.Unlock()
	if f == nil {
		if err := c.look(ctx); err != nil {
			c.log.Warn("an instance is removed whose output may not have been collected", "instance", instance, "error", err)
			return
		}
	}
	c.mu.Lock()
	f = c.follows[instance]
	if f == nil {
		c.mu.Unlock()
		return
	}
	f.leaving = true
	cancel, done := f.cancel, f.done
	c.mu.Unlock()
	if done != nil {
		cancel()
		<-done
	}

	ctx, stop := context.WithTimeoutCause(ctx, longest, errPatience)
	defer stop()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	patience := time.AfterFunc(c.patience, func() { giveUp(errPatience) })
	defer patience.Stop()
	if err := c.readOnce(ctx, f, func() { patience.Reset(c.patience) }); err != nil {
		c.log.Error("the last lines of an instance are lost: they could not be written before it was removed",
			"instance", instance, "after", f.cursor.Newest(), "file", f.file.Path(), "error", err)
	}
}

// forget ends what finish has begun.
func (c *Collector) forget(instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.follows, instance)
}
