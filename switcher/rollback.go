package switcher

import (
	"context"
	"fmt"
	"time"
)

// Rollback moves production back to the warm previous slot. It ends after the
// probe; the failed slot is then drained and stopped in the background.
func (a *App) Rollback(actor Actor, r RollbackRequest) (*Operation, error) {
	allowed, err := a.accepted(r.Allow, r.Reason)
	if err != nil {
		return nil, err
	}
	allow := func(s *State) (Journal, error) {
		if ready := a.warmStatus(s); !ready.Ready { // the schema is asked for by the operation
			return Journal{}, refuse("an older release comes back by `bluegreen deploy COMMIT` and `bluegreen switch`",
				"rollback is not possible: %s", ready.Reason)
		}
		to := s.Slots[s.Active.Other()].Release
		return Journal{Reason: r.Reason, Colour: s.Active.Other(), Release: to.ID, Commit: to.Commit, Allowed: allowed}, nil
	}
	return a.start(KindRollback, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		return a.rollBack(ctx, op, r.Reason)
	})
}

// lastLook bounds the probe of the previous release before production goes to
// it: its recorded health may be as old as the probes are apart.
const lastLook = time.Second

func (a *App) rollBack(ctx context.Context, op *Operation, why string) (string, error) {
	s := a.state.Load()
	active, to := s.Active, s.Active.Other()
	if err := a.mayReturn(ctx, op, s.Slots[to].Release, op.about.Allowed); err != nil {
		return "", err
	}
	if a.healthOf(active).Status != Unhealthy { // otherwise nothing is lost by trying
		if err := a.lookAt(ctx, to); err != nil {
			return "", &Error{Code: CodeUnhealthy, What: fmt.Sprintf("the previous release on %s does not answer; production stays on %s", to, active), Err: err,
				Hint: "`bluegreen recover` starts what should run; `bluegreen health` probes both slots"}
		}
	}
	return a.moveBack(op, active, why)
}

// lookAt probes a slot before production goes to it.
func (a *App) lookAt(ctx context.Context, c Colour) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	return a.probe(ctx, c, a.state.Load().Slots[c].Port)
}

// rollbackStatus says whether production could move back now. Called with or
// without a.mu; what it looks at has locks of its own.
func (a *App) rollbackStatus(s *State) RollbackStatus {
	st := a.warmStatus(s)
	if !st.Ready {
		return st
	}
	to := s.Slots[s.Active.Other()].Release
	switch review, stops := a.back(to); {
	case stops != "":
		return RollbackStatus{Reason: cannotReturn(to, stops)}
	case review != "":
		st.Reason += "; needs review: " + review
	}
	return st
}

// warmStatus says so without the schema.
func (a *App) warmStatus(s *State) RollbackStatus {
	if s.Active == "" {
		return RollbackStatus{Reason: "nothing has been deployed yet"}
	}
	to := s.Active.Other()
	slot := s.Slots[to]
	if slot.State != Previous {
		return RollbackStatus{Reason: "no previous release is warm"}
	}
	switch h := a.healthOf(to); {
	case h.Status == Unhealthy:
		return RollbackStatus{Reason: fmt.Sprintf("%s on %s is unhealthy: %s", describe(slot.Release), to, h.Error)}
	case h.Status == Unknown && h.CheckedAt != nil:
		return RollbackStatus{Reason: fmt.Sprintf("%s on %s does not answer yet: %s", describe(slot.Release), to, h.Error)}
	case h.Status == Unknown:
		return RollbackStatus{Reason: fmt.Sprintf("%s on %s has not been probed yet", describe(slot.Release), to)}
	}
	return RollbackStatus{Ready: true, Reason: "until the next deploy or cleanup"}
}

// moveBack takes production from the failed slot to the other one, in the
// order save, swap, probe, internal, and leaves draining and stopping to the
// background. When the previous release does not answer either, nothing is
// stopped and the healthier slot keeps production.
func (a *App) moveBack(op *Operation, failed Colour, why string) (string, error) {
	to := failed.Other()
	a.beginVigil(op)
	told := op.enter("swap")
	err := a.step(op, "back", func(s *State) {
		if s.Operation == nil {
			s.Operation = op.journal()
		}
		s.Operation.Step = "back"
		s.Bake = nil
		s.Active, s.Internal = to, to
		s.set(to, func(slot *Slot) { slot.State = Active })
		s.set(failed, func(slot *Slot) { slot.State = Failed })
	})
	if err != nil {
		return "", err
	}
	a.callOffDrain(to)
	a.repoint(Production)
	op.vigil.move()
	told("production leads to %s again", to)
	return a.proveBack(op, to, why)
}

// proveBack is the second half of a rollback, and where one resumes after a
// crash.
func (a *App) proveBack(op *Operation, to Colour, why string) (string, error) {
	failed := to.Other()
	told := op.enter("probe")
	ctx := context.WithoutCancel(op.ctx)
	if err := a.provePublic(ctx, to); err != nil {
		return "", a.neitherAnswers(ctx, op, to, err)
	}
	told("production answers on %s", to)
	a.repoint(Internal)
	a.endVigil(op)
	if b := a.backend(failed); b != nil {
		op.enter("drain")
		op.say("%s drains (%s) and is then stopped, its logs are kept", failed, inFlight(b))
	}
	a.retire(failed)
	a.tellRolledBack(op.acts(), a.state.Load(), to, why)
	a.endTroubles(failed)
	text := fmt.Sprintf("production is back on %s with %s", to, describe(a.state.Load().Slots[to].Release))
	if why != "" {
		text += ": " + why
	}
	return text, nil
}

