package switcher

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// told returns the history's records of a kind.
func (l *lab) told(kind Kind) (records []Record) {
	for _, r := range l.app.History() {
		if r.Kind == kind {
			records = append(records, r)
		}
	}
	return records
}

func (l *lab) answered(a Answer, err error) Answer {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("refused: %v", err)
	}
	return a
}

func (l *lab) pause(most time.Duration) Answer {
	l.t.Helper()
	return l.answered(l.app.Pause("maria@host", PauseRequest{Max: most}))
}

func (l *lab) holdOf(name RouteName) *proxy.Hold { return l.app.Service(name).Route().Hold }

func TestAPauseHoldsProductionThroughASwitchUntilResume(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		a := l.pause(time.Minute)
		held := l.holdOf(Production)
		if !a.Changed || held == nil || l.holdOf(Internal) != nil {
			t.Fatalf("%+v: production holds %v, internal %v", a, held, l.holdOf(Internal))
		}
		st := l.app.Status().Pause
		if st == nil || st.By != "maria@host" || time.Until(st.Until) != time.Minute {
			t.Errorf("status = %+v", st)
		}
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		if l.holdOf(Production) != held {
			t.Error("the switch has let go what is held")
		}
		l.app.Apply(l.settings())
		if l.holdOf(Production) != held {
			t.Error("the reload has let go what is held")
		}
		l.later(time.Until(st.Since.Add(3 * time.Second)))
		a = l.answered(l.app.Resume("pedro@host"))
		if !a.Changed || l.holdOf(Production) != nil || l.app.Status().Pause != nil {
			t.Errorf("%+v: production holds %v", a, l.holdOf(Production))
		}
		if resumed := l.told(KindResume); len(l.told(KindPause)) != 1 || len(resumed) != 1 || resumed[0].Actor != "pedro@host" || !strings.Contains(resumed[0].Result, "after 3s; held: 0 requests") {
			t.Errorf("history = %+v", l.app.History())
		}
	})
}

func TestAForgottenPauseEndsByItself(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.answered(l.app.Pause("maria@host", PauseRequest{}))
		l.later(PauseDefault - time.Second)
		if l.holdOf(Production) == nil {
			t.Fatal("it has ended too early")
		}
		l.later(time.Second)
		if l.holdOf(Production) != nil || l.app.Status().Pause != nil {
			t.Error("it goes on")
		}
		if r := l.told(KindResume); len(r) != 1 || r[0].Actor != Self {
			t.Errorf("history = %+v", r)
		}
	})
}

func TestASecondPauseMovesTheEndAndSaysSinceWhen(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.pause(time.Minute)
		held := l.holdOf(Production)
		l.later(50 * time.Second)
		if a := l.pause(time.Minute); a.Changed || !strings.Contains(a.Text, "already, since ") || !strings.Contains(a.Text, "by maria@host") {
			t.Errorf("answer = %+v", a)
		}
		l.later(50 * time.Second)
		if l.holdOf(Production) != held {
			t.Error("what waits was let go at the first end")
		}
		l.later(10 * time.Second)
		if l.holdOf(Production) != nil {
			t.Error("it goes on beyond the second end")
		}
	})
}

func TestResumeWithoutAPauseChangesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		if a := l.answered(l.app.Resume("maria@host")); a.Changed || a.Text != "production is not paused" || len(l.app.History()) != 0 {
			t.Errorf("%+v, history %+v", a, l.app.History())
		}
	})
}

func TestAPauseIsBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		for _, most := range []time.Duration{-time.Second, PauseLimit + 1} {
			if _, err := l.app.Pause("maria@host", PauseRequest{Max: most}); CodeOf(err) != CodeUsage {
				t.Errorf("%v: %v", most, err)
			}
		}
		l.pause(PauseLimit)
	})
}

// Who pauses does so because of what an operation does.
func TestAPauseNeitherWaitsForAnOperationNorStopsOne(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.stuck = make(chan struct{})
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.pause(time.Minute)
		l.answered(l.app.Resume("maria@host"))
		l.pause(time.Minute)
		close(l.bench.stuck)
		l.must(op, nil)
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
	})
}

func TestNothingIsHeldAfterTheEdgeHasStopped(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.pause(time.Minute)
		service := l.app.Service(Production)
		l.stop()
		if service.Route().Hold != nil {
			t.Error("the app has ended and its service holds on")
		}
		l.start(nil)
		if l.holdOf(Production) != nil || l.app.Status().Pause != nil {
			t.Error("the next start holds requests")
		}
		l.later(2 * time.Minute)
		if r := l.told(KindResume); len(r) != 0 {
			t.Errorf("a pause of another process was ended: %+v", r)
		}
	})
}

func TestAnAppThatIsOutOfServiceCannotBePaused(t *testing.T) {
	inLab(t, func(l *lab) {
		l.stop()
		if _, err := l.app.Pause("maria@host", PauseRequest{}); CodeOf(err) != CodeUnreachable {
			t.Errorf("after the end of the app: %v", err)
		}
		l.start(nil)
	})
}
