package switcher

import (
	"context"
	"errors"
	"slices"
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

func TestARefusedDeployDoesNotStandInTheWayOfAnAdoption(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		was := l.bench.running()
		l.stop()
		l.dir = l.t.TempDir()
		l.bench.stuck = make(chan struct{}) // nothing can be adopted yet
		l.start(nil)
		op, err := l.app.start(KindDeploy, "ci", func(*State) (Journal, error) { return Journal{}, nil },
			func(context.Context, *Operation) (string, error) { return "", errors.New("the name is taken") })
		if err == nil {
			err = op.Wait(l.t.Context())
		}
		l.t.Log(err)
		close(l.bench.stuck)
		l.later(time.Minute)
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
		if got := l.bench.running(); !slices.Equal(got, was) {
			l.t.Errorf("running = %v, want %v", got, was)
		}
	})
}

func TestWhatAFailedFirstDeployLeftIsNotAdopted(t *testing.T) {
	inLab(t, func(l *lab) {
		l.bench.dying["a"] = 1
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "a"})
		l.fails(CodeFailed, op, err)
		l.must(l.app.Discard("maria@host"))
		id := l.app.History()[0].ID
		l.bench.Start(l.t.Context(), Spec{Instance: "app-blue-r1-" + id[:6], Colour: Blue, Port: 3001})
		l.must(l.app.Recover("maria@host"))
		l.want(shape{PhaseEmpty, Empty, Empty, "", ""})
		if got := l.bench.ids(); len(got) != 0 {
			l.t.Errorf("instances = %v, want none", got)
		}
	})
}
