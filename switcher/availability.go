package switcher

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Availability is what production answered while it was moved: probes through
// the public listener, one after the other, from before the move until after
// it.
type Availability struct {
	Sent       int           `json:"sent"`
	Lost       int           `json:"lost"`                  // not answered as they should be
	LostBefore int           `json:"lost_before,omitempty"` // of these, begun before production had moved
	Worst      time.Duration `json:"worst"`                 // nanoseconds, of those that were answered
	Error      string        `json:"error,omitempty"`       // of the first that was lost
}

const (
	vigilPace  = 10 * time.Millisecond // between the beginnings of two probes
	vigilAfter = 5                     // probes to begin after the move
	vigilWait  = 100 * time.Millisecond
	vigilLimit = 500         // probes
	vigilLost  = time.Second // a probe that lasts so long when the vigil ends counts as lost
)

// vigil sends those probes.
type vigil struct {
	cancel context.CancelFunc
	ended  chan struct{}
	enough chan struct{} // closed when enough have been answered after the move

	mu    sync.Mutex
	moved bool
	after int
	found Availability
}

// beginVigil begins to watch production for an operation that moves it. One
// that moves it twice has one vigil.
func (a *App) beginVigil(op *Operation) {
	if op.vigil != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(op.ctx))
	v := &vigil{cancel: cancel, ended: make(chan struct{}), enough: make(chan struct{})}
	op.vigil = v
	go func() {
		defer close(v.ended)
		for range vigilLimit {
			began := time.Now()
			moved := v.hasMoved()
			err := a.askProduction(ctx)
			took := time.Since(began)
			if ctx.Err() != nil && took < vigilLost {
				return // given up
			}
			v.note(moved, took, err)
			if sleep(ctx, vigilPace-took) != nil {
				return
			}
		}
	}()
}

// askProduction asks what a user might ask.
func (a *App) askProduction(ctx context.Context) error {
	settings := a.settings.Load()
	ctx, cancel := context.WithTimeout(ctx, settings.Health.Timeout)
	defer cancel()
	_, err := a.probes.Public(ctx, settings.firstHost(), settings.Health.Path)
	return err
}

func (v *vigil) hasMoved() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.moved
}

// move notes that production has moved.
func (v *vigil) move() {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.moved = true
}

func (v *vigil) note(moved bool, took time.Duration, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := &v.found
	f.Sent++
	if moved {
		if v.after++; v.after == vigilAfter {
			close(v.enough)
		}
	}
	if err == nil {
		f.Worst = max(f.Worst, took)
		return
	}
	if f.Lost == 0 {
		f.Error = err.Error()
	}
	f.Lost++
	if !moved {
		f.LostBefore++
	}
}

// end ends the vigil, after as many more probes as a moment allows.
func (v *vigil) end(wait time.Duration) Availability {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-v.enough:
	case <-v.ended:
	case <-timer.C:
	}
	v.cancel()
	<-v.ended
	return v.found
}

// endVigil tells what production answered while the operation moved it.
func (a *App) endVigil(op *Operation) {
	v := op.vigil
	if v == nil {
		return
	}
	told := op.enter("proof")
	found := v.end(vigilWait)
	op.vigil = nil
	op.measured(found)
	if found.Lost > 0 {
		op.warn("%s", found.text(op.Kind))
		return
	}
	told("%s", found.text(op.Kind))
}

// dropVigil ends a vigil that has nothing to tell.
func (o *Operation) dropVigil() {
	if o.vigil != nil {
		o.vigil.end(0)
		o.vigil = nil
	}
}

func (f Availability) text(k Kind) string {
	text := fmt.Sprintf("production answered %d of %s during the %s, slowest %v", f.Sent-f.Lost, count(int64(f.Sent), "probe"), k, round(f.Worst))
	switch {
	case f.Lost == 0:
		return text
	case f.LostBefore == f.Lost:
		return fmt.Sprintf("%s; lost %d, all before it had moved: %s", text, f.Lost, f.Error)
	case f.LostBefore > 0:
		return fmt.Sprintf("%s; lost %d before it had moved and %d after: %s", text, f.LostBefore, f.Lost-f.LostBefore, f.Error)
	}
	return fmt.Sprintf("%s; lost %d: %s", text, f.Lost, f.Error)
}
