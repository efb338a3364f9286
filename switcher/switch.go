package switcher

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Switch moves production to the release in test, after every gate has
// passed, and begins the bake. It ends after the probe through the public
// listener; the old slot drains in the background and stays warm.
func (a *App) Switch(actor Actor, r SwitchRequest) (*Operation, error) {
	allowed, err := a.accepted(r.Allow, r.Reason)
	if err != nil {
		return nil, err
	}
	allow := func(s *State) (Journal, error) {
		if err := switchable(s, r); err != nil {
			return Journal{}, err
		}
		to := s.Active.Other()
		release := s.Slots[to].Release
		return Journal{Reason: r.Force, Colour: to, Release: release.ID, Commit: release.Commit, Allowed: allowed}, nil
	}
	return a.start(KindSwitch, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		return a.switchOver(ctx, op, r)
	})
}

// switchable says whether the state and the caller's expectations allow a
// switch at all.
func switchable(s *State, r SwitchRequest) error {
	if r.ExpectActive != "" && r.ExpectActive != s.Active {
		return refuse("somebody else has switched, deployed or rolled back: look at `bluegreen status` again",
			"%s is active, not %s as expected", orNone(s.Active), r.ExpectActive)
	}
	if s.Active == "" {
		return refuse("`bluegreen deploy COMMIT` makes the first release active at once", "nothing has been deployed yet")
	}
	slot := s.Slots[s.Active.Other()]
	switch {
	case s.Bake != nil:
		return refuse("`bluegreen confirm` ends the bake, `bluegreen rollback` goes back", "the last switch is still baking")
	case slot.State == Previous:
		return refuse("`bluegreen rollback` moves production back to it; `bluegreen deploy COMMIT` brings a new release",
			"%s holds the previous release, none is in test", s.Active.Other())
	case slot.State != Testing:
		return refuse("`bluegreen deploy COMMIT` brings one", "no release is in test: %s is %s", s.Active.Other(), slot.State)
	case r.ExpectRelease != "" && r.ExpectRelease != slot.Release.ID && r.ExpectRelease != slot.Release.Commit:
		return refuse("another release was deployed meanwhile: test that one first",
			"%s is in test, not %s as expected", describe(slot.Release), r.ExpectRelease)
	}
	return nil
}

func orNone(c Colour) string {
	if c == "" {
		return "no slot"
	}
	return string(c)
}

// Plan tells what a switch would do now and changes nothing.
func (a *App) Plan(ctx context.Context, r SwitchRequest) (Plan, error) {
	if err := a.outOfService(); err != nil {
		return Plan{}, err
	}
	if err := a.Busy(); err != nil {
		return Plan{}, err
	}
	allowed, err := a.accepted(r.Allow, r.Reason)
	if err != nil {
		return Plan{}, err
	}
	s, settings := a.state.Load(), a.settings.Load()
	if err := switchable(s, r); err != nil {
		return Plan{}, err
	}
	ctx = context.WithoutCancel(ctx) // a caller who leaves must not fail the gates
	from, to := s.Active, s.Active.Other()
	p := Plan{
		From: from, To: to, Release: s.Slots[to].Release, Possible: true,
		Drain: settings.Drain.Websockets + settings.Drain.Spread, Bake: bakeFor(settings, r),
		Gates: a.passGates(ctx, to, r.Force, allowed),
	}
	if b := a.backend(from); b != nil {
		p.InFlight, p.Upgraded = b.InFlight(), b.Upgraded()
	}
	for _, g := range p.Gates {
		p.Possible = p.Possible && (g.OK || g.Overridden)
	}
	return p, nil
}

func bakeFor(s *Settings, r SwitchRequest) time.Duration {
	if r.Bake != nil {
		return max(0, *r.Bake)
	}
	return s.Bake
}

func (a *App) switchOver(ctx context.Context, op *Operation, r SwitchRequest) (string, error) {
	s, settings := a.state.Load(), a.settings.Load()
	from, to := s.Active, s.Active.Other()
	release := s.Slots[to].Release

	told := op.enter("gates")
	if err := a.passed(ctx, op, to, r.Force); err != nil {
		return "", err
	}
	told("every gate lets %s pass", describe(release))
	a.noteWayBack(ctx, op, s.Slots[from].Release)

	// From here on the switch has happened, whatever else does: a crash after
	// this write comes back on the new slot and goes on with the probe.
	a.beginVigil(op)
	told = op.enter("swap")
	bake := bakeFor(settings, r)
	baseline := a.baseline(from, s.Slots[from].Release, bake)
	err := a.step(op, "swap", func(s *State) {
		now := time.Now()
		s.Operation = op.journal()
		s.Active, s.Internal = to, to
		s.set(to, func(slot *Slot) { slot.State = Active })
		s.set(from, func(slot *Slot) { slot.State = Previous })
		if bake > 0 {
			s.Bake = &Bake{Began: now, Until: now.Add(bake), Baseline: baseline}
		}
	})
	if err != nil {
		return "", err
	}
	a.repoint(Production, Internal)
	op.vigil.move()
	told("production now leads to %s", to)
	return a.proveSwitch(op, to)
}

