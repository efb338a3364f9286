package switcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// switched brings an app to where b is live and a is the way back.
func (l *lab) switched() {
	l.t.Helper()
	l.deploy("a")
	l.deploy("b")
	l.must(l.app.Switch("maria@host", SwitchRequest{}))
	l.later(time.Second)
}

func TestAProbeThatItsCallerGaveUpCountsForNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.must(l.app.Confirm("maria@host"))
		l.app.probes.Backend = func(ctx context.Context, b proxy.BackendOptions, _, _ string) error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return l.bench.answer(b.Address)
		}
		gone, leave := context.WithCancel(l.t.Context())
		leave()
		for range 5 {
			l.app.CheckHealth(gone, Blue)
			l.app.probe(gone, Blue, 3001)
			l.later(time.Second)
		}
		if h := l.app.Status().Slots[Blue].Health; h.Status != Healthy {
			l.t.Errorf("health = %+v", h)
		}
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
	})
}

func TestOneHiccupSeenByManyProbesIsOneFailure(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.bench.setSick("b", errors.New("answered 500"))
		for range 10 {
			l.app.CheckHealth(l.t.Context(), Green)
		}
		if h := l.app.Status().Slots[Green].Health; h.Failures != 1 {
			l.t.Errorf("health = %+v, want one failure", h)
		}
	})
}

func TestABakeEndsAsGoodOnlyWithAGoodProbe(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.stop() // the edge is away when the bake runs out
		time.Sleep(11 * time.Minute)
		l.bench.setSick("b", errors.New("answered 500"))
		l.start(nil)
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		for _, r := range l.app.History() {
			if r.Kind == KindConfirm {
				l.t.Errorf("the bake was confirmed: %+v", r)
			}
		}
	})
}

func TestAFailureAtTheVeryEndOfTheBakeIsStillAFailure(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		time.Sleep(time.Until(l.app.Status().Bake.Until) - 200*time.Millisecond)
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestTheAutomaticRollbackRespectsAConfirmation(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		began := l.app.state.Load().Bake.Began
		l.must(l.app.Confirm("maria@host"))
		if err := l.app.rollBackBake(began, "too late", nil); CodeOf(err) != CodeRefused {
			l.t.Errorf("rollback of a confirmed release: %v", err)
		}
	})
}

// hold runs a drain that has something to wait for.
func (l *lab) hold(c Colour) *Operation {
	l.t.Helper()
	op, err := l.app.start(KindDrain, "juan@host", func(*State) (Journal, error) { return Journal{Colour: c}, nil },
		func(ctx context.Context, _ *Operation) (string, error) { return "", sleep(ctx, 5*time.Minute) })
	if err != nil {
		l.t.Fatal(err)
	}
	return op
}

func TestADrainIsAWaitThatEverythingElseEnds(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		drain := l.hold(Blue)
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(4 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		if err := drain.Wait(l.t.Context()); !errors.Is(err, ErrOvertaken) {
			l.t.Errorf("the drain ended with %v", err)
		}
	})
}

func TestADrainOfAnEmptySlotIsRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		op, err := l.app.Drain("maria@host", DrainRequest{})
		l.fails(CodeRefused, op, err)
	})
}

// rebooted starts the app on a machine where no container runs and one takes
// long to become healthy.
func (l *lab) rebooted(sick string) {
	l.t.Helper()
	l.stop()
	for _, id := range l.bench.ids() {
		l.bench.Stop(l.t.Context(), id)
	}
	for _, i := range l.bench.instances {
		i.kept = false
	}
	l.bench.setSick(sick, errors.New("waiting for the database"))
	l.start(nil)
	l.later(time.Second)
}

func TestOnlyARollbackOvertakesTheRepairOfProduction(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.must(l.app.Confirm("maria@host"))
		l.rebooted("b")
		op, err := l.app.Switch("ci", SwitchRequest{}) // refused, and disturbs nothing
		l.fails(CodeRefused, op, err)
		op, err = l.app.Deploy("ci", DeployRequest{Commit: "c"})
		if err := l.fails(CodeBusy, op, err); !strings.Contains(err.Error(), "recover by bluegreen") {
			l.t.Errorf("refusal = %q", err)
		}
		l.bench.setSick("b", nil)
		l.later(5 * time.Second)
		if got := l.bench.running(); len(got) != 2 {
			l.t.Errorf("running = %v, want both", got)
		}
		l.deploy("c")
	})
}

func TestAnInstanceBroughtBackIsKeptAlsoWhenItsHealthComesLate(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.rebooted("a")
		l.later(3 * time.Minute) // past the deadline for its health
		l.bench.setSick("a", nil)
		l.later(time.Minute)
		for id, i := range l.bench.instances {
			if !i.Running || !i.kept {
				l.t.Errorf("%s runs: %v, is kept: %v", id, i.Running, i.kept)
			}
		}
	})
}

