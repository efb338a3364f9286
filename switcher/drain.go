package switcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// drain is a wait in the background for what a slot has in flight.
type drain struct {
	colour Colour
	began  time.Time
	limits proxy.DrainLimits
	wait   *proxy.Drain
	cancel context.CancelCauseFunc
	ended  chan struct{}
}

var errDrainOver = errors.New("the slot is needed for something else")

// limits are how long things may last on a slot whose container will stop.
func (a *App) limits() proxy.DrainLimits {
	d := a.settings.Load().Drain
	return proxy.DrainLimits{Requests: d.Timeout, Upgraded: d.Websockets, Spread: d.Spread}
}

// drainBehind drains a slot in the background and then calls next, unless
// the drain is called off. It holds no lock: every operation may overtake it.
func (a *App) drainBehind(c Colour, limits proxy.DrainLimits, next func(ctx context.Context)) {
	backend := a.backend(c)
	if backend == nil {
		return
	}
	ctx, cancel := context.WithCancelCause(a.ctx)
	d := &drain{colour: c, began: time.Now(), limits: limits, wait: backend.NewDrain(limits), cancel: cancel, ended: make(chan struct{})}
	a.mu.Lock()
	a.draining = d
	a.mu.Unlock()
	a.background.Go(func() {
		defer cancel(nil)
		result, err := d.wait.Wait(ctx)
		if err == nil {
			a.drained(c, d.began, result)
			if next != nil {
				next(ctx)
			}
		}
		a.mu.Lock()
		if a.draining == d {
			a.draining = nil
		}
		a.mu.Unlock()
		close(d.ended)
		if err != nil {
			a.calledOff(c, d.began, result) // whoever did it does not wait for the disk
		}
	})
}

// drainingSlot is the slot that is drained in the background; empty: none.
func (a *App) drainingSlot() Colour {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining == nil {
		return ""
	}
	return a.draining.colour
}

// callOffDrain ends a background drain of slot c and waits until it is gone.
func (a *App) callOffDrain(c Colour) {
	a.mu.Lock()
	d := a.draining
	a.mu.Unlock()
	if d != nil && d.colour == c {
		d.cancel(errDrainOver)
		<-d.ended
	}
}

// calledOff tells what a drain has cut before something else came in between.
func (a *App) calledOff(c Colour, began time.Time, r proxy.DrainResult) {
	if r.Requests+r.Upgraded == 0 {
		return
	}
	text := fmt.Sprintf("the drain of %s was called off%s", c, cutText(r))
	a.log.Info(text, "took", round(r.Elapsed))
	a.note(Record{ID: newID(), Kind: KindDrain, Actor: Self, Began: began, Took: r.Elapsed, Colour: c, OK: true, Result: text})
}

// drained makes sure that nobody has to guess what was cut.
func (a *App) drained(c Colour, began time.Time, r proxy.DrainResult) {
	text := fmt.Sprintf("%s is drained%s", c, cutText(r))
	a.log.Info(text, "took", round(r.Elapsed))
	if r.Requests+r.Upgraded > 0 {
		a.note(Record{ID: newID(), Kind: KindDrain, Actor: Self, Began: began, Took: r.Elapsed, Colour: c, OK: true, Result: text})
	}
}

