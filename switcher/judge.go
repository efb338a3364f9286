package switcher

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// judgeEvery is how often the figures of a release in its bake are looked at.
const judgeEvery = 500 * time.Millisecond

// judged is the last verdict on the release of one bake.
type judged struct {
	began   time.Time // the bake
	deaths  deaths    // before it
	verdict Verdict
}

// baseline asks what is to be remembered of the release that production is
// about to leave.
func (a *App) baseline(from Colour, release *Release, bake time.Duration) json.RawMessage {
	if a.judge.Baseline == nil || bake == 0 {
		return nil
	}
	return a.judge.Baseline(from, release)
}

// watchFigures asks for a verdict while there is a bake, until ctx ends.
func (a *App) watchFigures(ctx context.Context) error {
	if a.judge.Verdict == nil {
		return nil
	}
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s := a.state.Load(); s.Bake != nil && !s.attended() && !a.out() {
				a.judgeBake(ctx, s)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// judgeBake asks for a verdict and acts on a bad one at once. What the previous
// release says when it is asked comes first: nothing is won by moving production
// to one that does not answer.
func (a *App) judgeBake(ctx context.Context, s *State) {
	slot, h := s.Slots[s.Active], a.healthOf(s.Active)
	before := a.deathsBefore(s.Bake)
	v := a.judge.Verdict(Trial{
		Colour: s.Active, Release: slot.Release, Instance: slot.Instance,
		Began: s.Bake.Began, Since: a.judgedSince(s.Bake), Until: a.bakeUntil(s.Bake), Baseline: s.Bake.Baseline,
		Healthy: h.Status == Healthy && h.Failures == 0, Deaths: a.deaths().of(s.Active, before),
	})
	if v.Outcome == Bad && a.atFault(ctx) {
		return // the figures are of the database
	}
	a.mu.Lock()
	a.judged = &judged{s.Bake.Began, before, v}
	a.mu.Unlock()
	if v.Outcome != Bad {
		return
	}
	ready := a.rollbackStatus(s)
	if !ready.Ready {
		a.setAlert("the figures speak against %s on %s, and it cannot be rolled back: %s", describe(slot.Release), s.Active, ready.Reason)
		return
	}
	if a.lookAt(ctx, s.Active.Other()) != nil {
		return // its own probes tell when it does not come back
	}
	previous := s.Slots[s.Active.Other()].Release
	if unfit := a.unfitNow(ctx, previous); unfit != "" {
		a.setAlert("the figures speak against %s on %s, and it cannot be rolled back: %s", describe(slot.Release), s.Active, cannotReturn(previous, unfit))
		return
	}
	why := fmt.Sprintf("the figures speak against %s: %s", describe(slot.Release), v.reasons(Bad))
	if err := a.rollBackBake(s.Bake.Began, why, &v); err != nil {
		a.log.Warn("automatic rollback", "reason", why, "error", err) // tried again at the next look
	}
}

// deaths counts those that were seen in each slot.
type deaths map[Colour]int

func (a *App) deaths() deaths {
	d := deaths{}
	for _, c := range Colours() {
		d[c] = a.tracker(c).deathsSeen()
	}
	return d
}

// of counts those of a slot since before, without those that the other slot
// has had as well: when the engine restarts, every instance dies.
func (d deaths) of(c Colour, before deaths) int {
	since := func(c Colour) int { return max(0, d[c]-before[c]) }
	return max(0, since(c)-since(c.Other()))
}

// deathsBefore returns those before the first look at a bake.
func (a *App) deathsBefore(b *Bake) deaths {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.judged != nil && a.judged.began.Equal(b.Began) {
		return a.judged.deaths
	}
	return a.deaths()
}

// judgedSince is what figures of a bake are about: its beginning, or a later
// start of the edge, which remembers none, or the end of an outage of the
// database, for which no release is to blame.
func (a *App) judgedSince(b *Bake) time.Time {
	return later(later(a.opened, b.Began), a.lastOutage())
}

// verdictOn returns the last verdict of a bake; nil when there is none.
func (a *App) verdictOn(b *Bake) *Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b == nil || a.judged == nil || !a.judged.began.Equal(b.Began) {
		return nil
	}
	v := a.judged.verdict
	return &v
}

// condemned reports whether figures speak against the release of a bake.
func (a *App) condemned(b *Bake) bool {
	v := a.verdictOn(b)
	return v != nil && v.Outcome == Bad
}

func (a *App) bakeStatus(s *State) *BakeStatus {
	return &BakeStatus{
		Release: s.Slots[s.Active].Release.ID, Began: s.Bake.Began, Until: a.bakeUntil(s.Bake),
		Since: a.judgedSince(s.Bake), Verdict: a.verdictOn(s.Bake),
	}
}
