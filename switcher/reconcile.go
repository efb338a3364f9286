package switcher

import (
	"context"
	"errors"
	"fmt"
)

// reconcile compares what runs with what is recorded, the active slot first,
// and repairs the difference. It returns how many instances it touched.
func (a *App) reconcile(ctx context.Context, op *Operation) (repaired int, err error) {
	told := op.enter("compare")
	draining := a.drainingSlot() // what is listed then may be stopped a moment later
	instances, err := a.settings.Load().Runtime.List(ctx)
	if err != nil {
		return 0, err
	}
	if a.unrecorded() {
		repaired, err = a.adopt(op, instances)
		if err != nil || a.leaveAlone(op, instances) {
			return 0, err
		}
	}
	running := map[string]bool{}
	for _, i := range instances {
		running[i.ID] = i.Running
	}
	var problems []error
	s := a.state.Load()
	for _, c := range activeFirst(s) {
		if s.Slots[c].State == Failed && c == draining {
			continue // it is stopped when that is over, or left to another sweep
		}
		done, err := a.repair(ctx, op, c, s.Slots[c], running)
		repaired += done
		problems = append(problems, err)
	}
	for _, i := range instances {
		if s.owns(i.ID) {
			continue
		}
		if err := a.removeStray(ctx, op, i); err != nil {
			problems = append(problems, err)
			continue
		}
		repaired++
	}
	if err := errors.Join(problems...); err != nil {
		return repaired, err
	}
	told("%s compared with the recorded state", count(int64(len(instances)), "container"))
	return repaired, nil
}

// leaveAlone tells of an app that has never recorded a state and of which
// nothing runs that could be adopted. By itself the edge removes nothing then:
// more likely it looks at the wrong directory.
func (a *App) leaveAlone(op *Operation, instances []Instance) bool {
	if !a.unrecorded() || op.Actor != Self || len(instances) == 0 {
		return false
	}
	a.setAlert("%s of this app but no recorded state: nothing is touched; check `state.dir`, or let `bluegreen recover` remove them",
		count(int64(len(instances)), "container"))
	return true
}

func activeFirst(s *State) [2]Colour {
	if s.Active == Green {
		return [2]Colour{Green, Blue}
	}
	return [2]Colour{Blue, Green}
}

// owns reports whether a slot holds an instance that is more than begun.
func (s *State) owns(instance string) bool {
	for _, slot := range s.Slots {
		if slot.Instance == instance {
			return slot.State != Empty && slot.State != Starting
		}
	}
	return false
}

// detach takes a slot's backend off the routes, which then answer 503.
func (a *App) detach(c Colour) {
	a.dropBackend(c)
	a.repoint(Production, Internal)
}

// attach puts it back, if it was taken off.
func (a *App) attach(c Colour, port int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.backends[c] == nil {
		a.backends[c] = a.newBackend(port)
		a.point(Production)
		a.point(Internal)
	}
}

// removeStrays clears a slot of what an operation that was cut short has left.
func (a *App) removeStrays(ctx context.Context, op *Operation, c Colour) error {
	instances, err := a.settings.Load().Runtime.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range instances {
		if i.Colour == c && !a.state.Load().owns(i.ID) {
			if err := a.removeStray(ctx, op, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeStray removes an instance that no slot holds. What an interrupted
// drain left in flight on it still gets its time.
func (a *App) removeStray(ctx context.Context, op *Operation, i Instance) error {
	op.say("removing %s, which no slot holds", i.ID)
	emptied := a.state.Load().Slots[i.Colour].State == Empty
	if emptied {
		if _, err := a.emptyOut(ctx, op, i.Colour); err != nil {
			return err
		}
	}
	if err := a.settings.Load().Runtime.Remove(ctx, i.ID); err != nil {
		return err
	}
	if emptied {
		a.dropBackend(i.Colour)
	}
	return nil
}

// undecided reports whether a rollback was cut short before its probe. Until
// that has shown that the previous release answers, nothing is stopped.
func (a *App) undecided() bool {
	j := a.state.Load().Operation
	return j != nil && j.Step == "back"
}

// repair brings one slot's instance to where its state says it should be.
func (a *App) repair(ctx context.Context, op *Operation, c Colour, slot Slot, running map[string]bool) (int, error) {
	runtime := a.settings.Load().Runtime
	up := running[slot.Instance]
	switch {
	case slot.State == Starting:
		a.leaveStart()
		return 0, a.step(op, "forget", func(s *State) { s.empty(c) })
	case slot.State == Failed && a.undecided():
		return 0, nil
	case slot.State == Failed && up:
		op.say("stopping %s, which had failed", slot.Instance)
		if _, err := a.emptyOut(ctx, op, c); err != nil {
			return 0, err
		}
		return 1, runtime.Stop(ctx, slot.Instance)
	case !slot.warm():
		return 0, nil
	case up:
		return 0, runtime.Keep(ctx, slot.Instance) // an interrupted repair may not have come so far
	}
	told := op.enter("start")
	spec := Spec{Instance: slot.Instance, Colour: c, Release: *slot.Release, Port: slot.Port}
	if err := runtime.Start(ctx, spec); err != nil {
		if CodeOf(err) == CodeRefused {
			a.detach(c) // a stranger has the port: what answers there is not the release
		}
		return 0, fmt.Errorf("starting %s on %s again: %w", describe(slot.Release), c, err)
	}
	a.attach(c, slot.Port)
	// It was healthy once and is meant to run: it is kept also when what it
	// depends on comes late.
	_, err := a.settle(ctx, op, spec)
	if err := errors.Join(err, runtime.Keep(ctx, slot.Instance)); err != nil {
		return 1, err
	}
	told("%s runs on %s again", describe(slot.Release), c)
	return 1, nil
}
