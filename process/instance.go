package process

import (
	"context"
	"sync"
	"time"
)

// instance is one record and, while it runs, its process.
type instance struct {
	// turn is held by whoever starts, stops or removes the instance.
	turn chan struct{}

	// fresh is an instance that no Start has brought up yet and of which nothing
	// was there before. Guarded by turn.
	fresh bool

	mu      sync.Mutex
	rec     record
	run     *run
	deaths  int // in short succession, of a kept instance
	removed bool
}

// run is one life of an instance.
type run struct {
	pid   int
	began time.Time
	fd    *processFD
	done  chan struct{} // closed when the end has been recorded
}

func newInstance(rec record) *instance {
	return &instance{turn: make(chan struct{}, 1), rec: rec}
}

// take waits for the turn; the caller gives it back with release.
func (in *instance) take(ctx context.Context) error {
	select {
	case in.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (in *instance) release() { <-in.turn }

func (in *instance) record() record {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.rec
}

func (in *instance) running() *run {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run
}

// gone reports whether the instance was removed while somebody waited for it.
func (in *instance) gone() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.removed
}

// change alters the record in memory, then on disk. Memory goes ahead also
// when the disk does not follow: what runs, runs.
func (r *Runtime) change(in *instance, alter func(*record)) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	alter(&in.rec)
	if in.removed {
		return nil
	}
	return r.write(in.rec)
}
