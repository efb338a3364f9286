package switcher

import (
	"errors"
	"testing"
	"time"
)

// one expects a single notice of some kinds since the last time.
func (l *lab) one(kinds ...NoticeKind) Notice {
	l.t.Helper()
	got := l.noticed(kinds...)
	if len(got) != 1 {
		l.t.Fatalf("%d notices of %v: %+v", len(got), kinds, got)
	}
	n := got[0]
	if n.App != "app" || n.Time.IsZero() || n.Release == nil {
		l.t.Errorf("notice without app, time or release: %+v", n)
	}
	return n
}

var events = []NoticeKind{NoticeReady, NoticeDeployFailed, NoticeSwitched, NoticeRolledBack}

func TestTheTeamHearsOfEveryStepInTheLifeOfARelease(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		if n := l.one(events...); n.Kind != NoticeSwitched || n.Colour != Blue || n.Release.Commit != "a" || n.Previous != nil {
			l.t.Errorf("first release: %+v", n)
		}
		l.deploy("b")
		if n := l.one(events...); n.Kind != NoticeReady || n.Colour != Green || n.Release.Commit != "b" ||
			n.Subject != "https://internal.app.test" || n.Actor != "maria@host" {
			l.t.Errorf("ready: %+v", n)
		}
		l.must(l.app.Switch("juan@host", SwitchRequest{}))
		if n := l.one(events...); n.Kind != NoticeSwitched || n.Colour != Green || n.Release.Commit != "b" ||
			n.Previous.Commit != "a" || n.Actor != "juan@host" {
			l.t.Errorf("switched: %+v", n)
		}
		l.must(l.app.Rollback("maria@host", RollbackRequest{Reason: "messages arrive twice"}))
		if n := l.one(events...); n.Kind != NoticeRolledBack || n.Colour != Blue || n.Release.Commit != "a" ||
			n.Previous.Commit != "b" || n.Actor != "maria@host" || n.Cause != "messages arrive twice" {
			l.t.Errorf("rolled back: %+v", n)
		}
		op, err := l.app.Deploy("ci", DeployRequest{Commit: "unknown"})
		l.fails(CodeFailed, op, err)
		if n := l.one(events...); n.Kind != NoticeDeployFailed || n.Release.Commit != "unknown" || n.Cause == "" || n.Actor != "ci" {
			l.t.Errorf("deploy failed: %+v", n)
		}
	})
}

func TestAReleaseThatIsGivenUpIsNoFailure(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.setSick("b", errors.New("answered 500"))
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			l.t.Fatal(err)
		}
		l.later(5 * time.Second)
		l.noticed()
		l.must(l.app.Discard("maria@host"))
		if err := op.Wait(l.t.Context()); !errors.Is(err, ErrDiscarded) {
			l.t.Fatal(err)
		}
		if got := l.noticed(append(events, NoticeUnhealthy)...); len(got) != 0 {
			l.t.Errorf("notices = %+v", got)
		}
	})
}

func TestAnAutomaticRollbackIsTheEdgesAndSaysWhy(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.noticed()
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(4 * time.Second)
		got := l.noticed(NoticeUnhealthy, NoticeRolledBack)
		if len(got) != 3 {
			l.t.Fatalf("notices = %+v", got)
		}
		sick, back, over := got[0], got[1], got[2]
		if sick.Kind != NoticeUnhealthy || sick.Colour != Green || sick.Over || sick.Cause != "answered 500" || sick.Release.Commit != "b" {
			l.t.Errorf("unhealthy: %+v", sick)
		}
		if back.Kind != NoticeRolledBack || back.Actor != Self || back.Cause == "" || back.Release.Commit != "a" {
			l.t.Errorf("rolled back: %+v", back)
		}
		if over.Key() != sick.Key() || !over.Over {
			l.t.Errorf("the trouble is not over: %+v", over)
		}
	})
}

func TestASwitchThatFailsItsProbeIsARollbackByTheEdge(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.noticed()
		l.app.probes.Public = failOn(l.app.probes.Public, Green)
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		l.fails(CodeUnhealthy, op, err)
		if n := l.one(events...); n.Kind != NoticeRolledBack || n.Actor != Self || n.Operation != op.ID {
			l.t.Errorf("%+v", n)
		}
	})
}

