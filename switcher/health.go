package switcher

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

const (
	// rushInterval is the longest time between probes while a deploy, a bake or
	// a failure makes them urgent.
	rushInterval = time.Second
	// leastInterval is the shortest, however many requests fail.
	leastInterval = rushInterval / 4
)

// pace is what makes the probes of one slot come sooner.
type pace struct {
	wake  chan struct{} // look again at how long to wait
	asked atomic.Bool   // somebody saw the slot fail: probe it at once
}

func newPace() *pace { return &pace{wake: make(chan struct{}, 1)} }

// hurry makes the health loop look again at what it waits for.
func (p *pace) hurry() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ask wants a probe now. It may be called for every request that fails.
func (p *pace) ask() {
	if !p.asked.Swap(true) {
		p.hurry()
	}
}

func (a *App) tracker(c Colour) *tracker {
	a.healthMu.Lock()
	defer a.healthMu.Unlock()
	return a.health[c]
}

// forgetHealth begins anew with a slot: what ran in it is gone.
func (a *App) forgetHealth(c Colour) {
	gone := !a.state.Load().Slots[c].warm()
	if gone {
		a.endTroubles(c)
	}
	a.healthMu.Lock()
	defer a.healthMu.Unlock()
	next := &tracker{}
	if !gone {
		next.sick, next.dead = a.health[c].forget()
	}
	a.health[c] = next
}

func (a *App) healthOf(c Colour) Health { return a.tracker(c).read() }

// probe asks the backend on a slot's port once, now, and counts the answer.
func (a *App) probe(ctx context.Context, c Colour, port int) error {
	settings := a.settings.Load()
	t := a.tracker(c)
	within, cancel := context.WithTimeout(ctx, settings.Health.Timeout)
	defer cancel()
	began := time.Now()
	err := a.probes.Backend(within, a.reached(c, port), settings.firstHost(), settings.Health.Path)
	if err == nil || ctx.Err() == nil { // a caller who leaves says nothing about the slot
		if from, to := t.note(err, time.Since(began), settings.Health); from != to {
			a.healthChanged(c, t, to)
		}
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

// HealthHistory returns the last checks of the slots, oldest first.
func (a *App) HealthHistory() map[Colour][]HealthCheck {
	all := map[Colour][]HealthCheck{}
	for _, c := range Colours() {
		all[c] = a.tracker(c).checks()
	}
	return all
}

// healthChanged tells a new verdict. An instance may be unhealthy because it is
// gone, with the engine or by somebody's hand: the containers are compared with
// the recorded state then. One that only starts is the business of its deploy.
func (a *App) healthChanged(c Colour, t *tracker, to HealthStatus) {
	if a.tracker(c) != t || !a.state.Load().Slots[c].warm() {
		return
	}
	h := t.read()
	a.log.Info("health changed", "colour", c, "to", to, "error", h.Error)
	n := a.about(NoticeUnhealthy, c)
	if to == Unhealthy {
		a.leaveUnswept()
		a.wakeSweep()
		n.Cause = h.Error
	} else {
		n.Over, n.Cause = true, "it answers its health checks again"
	}
	if t.tell(to == Unhealthy) {
		a.notify(n)
	}
}

// endTroubles tells that nothing is to be done any more about a slot in which
// nothing is meant to run.
func (a *App) endTroubles(c Colour) {
	sick, dead := a.tracker(c).forget()
	for kind, told := range map[NoticeKind]bool{NoticeUnhealthy: sick != knownWell, NoticeDied: dead} {
		if told {
			n := a.about(kind, c)
			n.Over, n.Cause = true, "nothing is to run in this slot now"
			a.notify(n)
		}
	}
}

// watchHealth probes a slot while it is warm, at the configured interval or
// faster, until ctx ends. Each slot has a loop of its own, so that trouble of
// one neither speeds up nor delays the probes of the other.
func (a *App) watchHealth(ctx context.Context, c Colour) error {
	for ctx.Err() == nil {
		began := time.Now()
		if slot := a.state.Load().Slots[c]; slot.warm() && a.backend(c) != nil {
			a.probe(ctx, c, slot.Port)
			a.noteCalm(c)
		}
		if a.state.Load().Active == c {
			a.guardBake()
		}
		a.untilNextProbe(ctx, c, began)
	}
	return nil
}

// noteCalm tells that an instance which had died is well again.
func (a *App) noteCalm(c Colour) {
	if a.tracker(c).calmed() {
		n := a.about(NoticeDied, c)
		n.Over, n.Cause = true, fmt.Sprintf("it has been running and healthy for %v", calm)
		a.notify(n)
	}
}

// untilNextProbe waits for the rest of the interval, which may change meanwhile.
func (a *App) untilNextProbe(ctx context.Context, c Colour, began time.Time) {
	p := a.paces[c]
	for {
		wait := a.probeInterval(c)
		if p.asked.Load() {
			wait = min(wait, leastInterval)
		}
		timer := time.NewTimer(time.Until(began.Add(wait)))
		select {
		case <-p.wake:
			timer.Stop()
			continue
		case <-timer.C:
			p.asked.Store(false)
		case <-ctx.Done():
			timer.Stop()
		}
		return
	}
}

func (a *App) probeInterval(c Colour) time.Duration {
	health := a.settings.Load().Health
	a.mu.Lock()
	urgent := a.state.Load().Bake != nil || a.op != nil && a.op.Kind == KindDeploy
	a.mu.Unlock()
	if urgent {
		return min(health.Interval, rushInterval)
	}
	return a.tracker(c).interval(health)
}

// hurry makes the health loops look again at what they wait for.
func (a *App) hurry() {
	for _, p := range a.paces {
		p.hurry()
	}
}