func cutText(r proxy.DrainResult) string {
	var cut []string
	if r.Requests > 0 {
		cut = append(cut, count(r.Requests, "request"))
	}
	if r.Upgraded > 0 {
		cut = append(cut, count(r.Upgraded, "long connection"))
	}
	if len(cut) == 0 {
		return ", nothing was cut"
	}
	return "; ended at their deadline: " + strings.Join(cut, ", ")
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// note adds to the history outside of an operation.
func (a *App) note(r Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(r)
}

// keep is note with a.mu held.
func (a *App) keep(r Record) {
	next := a.state.Load().clone()
	next.record(r)
	next.Generation++
	if err := a.store.save(next, false); err != nil {
		a.log.Error("recording history", "error", err)
	}
	a.state.Store(next)
}

// emptyOut waits, as part of an operation, until an unrouted slot has nothing in
// flight, and ends what outlives its deadline.
func (a *App) emptyOut(ctx context.Context, op *Operation, c Colour) (proxy.DrainResult, error) {
	backend := a.backend(c)
	if backend == nil {
		return proxy.DrainResult{}, nil
	}
	d := &drain{colour: c, began: time.Now(), limits: a.limits()}
	d.wait = backend.NewDrain(d.limits)
	a.setEmptying(d)
	defer a.setEmptying(nil)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		for {
			if now := a.drainStatus(d); now.InFlight+now.Upgraded > 0 {
				op.progress(Progress{Text: "draining " + string(c) + ": " + inFlight(backend), Drain: now})
			}
			if sleep(ctx, time.Second) != nil {
				return
			}
		}
	}()
	result, err := d.wait.Wait(ctx)
	cancel(nil)
	<-shown
	if err != nil && result.Requests+result.Upgraded > 0 {
		op.warn("the drain of %s was called off%s", c, cutText(result))
	}
	return result, err
}

func (a *App) setEmptying(d *drain) {
	a.mu.Lock()
	a.emptying = d
	a.mu.Unlock()
}

func inFlight(b *proxy.Backend) string {
	return count(b.InFlight(), "request") + " and " + count(b.Upgraded(), "long connection") + " in flight"
}

// vacate takes a release out of a slot that production does not lead to:
// internal goes back to the active slot, what is in flight ends, and the
// instance is removed.
func (a *App) vacate(ctx context.Context, op *Operation, c Colour, step string) error {
	instance := a.state.Load().Slots[c].Instance
	a.callOffDrain(c)
	if err := a.step(op, step, func(s *State) { s.empty(c) }); err != nil {
		return err
	}
	a.repoint(Internal)
	result, err := a.emptyOut(ctx, op, c)
	if err == nil {
		if result.Requests+result.Upgraded > 0 {
			op.warn("%s is drained%s", c, cutText(result))
		}
		err = a.settings.Load().Runtime.Remove(ctx, instance)
	}
	if err != nil {
		a.leaveUnswept()
		return err
	}
	a.dropBackend(c)
	return nil
}

func (a *App) dropBackend(c Colour) {
	a.forgetHealth(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := a.backends[c]; b != nil {
		b.Close()
		delete(a.backends, c)
	}
}

// Drain waits until a slot that no route leads to has nothing in flight, and
// ends what outlives its deadline. The container goes on running.
func (a *App) Drain(actor Actor, r DrainRequest) (*Operation, error) {
	allow := func(s *State) (Journal, error) {
		c := r.Colour
		if c == "" {
			c = s.inactive(a.first)
		}
		if !c.Valid() {
			return Journal{}, &Error{Code: CodeUsage, What: fmt.Sprintf("%q is not a slot", c), Hint: "blue or green"}
		}
		if routes := s.routesTo(c); len(routes) > 0 {
			return Journal{}, refuse("only a slot that no route leads to can be drained; `bluegreen status` shows the routes",
				"%s leads to %s", strings.Join(routes, " and "), c)
		}
		if s.Slots[c].State == Empty {
			return Journal{}, refuse("`bluegreen status` shows the slots", "%s is empty: there is nothing to drain", c)
		}
		return Journal{Colour: c}, nil
	}
	return a.start(KindDrain, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		op.enter("drain")
		c := op.about.Colour
		a.callOffDrain(c)
		result, err := a.emptyOut(ctx, op, c)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is drained%s", c, cutText(result)), nil
	})
}

func (s *State) routesTo(c Colour) (names []string) {
	if s.Active == c {
		names = append(names, string(Production))
	}
	if s.Internal == c {
		names = append(names, string(Internal))
	}
	return names
}