// retire drains a failed slot in the background and then stops its instance.
func (a *App) retire(failed Colour) {
	instance := a.state.Load().Slots[failed].Instance
	a.drainBehind(failed, a.limits(), func(ctx context.Context) {
		if err := a.settings.Load().Runtime.Stop(ctx, instance); err != nil {
			a.log.Warn("stopping the failed instance", "instance", instance, "error", err)
			a.leaveUnswept()
			a.wakeSweep()
			return
		}
		a.log.Info("stopped the failed instance", "instance", instance)
	})
}

// neitherAnswers ends a rollback whose target is dead too. Production goes to
// whichever slot answers when asked directly; with none it stays where it is.
// Nothing is stopped, so that whatever recovers first can serve.
func (a *App) neitherAnswers(ctx context.Context, op *Operation, to Colour, cause error) error {
	other := to.Other()
	keep := to
	if a.answers(ctx, other) && !a.answers(ctx, to) {
		keep = other
	}
	err := a.step(op, "stay", func(s *State) {
		s.Operation.Step = "stay"
		s.Active, s.Internal = keep, keep
		s.set(keep, func(slot *Slot) { slot.State = Active })
		s.set(keep.Other(), func(slot *Slot) { slot.State = Previous })
	})
	if err != nil {
		return err
	}
	a.repoint(Production, Internal)
	a.endVigil(op)
	a.leaveUnswept() // one of them may have to be started again
	a.wakeSweep()
	a.setAlert("neither release answers as it should: production is on %s, nothing was stopped", keep)
	hint := "look at what both depend on (database, network, disk); `bluegreen health` probes both slots"
	if err := a.askDatabase(ctx); err != nil {
		hint = fmt.Sprintf("the database does not answer either (%v): that comes first", err)
	}
	return &Error{Code: CodeUnhealthy,
		What: fmt.Sprintf("the previous release does not answer either; production is on %s, nothing was stopped", keep), Err: cause,
		Hint: hint}
}

func (a *App) answers(ctx context.Context, c Colour) bool {
	return a.probe(ctx, c, a.state.Load().Slots[c].Port) == nil
}

// rollBackBake is the automatic rollback. An operator may have ended this very
// bake a moment ago, and then it is not the edge's business any more.
// Without a verdict it is because the release is unhealthy.
func (a *App) rollBackBake(began time.Time, why string, v *Verdict) error {
	allow := func(s *State) (Journal, error) {
		recovered := v == nil && a.healthOf(s.Active).Status != Unhealthy
		if s.Bake == nil || !s.Bake.Began.Equal(began) || recovered || !a.rollbackStatus(s).Ready {
			return Journal{}, refuse("", "the bake is over, or the release has recovered")
		}
		to := s.Slots[s.Active.Other()].Release
		return Journal{Reason: why, Colour: s.Active.Other(), Release: to.ID, Commit: to.Commit, Verdict: v}, nil
	}
	_, err := a.start(KindRollback, Self, allow, func(_ context.Context, op *Operation) (string, error) {
		return a.moveBack(op, a.state.Load().Active, why)
	})
	return err
}

// guardBake is asked after every round of probes. While a bake runs, a new
// release that has become unhealthy is rolled back; a bake that has run its
// time is over once a probe says that the release is well.
func (a *App) guardBake() {
	s := a.state.Load()
	active := s.Active
	if active == "" {
		return
	}
	h := a.healthOf(active)
	condemned := a.condemned(s.Bake)
	if h.Status == Healthy && !condemned {
		a.setAlert("")
	}
	if s.Bake == nil || s.attended() {
		return
	}
	over := time.Now().After(a.bakeUntil(s.Bake)) && h.Status == Healthy && h.Failures == 0 && !condemned
	if (over || h.Status == Unhealthy || a.out()) && a.atFault(a.ctx) {
		return // what it does tells nothing of the release
	}
	release, previous := s.Slots[active].Release, s.Slots[active.Other()].Release
	switch {
	case h.Status == Unhealthy && a.rollbackStatus(s).Ready:
		if a.lookAt(a.ctx, active.Other()) != nil {
			return // what both depend on may have failed: its own probes tell
		}
		if unfit := a.unfitNow(a.ctx, previous); unfit != "" {
			a.setAlert("%s is unhealthy on %s and cannot be rolled back: %s", describe(release), active, cannotReturn(previous, unfit))
			return
		}
		why := fmt.Sprintf("%s became unhealthy in the bake: %s", describe(release), h.Error)
		if err := a.rollBackBake(s.Bake.Began, why, nil); err != nil {
			a.log.Warn("automatic rollback", "reason", why, "error", err) // asked again after the next probes
		}
	case h.Status == Unhealthy:
		a.setAlert("%s is unhealthy on %s and cannot be rolled back: %s", describe(release), active, a.rollbackStatus(s).Reason)
	case over:
		if _, err := a.Confirm(Self); err != nil {
			a.log.Debug("the bake is over", "error", err) // asked again after the next probes
		}
	}
}
