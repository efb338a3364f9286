package switcher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/proxy"
)

// rushInterval is the longest time between probes while a deploy or a bake
// makes them urgent.
const rushInterval = time.Second

// tracker turns single probes into a verdict: rise successes in a row make a
// slot healthy, fall failures in a row unhealthy. The very first success is
// enough after a start of the edge, for nothing spoke against the slot yet.
type tracker struct {
	mu        sync.Mutex
	health    Health
	successes int
	failedAt  time.Time // of the last failure that counted
}

func (t *tracker) note(err error, took time.Duration, s HealthSettings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	h := &t.health
	h.CheckedAt = &now
	h.LatencyMS = float64(took.Microseconds()) / 1000
	if err != nil {
		h.Error = err.Error()
		t.successes = 0
		// One hiccup seen by several probes at once is still one failure.
		if now.Sub(t.failedAt) >= min(s.Interval, rushInterval)/2 {
			t.failedAt = now
			h.Failures++
		}
		if h.Failures >= s.Fall {
			h.Status = Unhealthy
		}
		return
	}
	h.Failures, h.Error = 0, ""
	t.successes++
	if h.Status != Unhealthy || t.successes >= s.Rise {
		h.Status = Healthy
	}
}

func (t *tracker) read() Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.health
	if h.Status == "" {
		h.Status = Unknown
	}
	return h
}

func (a *App) tracker(c Colour) *tracker {
	a.healthMu.Lock()
	defer a.healthMu.Unlock()
	return a.health[c]
}

// forgetHealth begins anew with a slot: what ran in it is gone.
func (a *App) forgetHealth(c Colour) {
	a.healthMu.Lock()
	defer a.healthMu.Unlock()
	a.health[c] = &tracker{}
}

func (a *App) healthOf(c Colour) Health { return a.tracker(c).read() }

// probe asks the backend on a slot's port once, now, and counts the answer.
func (a *App) probe(ctx context.Context, c Colour, port int) error {
	settings := a.settings.Load()
	host := ""
	if hosts := settings.Hosts[Production]; len(hosts) > 0 {
		host = hosts[0]
	}
	t := a.tracker(c)
	within, cancel := context.WithTimeout(ctx, settings.Health.Timeout)
	defer cancel()
	began := time.Now()
	err := a.probes.Backend(within, a.reached(c, port), host, settings.Health.Path)
	if err == nil || ctx.Err() == nil { // a caller who leaves says nothing about the slot
		t.note(err, time.Since(began), settings.Health)
	}
	return err
}

// reached says how the release of a slot is asked: as it gets its requests. One
// that is only starting has no backend yet, but perhaps its predecessor's.
func (a *App) reached(c Colour, port int) proxy.BackendOptions {
	if b := a.backend(c); b != nil && b.Address() == address(port) && a.state.Load().Slots[c].State != Starting {
		return b.Options()
	}
	return a.backendOptions(port)
}

// CheckHealth probes a slot now and returns the verdict with that probe.
func (a *App) CheckHealth(ctx context.Context, c Colour) (Health, error) {
	if !c.Valid() {
		return Health{}, &Error{Code: CodeUsage, What: fmt.Sprintf("%q is not a slot", c), Hint: "blue or green"}
	}
	slot := a.state.Load().Slots[c]
	if !slot.warm() {
		return Health{}, refuse("`bluegreen status` shows the slots", "%s is %s: there is nothing to probe", c, slot.State)
	}
	a.probe(context.WithoutCancel(ctx), c, slot.Port)
	return a.healthOf(c), nil
}

// watchHealth probes every warm slot at the configured interval, faster while
// a deploy or a bake runs, until ctx ends.
func (a *App) watchHealth(ctx context.Context) error {
	for ctx.Err() == nil {
		began := time.Now()
		a.probeSlots(ctx)
		a.guardBake()
		a.untilNextProbe(ctx, began)
	}
	return nil
}

// untilNextProbe waits for the rest of the interval, which may change meanwhile.
func (a *App) untilNextProbe(ctx context.Context, began time.Time) {
	for {
		timer := time.NewTimer(time.Until(began.Add(a.probeInterval())))
		select {
		case <-a.rush:
			timer.Stop()
			continue
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		return
	}
}

func (a *App) probeSlots(ctx context.Context) {
	state := a.state.Load()
	var group errgroup.Group
	for _, c := range Colours() {
		if slot := state.Slots[c]; slot.warm() && a.backend(c) != nil {
			group.Go(func() error {
				a.probeSlot(ctx, c, slot.Port)
				return nil
			})
		}
	}
	group.Wait()
}

// probeSlot probes one slot and tells when the verdict changes. An instance
// may be unhealthy because it is gone, with the engine or by somebody's hand:
// the containers are compared with the recorded state then.
func (a *App) probeSlot(ctx context.Context, c Colour, port int) {
	before := a.healthOf(c).Status
	a.probe(ctx, c, port)
	after := a.healthOf(c)
	if after.Status == before || ctx.Err() != nil {
		return
	}
	a.log.Info("health changed", "colour", c, "from", before, "to", after.Status, "error", after.Error)
	if after.Status == Unhealthy {
		a.leaveUnswept()
		a.wakeSweep()
	}
}

func (a *App) probeInterval() time.Duration {
	interval := a.settings.Load().Health.Interval
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.Load().Bake != nil || a.op != nil && a.op.Kind == KindDeploy {
		return min(interval, rushInterval)
	}
	return interval
}

// hurry makes the health loop look again at what it watches.
func (a *App) hurry() {
	select {
	case a.rush <- struct{}{}:
	default:
	}
}
