package switcher

import (
	"cmp"
	"time"
)

// about begins a notice about a slot and what it holds.
func (a *App) about(kind NoticeKind, c Colour) Notice {
	return Notice{Kind: kind, Time: time.Now(), App: a.name, Colour: c, Release: a.state.Load().Slots[c].Release}
}

// told is an event that was told: what kind of which operation.
type told struct {
	operation string
	kind      NoticeKind
}

// tell tells an event that an operation has come to. One that an earlier
// process had begun is told under its own name, and once, although a recovery
// may have to resume it more than once.
func (a *App) tell(j *Journal, n Notice) {
	n.Operation, n.Actor = j.ID, cmp.Or(n.Actor, j.Actor)
	this := told{j.ID, n.Kind}
	a.telling.Lock()
	defer a.telling.Unlock()
	if a.lastTold == this {
		return
	}
	a.lastTold = this
	a.notify(n)
}

// acts is the operation whose outcome this one brings about: itself, or the
// one of an earlier process that it resumes.
func (o *Operation) acts() *Journal {
	if o.resumes != nil {
		return o.resumes
	}
	return o.journal()
}

// tellDeployed tells that a deploy has succeeded. The first release of an app
// is live at once.
func (a *App) tellDeployed(j *Journal, s *State) {
	if s.Active == j.Colour {
		n := a.about(NoticeSwitched, j.Colour)
		n.Release, n.Cause = s.Slots[j.Colour].Release, "it is the first release of the app"
		a.tell(j, n)
		return
	}
	n := a.about(NoticeReady, j.Colour)
	n.Release = s.Slots[j.Colour].Release
	if hosts := a.settings.Load().Hosts[Internal]; len(hosts) > 0 {
		n.Subject = a.origin(hosts[0])
	}
	a.tell(j, n)
}

// tellNotDeployed tells that a deploy has failed. A release that gave up its
// slot again is not in the state any more.
func (a *App) tellNotDeployed(j *Journal, release *Release, why string) {
	n := a.about(NoticeDeployFailed, j.Colour)
	n.Release, n.Cause = release, why
	a.tell(j, n)
}

// tellSwitched tells that production has moved to slot to of s.
func (a *App) tellSwitched(j *Journal, s *State, to Colour) {
	n := a.about(NoticeSwitched, to)
	n.Release, n.Previous, n.Cause = s.Slots[to].Release, s.Slots[to.Other()].Release, j.Reason
	a.tell(j, n)
}

// tellRolledBack tells that production has moved back to slot to of s. Unless
// an operator asked for it, the edge did it.
func (a *App) tellRolledBack(j *Journal, s *State, to Colour, why string) {
	n := a.about(NoticeRolledBack, to)
	n.Release, n.Previous, n.Cause, n.Verdict = s.Slots[to].Release, s.Slots[to.Other()].Release, why, j.Verdict
	if j.Kind != KindRollback {
		n.Actor = Self
	}
	a.tell(j, n)
}

// tellVerdict tells how the bake of a release has ended.
func (a *App) tellVerdict(j *Journal, c Colour, release *Release, text string) {
	n := a.about(NoticeVerdict, c)
	n.Release, n.Cause, n.Verdict = release, text, j.Verdict
	a.tell(j, n)
}

// tellReached tells what an operation that nobody resumes had come to.
func (a *App) tellReached(j *Journal, s *State, result string) {
	switch {
	case j.Kind == KindDeploy && j.Step == "route":
		a.tellDeployed(j, s)
	case j.Kind == KindDeploy:
		a.tellNotDeployed(j, &Release{ID: j.Release, Commit: j.Commit}, result)
	case j.Kind == KindSwitch && j.Step == "swap":
		a.tellSwitched(j, s, s.Active)
	case j.Kind == KindConfirm && j.Step == "confirm":
		a.tellVerdict(j, j.Colour, s.Slots[j.Colour].Release, "the bake has ended "+bakeEnd(j.Actor, j.Verdict))
	case j.Kind == KindRollback && j.Step == "back":
		a.tellRolledBack(j, s, s.Active, j.Reason)
	case j.Step == "back":
		a.tellRolledBack(j, s, s.Active, result)
	}
}
