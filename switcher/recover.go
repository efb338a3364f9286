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