func TestARecoveryThatDoesNotSucceedIsAnAlert(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.setNoStart(errors.New("port 3001 is taken by process 4711"))
		l.rebooted("")
		if alert := l.app.Status().Alert; !strings.Contains(alert, "port 3001 is taken by process 4711") {
			l.t.Errorf("alert = %q", alert)
		}
		l.bench.setNoStart(nil)
		l.later(time.Minute)
		if alert := l.app.Status().Alert; alert != "" {
			l.t.Errorf("alert %q outlives its cause", alert)
		}
	})
}

func TestADeployClearsWhatAnAbortedOneLeftInItsSlot(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.app.mu.Lock()
		l.bench.Start(l.t.Context(), Spec{Instance: "stray", Colour: Green, Port: 3002})
		l.app.mu.Unlock()
		l.deploy("b")
		if got := l.bench.ids(); len(got) != 2 {
			l.t.Errorf("instances = %v, want two", got)
		}
	})
}

func TestAPublishedStateNeverChanges(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.app.probes.Public = failOn(l.app.probes.Public, Green)
		l.app.fail = func(point string) {
			if s := l.app.state.Load(); point == "switch/back/before" && s.Operation.Step != "swap" {
				l.t.Errorf("the journal says %q before that is on disk", s.Operation.Step)
			}
		}
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		l.fails(CodeUnhealthy, op, err)
	})
}

func TestARollbackLooksOnceMoreBeforeItMoves(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		route := l.app.Service(Production).Route()
		l.bench.setSick("a", errors.New("connection refused"))
		op, err := l.app.Rollback("maria@host", RollbackRequest{})
		if err := l.fails(CodeUnhealthy, op, err); !strings.Contains(err.Error(), "production stays on green") {
			l.t.Errorf("error = %q", err)
		}
		if l.app.Service(Production).Route() != route {
			l.t.Error("production was moved there and back")
		}
	})
}

func TestWhileAConfigurationIsAppliedNoOperationBegins(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		release, err := l.app.Hold()
		if err != nil {
			l.t.Fatal(err)
		}
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		l.fails(CodeBusy, op, err)
		release()
		l.deploy("b")
	})
}

func TestAFirstReleaseNeedsMoreThanThePermissionToTest(t *testing.T) {
	inLab(t, func(l *lab) {
		op, err := l.app.Deploy("ci", DeployRequest{Commit: "a", ForTests: true})
		l.fails(CodeForbidden, op, err)
		l.deploy("a")
		l.must(l.app.Deploy("ci", DeployRequest{Commit: "b", ForTests: true}))
	})
}

func TestAStrangerOnAReleasesPortGetsNoTraffic(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.setNoStart(refuse("", "port 3001 is taken by process 4711"))
		l.app.probes.Backend = func(context.Context, proxy.BackendOptions, string, string) error { return nil } // the stranger answers
		l.rebooted("")
		if b := l.app.Service(Production).Route().Backend; b != nil {
			l.t.Errorf("production leads to %s", b.Address())
		}
		if h := l.app.Status().Slots[Blue].Health; h.Status == Healthy {
			l.t.Errorf("health = %+v, of somebody else", h)
		}
		l.bench.setNoStart(nil)
		l.later(time.Minute)
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
		if l.app.Service(Production).Route().Backend == nil {
			l.t.Error("production is not led back to the release")
		}
	})
}

func TestAnInstanceThatIsGoneIsBroughtBack(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		for _, id := range l.bench.ids() {
			l.bench.Stop(l.t.Context(), id) // the engine was restarted
		}
		l.later(3 * time.Minute)
		if got := l.bench.running(); len(got) != 1 {
			l.t.Errorf("running = %v, want the active one", got)
		}
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
	})
}

// A failed release drains in the background, without a lock; the look at what
// runs that its failure brings about must not take the matter over.
func TestARecoveryLeavesADrainThatGoesOnAlone(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.bench.mu.Lock()
		l.bench.stuck = make(chan struct{}) // the stop after the drain takes its time
		l.bench.mu.Unlock()
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(5 * time.Second)
		close(l.bench.stuck)
		l.bench.mu.Lock()
		l.bench.stuck = nil
		l.bench.mu.Unlock()
		l.later(time.Minute)
		h := l.app.History()
		if last := h[len(h)-1]; last.Kind != KindRollback {
			l.t.Errorf("after the rollback the history says %+v", last)
		}
		if got := l.bench.running(); len(got) != 1 {
			l.t.Errorf("running = %v, want the failed one stopped", got)
		}
	})
}
