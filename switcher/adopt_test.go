package switcher

import (
	"strings"
	"testing"
	"time"
)

// loseState starts the app anew, with what runs and nothing recorded.
func (l *lab) loseState(named Colour) {
	l.t.Helper()
	l.stop()
	l.dir = l.t.TempDir()
	l.named = named
	l.start(nil)
	l.later(time.Second)
}

func TestTheOnlyInstanceThatRunsIsAdoptedAsActive(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Confirm("maria@host"))
		l.must(l.app.Cleanup("maria@host"))
		l.loseState("")
		l.want(shape{PhaseSteady, Empty, Active, Green, Green})
		if r := l.app.Status().Slots[Green].Release; r.ID != "r2" || r.Commit != "b" {
			l.t.Errorf("release = %+v", r)
		}
		l.deploy("c")
		if r := l.app.Status().Slots[Blue].Release; r.ID != "r3" {
			l.t.Errorf("the next release is %s: ids must not be used twice", r.ID)
		}
	})
}

func TestOfTwoInstancesTheNamedOneIsActiveAndTheOtherInTest(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.loseState(Green)
		l.want(shape{PhaseTesting, Testing, Active, Green, Blue})
	})
}

func TestTwoInstancesWithNothingToTellThemApartAreNotTouched(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.loseState("")
		if got := l.bench.running(); len(got) != 2 {
			l.t.Errorf("running = %v, want both untouched", got)
		}
		op, err := l.app.Recover("maria@host")
		if err := l.fails(CodeRefused, op, err); !strings.Contains(err.Error(), "which one is active") {
			l.t.Errorf("refusal = %q", err)
		}
		if alert := l.app.Status().Alert; !strings.Contains(alert, "which one is active") {
			l.t.Errorf("alert = %q", alert)
		}
	})
}
