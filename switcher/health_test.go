package switcher

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// atRest is a and b, of which b is live and not watched any more.
func (l *lab) atRest() {
	l.t.Helper()
	l.switched()
	l.must(l.app.Confirm("maria@host"))
	l.later(time.Minute)
}

func TestADeadSlotIsKnownWithinSecondsOfItsFirstFailure(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.bench.setSick("b", errors.New("connection refused"))
		for l.app.Status().Slots[Green].Health.Failures == 0 {
			l.later(100 * time.Millisecond)
		}
		l.bench.probes(Blue)
		l.bench.probes(Green)
		l.later(2100 * time.Millisecond)
		if h := l.app.Status().Slots[Green].Health; h.Status != Unhealthy {
			l.t.Errorf("health = %+v", h)
		}
		l.later(50 * time.Second)
		if n := l.bench.probes(Blue); n > 2 {
			l.t.Errorf("blue was probed %d times because green fails", n)
		}
		if n := l.bench.probes(Green); n < 45 {
			l.t.Errorf("green was probed %d times in the first minute", n)
		}
		l.bench.setSick("b", nil)
		l.later(2100 * time.Millisecond)
		if h := l.app.Status().Slots[Green].Health; h.Status != Healthy || h.LastError != "connection refused" {
			l.t.Errorf("health = %+v", h)
		}
	})
}

func TestFailuresOfAReleaseThatWasOnlyStartingAreNotTold(t *testing.T) {
	inLab(t, func(l *lab) {
		l.bench.setSick("a", errors.New("connection refused"))
		time.AfterFunc(5*time.Second, func() { l.bench.setSick("a", nil) })
		l.deploy("a")
		if h := l.app.Status().Slots[Blue].Health; h.Status != Healthy || h.FailedAt != nil || h.LastError != "" {
			l.t.Errorf("health = %+v", h)
		}
		if checks := l.app.HealthHistory()[Blue]; len(checks) == 0 || checks[0].OK {
			l.t.Errorf("history = %+v", checks)
		}
	})
}

func TestAnOutageThatLastsIsNotHammered(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(40 * time.Minute)
		l.bench.probes(Green)
		l.later(10 * time.Minute)
		if n := l.bench.probes(Green); n < 19 || n > 21 {
			l.t.Errorf("green was probed %d times in 10 minutes, want every 30 s", n)
		}
	})
}

func TestASlotThatHangsDoesNotDelayTheProbesOfTheOther(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched() // and probed every second
		l.bench.setHung("b")
		l.bench.probes(Blue)
		l.later(10 * time.Second)
		if n := l.bench.probes(Blue); n < 9 {
			l.t.Errorf("blue was probed %d times in 10 s", n)
		}
	})
}

func TestAFailedRequestHasTheSlotProbedAtOnceAndDecidesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.bench.probes(Blue)
		l.bench.probes(Green)
		recorder := l.app.Service(Production).Route().Recorder
		for _, f := range []proxy.Failure{proxy.FailureNone, proxy.FailureClientGone, proxy.FailureDrained, proxy.FailureDenied} {
			recorder.Request(proxy.Observation{Failure: f})
		}
		recorder.Request(proxy.Observation{Failure: proxy.FailureReset, Path: "/static/"})
		synctest.Wait()
		l.later(300 * time.Millisecond)
		if n := l.bench.probes(Green); n != 0 {
			l.t.Fatalf("green was probed %d times without a failure of its own", n)
		}
		for range 1000 { // in ten seconds
			recorder.Request(proxy.Observation{Failure: proxy.FailureTimeout})
			l.later(10 * time.Millisecond)
		}
		if n := l.bench.probes(Green); n < 30 || n > 41 {
			l.t.Errorf("green was probed %d times in 10 s of failing requests, want four a second", n)
		}
		if n := l.bench.probes(Blue); n > 1 {
			l.t.Errorf("blue was probed %d times", n)
		}
		if h := l.app.Status().Slots[Green].Health; h.Status != Healthy {
			l.t.Errorf("health = %+v by requests alone", h)
		}
	})
}

type ignorant struct{}

func (ignorant) Request(proxy.Observation)           {}
func (ignorant) UpgradeBegin(string)                 {}
func (ignorant) UpgradeEnd(proxy.UpgradeObservation) {}

func TestPassiveSignalsCostARequestNoAllocation(t *testing.T) {
	var r proxy.Recorder = &sentinel{newPace(), ignorant{}}
	for _, f := range []proxy.Failure{proxy.FailureNone, proxy.FailureDial} {
		if n := testing.AllocsPerRun(1000, func() { r.Request(proxy.Observation{Failure: f}) }); n != 0 {
			t.Errorf("%v: %v allocations", f, n)
		}
	}
}

func TestTheLastChecksOfASlotAreKept(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.later(2 * time.Minute)
		l.bench.setSick("a", errors.New("answered 500"))
		l.later(time.Second)
		checks := l.app.HealthHistory()[Blue]
		if len(checks) != healthKept {
			l.t.Fatalf("%d checks are kept", len(checks))
		}
		last, first := checks[len(checks)-1], checks[0]
		if last.OK || last.Error != "answered 500" || !first.OK || !last.Time.After(first.Time) {
			l.t.Errorf("first %+v, last %+v", first, last)
		}
	})
}
