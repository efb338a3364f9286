package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
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
	// Spread is the time after the limit of the Upgraded over which they are
	// ended one by one, so that their clients do not all come back at once.
	// Zero ends them together.
	Spread time.Duration
}

// DrainResult tells how a drain went.
type DrainResult struct {
	// Requests and Upgraded are how many of each kind were cut because they
	// outlived their limit.
	Requests int64
	Upgraded int64
	// Left is how many more of the Upgraded have outlived their limit and are
	// still to be ended, one by one.
	Left int64
	// Elapsed is how long the drain took.
	Elapsed time.Duration
}

// Drain is a wait until nothing is in flight on a backend. It is a wait, not a
// state: a backend whose Drain is given up serves on.
type Drain struct {
	backend *Backend
	limits  DrainLimits
	began   time.Time

	mu     sync.Mutex
	result DrainResult // so far, without Elapsed

	// What follows belongs to Wait.
	cutRequests, cutUpgraded bool
	moments                  map[*flight]time.Time // when each of the Upgraded is ended
}

// NewDrain begins a drain of the backend, which must not be routed any more:
// the limits count from here. Wait carries it out. Several drains may wait at
// once.
func (b *Backend) NewDrain(l DrainLimits) *Drain {
	return &Drain{backend: b, limits: l, began: time.Now(), moments: make(map[*flight]time.Time)}
}

// Drain is NewDrain and Wait.
func (b *Backend) Drain(ctx context.Context, l DrainLimits) (DrainResult, error) {
	return b.NewDrain(l).Wait(ctx)
}

// Result returns how the drain goes, at any time.
func (d *Drain) Result() DrainResult {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.result
	r.Elapsed = time.Since(d.began)
	return r
}

// Wait waits until nothing is in flight on the backend. What outlives its limit
// is ended with ErrDrained as the cause: a request without an answer yet gets a
// 503 page, one that is being answered is broken off, a WebSocket gets close
// code 1012, an event stream ends as if the backend had ended it. Only what
// began before the drain is ever cut. When ctx ends first Wait returns
// context.Cause. It may be called once.
func (d *Drain) Wait(ctx context.Context) (DrainResult, error) {
	b := d.backend
	released := b.addWaiter()
	defer b.removeWaiter(released)
	requests, stopRequests := limit(d.limits.Requests)
	defer stopRequests()
	upgraded, stopUpgraded := limit(d.limits.Upgraded)
	defer stopUpgraded()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	sweeps := sweep.C
	sweep.Stop()

	for !b.idle() {
		select {
		case <-ctx.Done():
			return d.Result(), context.Cause(ctx)
		case <-released:
			continue
		case <-requests:
			d.cutRequests = true
			sweep.Reset(sweepEvery)
		case <-upgraded:
			d.cutUpgraded = true
			d.spread()
			sweep.Reset(sweepEvery)
		case <-sweeps:
		}
		d.cut()
	}
	return d.Result(), nil
}

// cut ends the flights whose limit has passed.
func (d *Drain) cut() {
	now := time.Now()
	var swept DrainResult
	d.eachOld(func(f *flight) {
		due := d.cutUpgraded && d.isDue(f, now)
		if d.cutUpgraded && !due {
			swept.Left++
		}
		switch f.cut(d.backend, d.cutRequests, due, ErrDrained) {
		case cutRequest:
			swept.Requests++
		case cutUpgrade:
			swept.Upgraded++
		}
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.result.Requests += swept.Requests
	d.result.Upgraded += swept.Upgraded
	d.result.Left = swept.Left
}

// eachOld calls visit for what was counted before the drain began.
func (d *Drain) eachOld(visit func(*flight)) {
	d.backend.flights.each(func(f *flight) {
		if f.start.Add(f.held).Before(d.began) {
			visit(f)
		}
	})
}

// spread gives each of the Upgraded a moment of its own: they are ended evenly
// over the time there is, with jitter, in the order of the bag, which is
// random.
func (d *Drain) spread() {
	var long []*flight
	d.eachOld(func(f *flight) {
		if f.isLong() {
			long = append(long, f)
		}
	})
	from := time.Now()
	share := float64(d.window()) / float64(len(long))
	for i, f := range long {
		d.moments[f] = from.Add(time.Duration((float64(i) + rand.Float64()) * share))
	}
}

// isDue reports whether the moment of a flight has come, if it is one of the
// Upgraded. One that has only just become so gets a moment in the rest of the
// time.
func (d *Drain) isDue(f *flight, now time.Time) bool {
	if d.window() == 0 || !f.isLong() {
		return true
	}
	moment, known := d.moments[f]
	if !known {
		rest := d.began.Add(d.limits.Upgraded + d.window()).Sub(now)
		moment = now.Add(time.Duration(rand.Float64() * float64(max(0, rest))))
		d.moments[f] = moment
	}
	return !now.Before(moment)
}

// window is the time over which the moments lie. The last sweep in it must not
// come after its end.
func (d *Drain) window() time.Duration { return max(0, d.limits.Spread-sweepEvery) }

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