// proveSwitch probes the new active slot through the public listener and goes
// back if it does not answer. It is also where a switch resumes after a crash.
func (a *App) proveSwitch(op *Operation, to Colour) (string, error) {
	from := to.Other()
	told := op.enter("probe")
	// Going back must not depend on who is still waiting.
	ctx := context.WithoutCancel(op.ctx)
	if err := a.provePublic(ctx, to); err != nil {
		why := fmt.Sprintf("production did not answer on %s after the switch: %v", to, err)
		if stay := a.staySwitched(ctx, op, to, why); stay != nil {
			return "", stay
		}
		text, back := a.moveBack(op, to, why)
		if back != nil {
			return "", back
		}
		return "", &Error{Code: CodeUnhealthy, What: why + "; " + text, Output: a.tail(a.state.Load().Slots[to].Instance),
			Hint: "the failed container is stopped and its logs are kept; fix the release and deploy again"}
	}
	told("production answers on %s", to)
	a.leaveBehind(op, from)
	return fmt.Sprintf("%s is live on %s%s", describe(a.state.Load().Slots[to].Release), to, a.bakeText()), nil
}

// leaveBehind ends a switch away from a slot, whose container stays.
func (a *App) leaveBehind(op *Operation, from Colour) {
	a.endVigil(op)
	limits := a.limits()
	limits.Requests = 0 // they may last
	a.drainBehind(from, limits, nil)
	a.tellSwitched(op.acts(), a.state.Load(), from.Other())
}

func (a *App) bakeText() string {
	if b := a.state.Load().Bake; b != nil {
		return fmt.Sprintf(", watched for %v", round(b.Until.Sub(b.Began)))
	}
	return ""
}

// provePublic asks production's health path through the public listener, a
// few times in quick succession: one lost packet is no verdict. When the
// listener itself cannot be asked, the backend is asked directly.
func (a *App) provePublic(ctx context.Context, want Colour) error {
	settings := a.settings.Load()
	ctx, cancel := context.WithTimeout(ctx, settings.Health.Timeout)
	defer cancel()
	var err error
	for range max(1, settings.Health.Fall) {
		if err = a.proveOnce(ctx, want, settings); err == nil {
			return nil
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	return err
}

func (a *App) proveOnce(ctx context.Context, want Colour, s *Settings) error {
	label, err := a.probes.Public(ctx, s.firstHost(), s.Health.Path)
	switch {
	case errors.Is(err, ErrListener):
		a.log.Warn("probing production", "error", err)
		return a.probe(ctx, want, a.state.Load().Slots[want].Port)
	case err != nil:
		return err
	case label != string(want):
		return fmt.Errorf("the answer came from %s", label)
	}
	return nil
}

// Confirm ends the bake early, as good. The previous container stays warm.
func (a *App) Confirm(actor Actor) (*Operation, error) {
	return a.start(KindConfirm, actor, confirmable, func(_ context.Context, op *Operation) (string, error) {
		return a.endBake(op)
	})
}

func confirmable(s *State) (Journal, error) {
	if s.Bake == nil {
		return Journal{}, refuse("`bluegreen status` shows the phase", "no bake is running: there is nothing to confirm")
	}
	release := s.Slots[s.Active].Release
	return Journal{Colour: s.Active, Release: release.ID, Commit: release.Commit}, nil
}

func (a *App) endBake(op *Operation) (string, error) {
	op.enter("confirm")
	s := a.state.Load()
	c, v := s.Active, a.verdictOn(s.Bake)
	err := a.step(op, "confirm", func(s *State) {
		s.Operation = op.journal()
		s.Operation.Verdict = v
		s.Bake = nil
	})
	if err != nil {
		op.silent = op.Actor == Self // tried again after the next probes
		return "", err
	}
	text := fmt.Sprintf("the bake of %s has ended %s", describe(s.Slots[c].Release), bakeEnd(op.Actor, v))
	op.about.Verdict = v
	a.tellVerdict(op.journal(), c, s.Slots[c].Release, text)
	return text + "; rollback stays ready until the next deploy or cleanup", nil
}

// bakeEnd says what a bake has ended as.
func bakeEnd(who Actor, v *Verdict) string {
	switch {
	case v == nil || v.Outcome == Good:
		return "as good"
	case who != Self:
		return fmt.Sprintf("as good, because %s says so; the figures were %s: %s", who, v.Outcome, v.reasons(v.Outcome))
	}
	return "undecided, for want of data: " + v.reasons(Undecided)
}
