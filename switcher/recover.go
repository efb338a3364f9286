package switcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Recover brings containers back to the recorded state: those that should run
// are started, those that should not are stopped, those that nobody knows are
// removed. The edge does the same by itself after every start. An app that is
// out of service comes back into it if its state can be read by now.
func (a *App) Recover(actor Actor) (*Operation, error) {
	if err := a.readmit(); err != nil {
		return nil, err
	}
	allow := func(*State) (Journal, error) { return Journal{}, nil }
	return a.start(KindRecover, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		return a.recover(ctx, op)
	})
}

// outOfService returns why no state could be read; nil when one was.
func (a *App) outOfService() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// readmit takes an app that is out of service back into it, with the state that
// is on disk now, and points its routes at once.
func (a *App) readmit() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken == nil {
		return nil
	}
	if !a.up() {
		return errNotUp()
	}
	if err := a.load(); err != nil {
		return err
	}
	a.broken = nil
	a.point(Production)
	a.point(Internal)
	a.log.Info("back in service with the state that is on disk now")
	return nil
}

// setRepair notes why the edge's own recovery does not succeed; an operator who
// only sees an unhealthy slot would look in the wrong place.
func (a *App) setRepair(err error) {
	text := ""
	if err != nil && !errors.Is(err, ErrOvertaken) && CodeOf(err) != CodeBusy {
		text = "containers are not as recorded, and cannot be brought back yet: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarm(func() { a.unrepaired = text })
}

func (a *App) leaveUnswept() {
	a.mu.Lock()
	a.unswept = true
	a.mu.Unlock()
}

// lateStart is how long an engine may take for a start whose caller has gone:
// as long as it may take to answer one.
const lateStart = 15 * time.Second

// leaveStart sees to another sweep for an instance that nobody could see start
// or fail: it may turn up after the next one has found nothing.
func (a *App) leaveStart() {
	a.mu.Lock()
	a.late = time.Now().Add(lateStart)
	a.mu.Unlock()
}

func (a *App) wakeSweep() {
	select {
	case a.sweepWake <- struct{}{}:
	default:
	}
}

// keepSwept recovers at the start, and again whenever an operation had to
// leave something behind, with growing pauses while that fails.
func (a *App) keepSwept(ctx context.Context) error {
	const first, longest = time.Second, 30 * time.Second
	pause := first
	for {
		due, later := a.sweepDue()
		var again <-chan time.Time
		if due {
			op, err := a.Recover(Self)
			if err == nil {
				err = op.Wait(ctx)
			}
			a.setRepair(err)
			if err == nil {
				pause = first
				continue
			}
			again = time.After(pause)
			pause = min(2*pause, longest)
		}
		select {
		case <-again:
		case <-later:
		case <-a.sweepWake:
		case <-ctx.Done():
			return nil
		}
	}
}

// sweepDue reports whether it is time for a sweep. later fires when a start that
// nobody waits for can no longer happen; it is nil when there is none.
func (a *App) sweepDue() (due bool, later <-chan time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	due = a.unswept
	if wait := time.Until(a.late); wait > 0 {
		later = time.After(wait)
	} else if !a.late.IsZero() {
		due = true
	}
	busy := a.op != nil && (!a.op.looks() || a.op.Actor != Self)
	return due && !busy && a.broken == nil, later
}

func (a *App) recover(ctx context.Context, op *Operation) (string, error) {
	left := a.state.Load().Operation
	if left != nil {
		op.say("%s by %s was interrupted in step %q", left.Kind, left.Actor, left.Step)
	}
	a.mu.Lock()
	a.unswept = false
	if !time.Now().Before(a.late) {
		a.late = time.Time{}
	}
	a.mu.Unlock()
	repaired, err := a.reconcile(ctx, op)
	if left != nil && !a.concernsDatabase(left) && (err == nil || ctx.Err() == nil) {
		err = errors.Join(err, a.resume(op, left, ""))
		left = nil
	}
	found := ""
	if ctx.Err() == nil {
		found = a.settleDatabase(ctx, op)
	}
	if left != nil && ctx.Err() == nil {
		err = errors.Join(err, a.resume(op, left, found))
		found = "" // it is in the history under the name of what was interrupted
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		a.leaveUnswept()
		op.silent = op.Actor == Self // told again at every attempt otherwise
		return "", err
	}
	text := "routes and containers are as recorded"
	if repaired > 0 {
		text = fmt.Sprintf("%s brought back to the recorded state", count(int64(repaired), "container"))
	}
	if found != "" {
		return text + "; " + found, nil
	}
	op.silent = repaired == 0 && op.Actor == Self
	return text, nil
}

// resume ends what an operation of an earlier process had begun, and writes
// the end into the history under its own name, with what became of the database.
func (a *App) resume(op *Operation, left *Journal, found string) error {
	ok, text := left.reached()
	if found != "" {
		text += "; " + found
	}
	active := a.state.Load().Active
	op.resumes = left
	defer func() { op.resumes = nil }()
	var err error
	switch {
	case left.Kind == KindSwitch && left.Step == "swap":
		text, err = a.proveSwitch(op, active)
		ok = err == nil
	case left.Kind == KindRollback && left.Step == "back":
		text, err = a.proveBack(op, active, left.Reason)
		ok = err == nil
	case left.Step == "back":
		text, err = a.proveBack(op, active, "the release did not answer after the switch")
	default:
		a.tellReached(left, a.state.Load(), text)
	}
	if err != nil {
		text = err.Error()
	}
	return a.step(op, "resume", func(s *State) {
		s.record(left.record(ok, text))
		s.Operation = nil
	})
}

// reached says what an interrupted operation had done by its last step.
func (j *Journal) reached() (ok bool, text string) {
	const restart = "by a restart of the edge"
	switch {
	case j.Kind == KindSwitch && j.Step == "swap":
		return true, "production moved to " + string(j.Colour) + "; its probe was interrupted " + restart
	case j.Kind == KindRollback && j.Step == "back":
		return true, "production moved back to " + string(j.Colour) + "; its probe was interrupted " + restart
	case j.Step == "back":
		return false, "production moved back to " + string(j.Colour.Other()) + "; interrupted there " + restart
	case j.Step == "stay":
		return false, "neither release answered as it should; nothing was stopped"
	case j.Kind == KindDeploy && j.Step == "route":
		return true, j.Release + " was ready when the edge was restarted"
	case j.Kind == KindDeploy && j.Step == "abandon":
		return false, j.Release + " failed; interrupted while clearing up " + restart
	case j.Kind == KindDeploy && strings.HasPrefix(j.Step, markPrefix):
		return false, "interrupted in step " + strings.TrimPrefix(j.Step, markPrefix) + " of the database " + restart + "; nothing of " + j.Release + " was started"
	case j.Kind == KindDeploy:
		return false, "interrupted in step " + j.Step + " " + restart + "; what it had started of " + j.Release + " is removed"
	case j.Step == "remove", j.Step == "prune", j.Step == "confirm":
		return true, "finished after a restart of the edge"
	}
	return false, "interrupted in step " + strings.TrimPrefix(j.Step, markPrefix) + " " + restart
}

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