func TestARecoveryOfHealthEndsTheTrouble(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.noticed()
		l.bench.setSick("a", errors.New("answered 500"))
		l.later(time.Minute)
		if n := l.one(NoticeUnhealthy); n.Over || n.Colour != Blue {
			l.t.Errorf("%+v", n)
		}
		l.bench.setSick("a", nil)
		l.later(time.Minute)
		if n := l.one(NoticeUnhealthy); !n.Over || n.Colour != Blue {
			l.t.Errorf("%+v", n)
		}
		l.later(time.Hour)
		if got := l.noticed(NoticeUnhealthy); len(got) != 0 {
			l.t.Errorf("notices = %+v", got)
		}
	})
}

func TestTheEndOfATroubleIsToldAlsoAfterARestartOfTheEdge(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.bench.setSick("a", errors.New("answered 500"))
		l.later(time.Minute)
		l.stop()
		l.bench.setSick("a", nil)
		l.noticed()
		l.start(nil)
		l.later(time.Minute)
		over := map[NoticeKey]int{}
		for _, n := range l.noticed(NoticeUnhealthy, NoticeStuck) {
			if !n.Over {
				l.t.Errorf("%+v", n)
			}
			over[n.Key()]++
		}
		for _, key := range []NoticeKey{{Kind: NoticeUnhealthy, App: "app", Colour: Blue}, {Kind: NoticeStuck, App: "app"}} {
			if over[key] != 1 {
				l.t.Errorf("%+v is told to be over %d times", key, over[key])
			}
		}
	})
}

func TestASlotThatIsUnhealthyWhenTheEdgeStartsIsTold(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.stop()
		l.bench.setSick("b", errors.New("answered 500"))
		l.noticed()
		l.start(nil)
		l.later(time.Minute)
		var told []Notice
		for _, n := range l.noticed(NoticeUnhealthy) {
			if n.Colour == Green {
				told = append(told, n)
			}
		}
		if len(told) != 1 || told[0].Over || told[0].Cause != "answered 500" {
			l.t.Errorf("of green the team hears %+v", told)
		}
	})
}

func TestWhatNeedsAPersonIsToldAndItsEndToo(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.bench.setSick("a", errors.New("answered 500"))
		l.bench.setSick("b", errors.New("answered 500"))
		l.noticed()
		op, err := l.app.Switch("maria@host", SwitchRequest{Force: "try it"})
		l.fails(CodeUnhealthy, op, err)
		if n := l.one(NoticeStuck); n.Over || n.Cause != l.app.Status().Alert {
			l.t.Errorf("%+v", n)
		}
		l.bench.setSick("a", nil)
		l.bench.setSick("b", nil)
		l.later(time.Minute)
		if n := l.one(NoticeStuck); !n.Over || l.app.Status().Alert != "" {
			l.t.Errorf("%+v, alert %q", n, l.app.Status().Alert)
		}
	})
}

// The recovery that would have told it has to make room.
func TestAnOutcomeIsToldAlsoWhenARollbackOvertakesItsRecovery(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		for _, c := range l.crashes(func(a *App) (*Operation, error) { return a.Switch("maria@host", SwitchRequest{}) }) {
			if c.point != "switch/swap/after" {
				continue
			}
			c.bench.stuck = make(chan struct{})
			next := &lab{t: l.t, dir: c.dir, bench: c.bench}
			next.start(nil)
			left := next.app.state.Load().Operation
			op := next.must(next.app.Rollback("juan@host", RollbackRequest{}))
			got := next.noticed(events...)
			if len(got) != 2 || got[0].Kind != NoticeSwitched || got[0].Operation != left.ID || got[0].Actor != "maria@host" ||
				got[1].Kind != NoticeRolledBack || got[1].Operation != op.ID || got[1].Actor != "juan@host" {
				l.t.Errorf("the team hears %+v", got)
			}
			c.bench.mu.Lock()
			close(c.bench.stuck)
			c.bench.stuck = nil
			c.bench.mu.Unlock()
			next.later(time.Minute)
			if again := next.noticed(events...); len(again) != 0 {
				l.t.Errorf("and again %+v", again)
			}
			next.stop()
			return
		}
		l.t.Error("no switch was cut short after its write")
	})
}
