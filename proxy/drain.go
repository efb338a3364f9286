package proxy

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrDrained is the cause with which a drain ends what outlived its limit.
var ErrDrained = errors.New("drain limit reached")

// sweepEvery is how often stragglers are looked for once a limit has passed: a
// request that was counted but not yet in the bag is found by the next sweep.
const sweepEvery = 50 * time.Millisecond

// DrainLimits says how long a drain waits before it ends what is left. Each
// limit counts from the call; zero means no limit.
type DrainLimits struct {
	// Requests limits what Backend.InFlight counts.
	Requests time.Duration
	// Upgraded limits what Backend.Upgraded counts: WebSockets and streams of
	// server-sent events.
	Upgraded time.Duration
}

// DrainResult tells how a drain went.
type DrainResult struct {
	// Requests and Upgraded are how many of each kind were cut because they
	// outlived their limit.
	Requests int64
	Upgraded int64
	// Elapsed is how long the drain took.
	Elapsed time.Duration
}

// Drain waits until nothing is in flight on the backend, which must not be
// routed any more. What outlives its limit is ended with ErrDrained as the
// cause: a request without an answer yet gets a 503 page, one that is being
// answered is broken off, a WebSocket gets close code 1012, an event stream
// ends as if the backend had ended it. Only what began before the call is ever
// cut.
//
// Drain is a wait, not a state: when ctx ends first it returns context.Cause
// and the backend serves on. Several drains may wait at once.
func (b *Backend) Drain(ctx context.Context, l DrainLimits) (DrainResult, error) {
	d := drain{backend: b, began: time.Now()}
	released := b.addWaiter()
	defer b.removeWaiter(released)
	requests, stopRequests := limit(l.Requests)
	defer stopRequests()
	upgraded, stopUpgraded := limit(l.Upgraded)
	defer stopUpgraded()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	sweeps := sweep.C
	sweep.Stop()

	for !b.idle() {
		select {
		case <-ctx.Done():
			d.result.Elapsed = time.Since(d.began)
			return d.result, context.Cause(ctx)
		case <-released:
			continue
		case <-requests:
			d.cutRequests = true
			sweep.Reset(sweepEvery)
		case <-upgraded:
			d.cutUpgraded = true
			sweep.Reset(sweepEvery)
		case <-sweeps:
		}
		d.cut()
	}
	d.result.Elapsed = time.Since(d.began)
	return d.result, nil
}

// drain is one call of Backend.Drain.
type drain struct {
	backend     *Backend
	began       time.Time
	cutRequests bool
	cutUpgraded bool
	result      DrainResult
}

// cut ends the flights whose limit has passed.
func (d *drain) cut() {
	d.backend.flights.each(func(f *flight) {
		if !f.start.Add(f.held).Before(d.began) {
			return
		}
		switch f.cut(d.cutRequests, d.cutUpgraded, ErrDrained) {
		case cutRequest:
			d.result.Requests++
		case cutUpgrade:
			d.result.Upgraded++
		}
	})
}

// idle reports whether nothing is in flight. The requests are read first: what
// is upgraded counts as that before it stops counting as a request.
func (b *Backend) idle() bool {
	return b.InFlight() == 0 && b.Upgraded() == 0
}

// limit returns a channel that fires after d, or never when d is zero.
func limit(d time.Duration) (<-chan time.Time, func() bool) {
	if d <= 0 {
		return nil, func() bool { return false }
	}
	t := time.NewTimer(d)
	return t.C, t.Stop
}

func (b *Backend) addWaiter() chan struct{} {
	w := make(chan struct{}, 1)
	b.waitersMu.Lock()
	defer b.waitersMu.Unlock()
	b.waiters = append(b.waiters, w)
	b.waiting.Add(1)
	return w
}

func (b *Backend) removeWaiter(w chan struct{}) {
	b.waitersMu.Lock()
	defer b.waitersMu.Unlock()
	i := slices.Index(b.waiters, w)
	b.waiters = slices.Delete(b.waiters, i, i+1)
	b.waiting.Add(-1)
}

// wake tells every drain that a count has come to zero. A waiter registers
// before it reads the counts, so none is missed.
func (b *Backend) wake() {
	if b.waiting.Load() == 0 {
		return
	}
	b.waitersMu.Lock()
	defer b.waitersMu.Unlock()
	for _, w := range b.waiters {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
