package switcher

import (
	"context"
	"fmt"
	"strings"
)

// Database starts an operation of a database kind. Which release's commands it
// runs follows from the kind: of a plan the one that is named, or else in test;
// of a contract the active one; of a down the one whose migrations are undone,
// which is the one that is named, or else has failed or was given up since the
// active one was deployed, or else the active one.
func (a *App) Database(actor Actor, kind Kind, r DatabaseRequest) (*Operation, error) {
	if !kind.OfDatabase() {
		return nil, &Error{Code: CodeUsage, What: fmt.Sprintf("%q is no operation on a database", kind)}
	}
	if a.settings.Load().Database == nil {
		return nil, NoDatabase()
	}
	allowed, err := allowance(r.Allow, r.Reason)
	if err != nil {
		return nil, err
	}
	named := r.Commit != "" || r.Image != ""
	if named && kind != KindPlan && kind != KindDown {
		return nil, &Error{Code: CodeUsage, What: fmt.Sprintf("%s is about no release that could be named", kind)}
	}
	var image string
	if named {
		if image, err = a.reference(DeployRequest{Commit: r.Commit, Image: r.Image}); err != nil {
			return nil, err
		}
	}
	allow := func(s *State) (Journal, error) {
		about := Journal{Reason: r.Reason, Commit: r.Commit, Allowed: allowed}
		if err := permitDatabase(s, kind); err != nil || named {
			return about, err
		}
		release, err := releaseFor(s, kind)
		if err == nil && release != nil {
			about.Release, about.Commit = release.ID, release.Commit
		}
		return about, err
	}
	return a.start(kind, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		release, err := releaseFor(a.state.Load(), kind)
		if named {
			release, err = a.fetchNamed(ctx, op, r.Commit, image)
		}
		if err != nil {
			return "", err
		}
		return a.workOnDatabase(ctx, op, release, r)
	})
}

// NoDatabase refuses what is about the database of an app that has none.
func NoDatabase() *Error {
	return &Error{Code: CodeUsage, What: "the app has no database in the configuration", Hint: "`database:` in the app's part of the configuration names it"}
}

// permitDatabase refuses what would take the way back, or the ground, from a
// release that is being tried. A restore is allowed in every phase, for a lost
// database waits for none.
func permitDatabase(s *State, kind Kind) error {
	if kind != KindContract && kind != KindDown {
		return nil
	}
	switch inactive := s.Slots[s.inactive(Blue)]; {
	case s.Active == "":
		return refuse("`bluegreen deploy COMMIT` brings the first release", "nothing has been deployed yet")
	case s.Bake != nil:
		return refuse("`bluegreen confirm` ends the bake, `bluegreen rollback` goes back", "the last switch is still baking: %s would take away the way back", kind)
	case inactive.State == Testing:
		return refuse("`bluegreen switch` makes it live, `bluegreen discard` gives it up", "%s is in test on this schema", describe(inactive.Release))
	}
	return nil
}

// releaseFor is the release whose commands an operation runs that names none;
// nil: it runs none.
func releaseFor(s *State, kind Kind) (*Release, error) {
	active, inactive := s.Slots[s.Active].Release, s.Slots[s.inactive(Blue)]
	switch kind {
	case KindPlan:
		if s.Active != "" && inactive.State == Testing {
			return inactive.Release, nil
		}
		return nil, &Error{Code: CodeUsage, What: "which release? no commit, tag or image was named, and none is in test", Hint: "`bluegreen db plan COMMIT`"}
	case KindContract:
		return active, nil
	case KindDown:
		if inactive.State == Failed {
			return inactive.Release, nil
		}
		if n := len(s.Releases); n > 0 && active != nil && s.Releases[n-1].DeployedAt.After(active.DeployedAt) {
			newest := s.Releases[n-1]
			return &newest, nil
		}
		return active, nil
	}
	return nil, nil
}

// planned is the id of a release that is only planned.
const planned = "plan"

