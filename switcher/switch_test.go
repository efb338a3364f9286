package switcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSwitchComparesWithWhatTheCallerExpects(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		for name, r := range map[string]SwitchRequest{
			"another active slot":     {ExpectActive: Green},
			"another release by id":   {ExpectRelease: "r1"},
			"another release by name": {ExpectRelease: "a"},
		} {
			op, err := l.app.Switch("maria@host", r)
			t.Log(name, l.fails(CodeRefused, op, err))
		}
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
		l.must(l.app.Switch("maria@host", SwitchRequest{ExpectActive: Blue, ExpectRelease: "b"}))
	})
}

func TestSwitchIsRefusedWithoutAReleaseInTest(t *testing.T) {
	inLab(t, func(l *lab) {
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		l.fails(CodeRefused, op, err)
		l.deploy("a")
		op, err = l.app.Switch("maria@host", SwitchRequest{})
		l.fails(CodeRefused, op, err)
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		op, err = l.app.Switch("maria@host", SwitchRequest{})
		l.fails(CodeRefused, op, err)
	})
}

func TestTheHealthGateRefusesASickReleaseUnlessForced(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.bench.setSick("b", errors.New("answered 500"))
		plan, err := l.app.Plan(l.t.Context(), SwitchRequest{})
		if err != nil || plan.Possible || plan.Gates[0].OK {
			t.Errorf("plan = %+v, %v: want it impossible", plan, err)
		}
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		if err := l.fails(CodeRefused, op, err); !strings.Contains(err.Error(), "answered 500") {
			t.Errorf("refusal %q does not say why", err)
		}
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
		op, err = l.app.Switch("maria@host", SwitchRequest{Force: "the health check is wrong"})
		l.fails(CodeUnhealthy, op, err) // the gate is overridden, the probe is not
		synctest.Wait()
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestAFailedProbeAfterTheSwapMovesProductionBackAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.app.probes.Public = failOn(l.app.probes.Public, Green)
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		if err := l.fails(CodeUnhealthy, op, err); !strings.Contains(err.Error(), "production is back on blue") {
			t.Errorf("error %q does not say where production is", err)
		}
		synctest.Wait()
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		if got := l.bench.running(); len(got) != 1 {
			t.Errorf("running = %v, want the failed one stopped", got)
		}
		if got := l.bench.ids(); len(got) != 2 {
			t.Errorf("instances = %v, want the failed one kept for its logs", got)
		}
	})
}

func TestAnUnreachableListenerIsNotHeldAgainstTheRelease(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.app.probes.Public = listenerDown
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
	})
}

func TestAReleaseThatTurnsUnhealthyInTheBakeIsRolledBack(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(20 * time.Second)
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(2 * time.Second)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green}) // not yet three failures
		l.later(2 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		h := l.app.History()
		last := h[len(h)-1]
		if last.Kind != KindRollback || last.Actor != Self || !strings.Contains(last.Reason, "answered 500") {
			t.Errorf("last record = %+v", last)
		}
	})
}

func TestWhenBothReleasesAreSickNothingIsStoppedAndNothingFlaps(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.bench.setSick("a", errors.New("database is down"))
		l.bench.setSick("b", errors.New("database is down"))
		l.later(time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if got := l.bench.running(); len(got) != 2 {
			t.Errorf("running = %v, want both", got)
		}
		if alert := l.app.Status().Alert; !strings.Contains(alert, "cannot be rolled back") {
			t.Errorf("alert = %q", alert)
		}
		l.bench.setSick("b", nil)
		l.later(10 * time.Second)
		if alert := l.app.Status().Alert; alert != "" {
			t.Errorf("alert %q outlives its cause", alert)
		}
	})
}

func TestARollbackToADeadReleaseLeavesProductionOnTheHealthierSlot(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(time.Second)
		l.bench.setSick("a", errors.New("answered 500")) // the probes have not seen it yet
		op, err := l.app.Rollback("maria@host", RollbackRequest{})
		l.fails(CodeUnhealthy, op, err)
		if got := l.shape(); got.Production != Green || got.Blue != Previous {
			t.Errorf("status = %+v, want production to stay on green", got)
		}
		if got := l.bench.running(); len(got) != 2 {
			t.Errorf("running = %v, want both", got)
		}
	})
}

func TestTheEndOfTheBakeEndsOnlyTheWatch(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(11 * time.Minute)
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
		if r := l.app.Status().Rollback; !r.Ready {
			t.Errorf("rollback = %+v, want it ready", r)
		}
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
	})
}

// Invariant 6: status always says whether a rollback is possible and why not.
func TestStatusSaysWhetherARollbackIsPossible(t *testing.T) {
	inLab(t, func(l *lab) {
		expect := func(ready bool, reason string) {
			t.Helper()
			if r := l.app.Status().Rollback; r.Ready != ready || !strings.Contains(r.Reason, reason) {
				t.Errorf("rollback = %+v, want ready %v, reason with %q", r, ready, reason)
			}
		}
		expect(false, "nothing has been deployed")
		l.deploy("a")
		expect(false, "no previous release is warm")
		l.deploy("b")
		expect(false, "no previous release is warm")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(time.Second)
		expect(true, "until the next deploy or cleanup")
		l.bench.setSick("a", errors.New("answered 500"))
		l.later(5 * time.Second)
		expect(false, "unhealthy: answered 500")
		op, err := l.app.Rollback("maria@host", RollbackRequest{})
		l.fails(CodeRefused, op, err)
	})
}

func TestARollbackDoesNotWaitForAStuckRuntime(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(time.Second)
		l.bench.mu.Lock()
		l.bench.stuck = make(chan struct{})
		l.bench.mu.Unlock()
		began := time.Now()
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		if took := time.Since(began); took > vigilWait {
			t.Errorf("the rollback waited %v for the runtime", took)
		}
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		close(l.bench.stuck)
		synctest.Wait()
		if got := l.bench.running(); len(got) != 1 {
			t.Errorf("running = %v, want the failed one stopped", got)
		}
	})
}

func TestASwitchSaysHowLongItIsWatchedAsItWasAsked(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		public := l.app.probes.Public
		l.app.probes.Public = func(ctx context.Context, host, path string) (string, error) {
			time.Sleep(80 * time.Millisecond)
			return public(ctx, host, path)
		}
		bake := 5 * time.Second
		l.must(l.app.Switch("maria@host", SwitchRequest{Bake: &bake}))
		h := l.app.History()
		if r := h[len(h)-1]; !strings.HasSuffix(r.Result, ", watched for 5s") {
			l.t.Errorf("it says %q", r.Result)
		}
	})
}
