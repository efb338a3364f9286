package switcher

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// figures is a Judge whose verdict a test decides.
type figures struct {
	mu     sync.Mutex
	says   Verdict
	trials []Trial
}

func (f *figures) judge() Judge {
	return Judge{
		Baseline: func(_ Colour, r *Release) json.RawMessage { return json.RawMessage(`{"of":"` + r.Commit + `"}`) },
		Verdict: func(t Trial) Verdict {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.trials = append(f.trials, t)
			return f.says
		},
	}
}

func (f *figures) say(o Outcome, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = Verdict{Outcome: o, Findings: []Finding{{Rule: "error_rate", Outcome: o, Text: text}}}
}

// last is the trial that the judge was asked about last.
func (f *figures) last() Trial {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trials[len(f.trials)-1]
}

// asked is how often it was.
func (f *figures) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.trials)
}

// judgedLab is a lab with a release b in its bake, of which the figures say
// nothing yet.
func judgedLab(t *testing.T, test func(*lab, *figures)) {
	t.Helper()
	inLab(t, func(l *lab) {
		f := &figures{}
		f.say(Undecided, "3 requests so far")
		l.judge = f.judge()
		l.stop()
		l.start(nil)
		l.switched()
		l.noticed()
		test(l, f)
	})
}

func TestFiguresThatSpeakAgainstAReleaseRollItBackWithinASecond(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		f.say(Bad, "9 of 10 requests failed")
		l.later(time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		h := l.app.History()
		if r := h[len(h)-1]; r.Kind != KindRollback || r.Actor != Self || !strings.Contains(r.Reason, "9 of 10 requests failed") {
			l.t.Errorf("the history says %+v", r)
		}
		n := l.one(NoticeRolledBack, NoticeVerdict)
		if n.Kind != NoticeRolledBack || n.Verdict == nil || n.Verdict.Findings[0].Text != "9 of 10 requests failed" || n.Previous.Commit != "b" {
			l.t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestTooLittleDataEndsABakeAndMovesNothing(t *testing.T) {
	judgedLab(t, func(l *lab, _ *figures) {
		l.later(10*time.Minute + 2*time.Second)
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
		n := l.one(NoticeRolledBack, NoticeVerdict)
		if n.Kind != NoticeVerdict || n.Verdict == nil || n.Verdict.Outcome != Undecided || !strings.Contains(n.Cause, "undecided, for want of data: 3 requests so far") {
			l.t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestTheEndOfABakeIsToldWithItsVerdict(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		f.say(Good, "1 of 10,000 requests failed")
		l.later(time.Second)
		if b := l.app.Status().Bake; b.Verdict == nil || b.Verdict.Outcome != Good || !b.Since.Equal(b.Began) {
			l.t.Errorf("status = %+v", b)
		}
		l.later(10 * time.Minute)
		if n := l.one(NoticeVerdict); n.Verdict == nil || n.Verdict.Outcome != Good || n.Actor != Self || n.Release.Commit != "b" {
			l.t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestAVerdictDoesNotMoveProductionToADeadRelease(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		l.bench.setSick("a", errors.New("connection refused"))
		f.say(Bad, "9 of 10 requests failed")
		route := l.app.Service(Production).Route()
		l.later(time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if l.app.Service(Production).Route() != route || len(l.bench.running()) != 2 {
			l.t.Error("production was moved, or something was stopped")
		}
		if n := l.one(NoticeStuck); n.Over || !strings.Contains(n.Cause, "figures speak against r2 (b)") || n.Cause != l.app.Status().Alert {
			l.t.Errorf("the team hears of %+v, the status of %q", n, l.app.Status().Alert)
		}
		l.later(10 * time.Minute) // past the end of the bake, which has not ended as good
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		l.bench.setSick("a", nil)
		l.later(time.Minute)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestWhatIsKnownOfThePreviousReleaseSurvivesARestartOfTheEdge(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		before := f.last()
		l.later(time.Minute)
		l.stop()
		l.start(nil)
		l.later(5 * time.Second)
		after := f.last()
		var kept struct{ Of string }
		if err := json.Unmarshal(after.Baseline, &kept); err != nil || kept.Of != "a" {
			l.t.Errorf("baseline = %s, %v; before %s", after.Baseline, err, before.Baseline)
		}
		if !after.Began.Equal(before.Began) || !after.Until.Equal(before.Until) || !after.Since.After(before.Since.Add(time.Minute-time.Second)) {
			l.t.Errorf("trial = %+v, before %+v", after, before)
		}
		if b := l.app.Status().Bake; !b.Since.Equal(after.Since) {
			l.t.Errorf("the status does not say since when: %+v", b)
		}
	})
}

func TestNobodyJudgesAReleaseThatWasConfirmed(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		l.must(l.app.Confirm("maria@host"))
		if n := l.one(NoticeVerdict); n.Actor != "maria@host" || !strings.Contains(n.Cause, "as good, because maria@host says so") {
			l.t.Errorf("the team hears of %+v", n)
		}
		f.say(Bad, "9 of 10 requests failed")
		l.later(time.Minute)
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
	})
}

// condemn rolls back as a bad verdict does.
func condemn(a *App) (*Operation, error) {
	v := Verdict{Outcome: Bad, Findings: []Finding{{Rule: "error_rate", Outcome: Bad, Text: "9 of 10 requests failed"}}}
	if err := a.rollBackBake(a.state.Load().Bake.Began, v.reasons(Bad), &v); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.op != nil {
		return a.op, nil
	}
	return a.ended[len(a.ended)-1], nil
}

func TestAVerdictThatWasCutShortIsStillToldWithItsFigures(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		walked := l.crashes(condemn)
		i := slices.IndexFunc(walked, func(c crash) bool { return c.point == "rollback/back/after" })
		if i < 0 {
			l.t.Fatalf("no rollback among %+v", walked)
		}
		next := &lab{t: l.t, dir: walked[i].dir, bench: walked[i].bench}
		next.start(nil)
		defer next.stop()
		next.later(time.Minute)
		if n := next.one(NoticeRolledBack); n.Verdict == nil || n.Verdict.Findings[0].Text != "9 of 10 requests failed" {
			l.t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestTheJudgeHearsOfDeathsInTheBake(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		before := f.last().Deaths
		l.dies(Green, Incident{ExitCode: 137, OOM: true})
		l.later(time.Second)
		if got := f.last().Deaths; got != before+1 {
			l.t.Errorf("%d deaths, want one more than %d", got, before)
		}
	})
}

func TestDeathsThatBothReleasesShareAreNotHeldAgainstTheNewOne(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		for _, step := range []struct {
			dies []Colour
			want int
		}{
			{[]Colour{Blue, Green}, 0}, // with the engine
			{[]Colour{Green}, 1},
			{[]Colour{Blue, Blue}, 0},
			{[]Colour{Green, Green, Green}, 2},
		} {
			for _, c := range step.dies {
				l.dies(c, Incident{ExitCode: 137})
			}
			l.later(time.Second)
			if got := f.last().Deaths; got != step.want {
				l.t.Errorf("after the deaths of %v the judge hears of %d, want %d", step.dies, got, step.want)
			}
		}
	})
}

func TestDeathsBeforeABakeAreNotPartOfIt(t *testing.T) {
	inLab(t, func(l *lab) {
		f := &figures{}
		f.say(Undecided, "3 requests so far")
		l.judge = f.judge()
		l.stop()
		l.start(nil)
		l.deploy("a")
		l.deploy("b")
		for range 3 {
			l.dies(Blue, Incident{ExitCode: 1})
		}
		l.later(time.Minute)
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(time.Second)
		l.dies(Green, Incident{ExitCode: 1})
		l.later(time.Second)
		if got := f.last().Deaths; got != 1 {
			l.t.Errorf("the judge hears of %d deaths, want 1", got)
		}
	})
}

func TestADeployThatABakeRefusesSaysWhatIsTrue(t *testing.T) {
	judgedLab(t, func(l *lab, f *figures) {
		refused := func(says string) {
			l.t.Helper()
			op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
			err = l.fails(CodeRefused, op, err)
			if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "-") {
				l.t.Errorf("it says %q, want %q", err, says)
			}
		}
		refused("would take away the way back")
		l.bench.setSick("a", errors.New("connection refused"))
		f.say(Bad, "9 of 10 requests failed")
		l.later(time.Minute)
		refused("there is no way back now: r1 (a) on blue is unhealthy")
		l.later(10 * time.Minute)
		refused("is up, but it has not ended as good, and there is no way back")
		l.must(l.app.Confirm("maria@host"))
		l.deploy("c")
	})
}