// fetchNamed brings a release here that no slot holds.
func (a *App) fetchNamed(ctx context.Context, op *Operation, commit, image string) (*Release, error) {
	for _, known := range a.state.Load().Releases {
		if op.Kind == KindDown && known.Image == image && known.Commit == commit {
			return &known, nil
		}
	}
	told := op.enter("pull")
	artifact, err := a.settings.Load().Runtime.Fetch(ctx, image, op.progress)
	if err != nil {
		return nil, err
	}
	told("image %s is here: %s", image, short(artifact.ID))
	return &Release{
		ID: planned, Commit: commit, Image: image, ImageID: artifact.ID, Digest: artifact.Digest,
		DeployedAt: op.Began, DeployedBy: string(op.Actor),
	}, nil
}

// workOnDatabase is the body of an operation of a database kind. What may leave
// something half done is in the journal from its beginning.
func (a *App) workOnDatabase(ctx context.Context, op *Operation, release *Release, r DatabaseRequest) (string, error) {
	db := a.settings.Load().Database
	if db == nil { // taken out of the configuration meanwhile
		return "", NoDatabase()
	}
	if !op.looks() {
		if err := a.step(op, "begin", func(s *State) { s.Operation = op.journal() }); err != nil {
			return "", err
		}
	}
	work, done := a.databaseWork(op, release, r)
	defer done()
	return db.Do(ctx, op.Kind, work)
}

// databaseWork is what an operation lends to the database. done takes back what
// of it was not given back.
func (a *App) databaseWork(op *Operation, release *Release, r DatabaseRequest) (work DatabaseWork, done func()) {
	s := a.state.Load()
	work = DatabaseWork{
		Teller: telling{a, op}, Operation: op.ID, Actor: op.Actor, Release: release, Active: s.Slots[s.Active].Release,
		Request: r, Freeze: a.freeze, Hold: a.holdBoth,
	}
	if back := s.Slots[s.Active.Other()]; back.State == Previous {
		work.Previous = back.Release
	}
	return work, func() {
		a.freeze(false)
		a.releaseBoth()
	}
}

// telling is how a Database tells what it does.
type telling struct {
	app *App
	op  *Operation
}

func (t telling) Enter(step string) (told func(format string, args ...any)) { return t.op.enter(step) }
func (t telling) Say(format string, args ...any)                            { t.op.say(format, args...) }
func (t telling) Warn(format string, args ...any)                           { t.op.warn(format, args...) }
func (t telling) Progress(p Progress)                                       { t.op.progress(p) }

// Mark makes the step the operation's in the journal. A recovery leaves there
// what it has to end.
func (t telling) Mark(step string) error {
	return t.app.step(t.op, markPrefix+step, func(s *State) {
		if t.op.Kind != KindRecover && (s.Operation == nil || s.Operation.ID != t.op.ID) {
			s.Operation = t.op.journal()
		}
	})
}

// markPrefix keeps the steps of a Database apart from the switcher's own.
const markPrefix = "database/"

// allowance is what a request accepts; nil: nothing.
func allowance(findings []string, reason string) (*Allowance, error) {
	if len(findings) == 0 {
		return nil, nil
	}
	for _, id := range findings {
		code, rest, found := strings.Cut(id, ":")
		object, plan := cutLast(rest, "@")
		if !found || code == "" || object == "" || plan == "" {
			return nil, &Error{Code: CodeUsage, What: fmt.Sprintf("%q is not the id of a finding", id),
				Hint: "an id is CODE:OBJECT@PLAN, as what refuses says it: each finding is accepted by itself, in one plan"}
		}
	}
	if strings.TrimSpace(reason) == "" {
		return nil, &Error{Code: CodeUsage, What: "a finding is accepted only with a reason", Hint: "say why with --reason TEXT"}
	}
	return &Allowance{Findings: findings, Reason: reason}, nil
}

// cutLast cuts s at the last sep; without one there is no after.
func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}
