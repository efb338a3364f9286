package verdict

import (
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// usual is a previous release of which 0.1 % failed.
func usual() Baseline {
	return Baseline{Traffic: Traffic{Requests: 100_000, Errors: 100, Duration: durations(100_000, 40*time.Millisecond)}}
}

// durations are n, all in the bucket that ends there.
func durations(n int64, at time.Duration) Histogram {
	return Histogram{{Lower: at * 9 / 10, Upper: at, Count: n}}
}

func sample(at time.Duration, requests, errors int64) Sample {
	return Sample{At: at, Traffic: Traffic{Requests: requests, Errors: errors, Duration: durations(requests, 40*time.Millisecond)}, Healthy: true}
}

func find(t *testing.T, v switcher.Verdict, rule string) switcher.Finding {
	t.Helper()
	for _, f := range v.Findings {
		if f.Rule == rule {
			return f
		}
	}
	t.Fatalf("no finding of %s in %+v", rule, v)
	return switcher.Finding{}
}

func TestAFindingSaysItsFigures(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	v := w.Look(sample(4*time.Second, 188, 9))
	f := find(t, v, RuleErrorRateRelative)
	if v.Outcome != switcher.Bad || f.Outcome != switcher.Bad || f.Text != "9 of 188 requests (4.8 %) failed, against 0.10 % of 100,000 on the previous release" {
		t.Errorf("found %+v", f)
	}
	if f.Samples != 188 || f.Against != 100_000 || f.Limit != 0.001 || f.Evidence < 1/chanceErrorRateRelative {
		t.Errorf("found %+v", f)
	}
}

func TestAReleaseThatTurnsBadIsToldByWhatItIsNow(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	for s := range 100 {
		w.Look(sample(time.Duration(s)*time.Second, int64(100*s), int64(s/10)))
	}
	v := w.Look(sample(101*time.Second, 10_100, 40))
	f := find(t, v, RuleErrorRateRelative)
	if v.Outcome != switcher.Bad || !strings.HasPrefix(f.Text, "31 of 200 requests in the last 2 s (16 %) failed,") {
		t.Errorf("found %+v", f)
	}
	if f.Measured < 0.05 {
		t.Errorf("measured %v, the good time before is in it", f.Measured)
	}
}

func TestTooFewRequestsAreNeverBad(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	for at := time.Duration(0); at <= bake; at += time.Minute {
		v := w.Look(sample(at, int64(at/time.Minute), int64(at/time.Minute))) // all of ten fail
		if v.Outcome != switcher.Undecided {
			t.Fatalf("after %v: %+v", at, v)
		}
	}
}

func TestNothingIsComparedWithNothing(t *testing.T) {
	w := Begin(defaults(), Baseline{}, bake)
	v := w.Look(sample(time.Minute, 6000, 120))
	if f := find(t, v, RuleErrorRateRelative); v.Outcome != switcher.Undecided || f.Outcome != switcher.Undecided {
		t.Errorf("2 %% errors against nothing: %+v", v)
	}
	v = w.Look(sample(2*time.Minute, 12_000, 3000))
	if f := find(t, v, RuleErrorRate); v.Outcome != switcher.Bad || f.Outcome != switcher.Bad {
		t.Errorf("25 %% errors are below a limit of 5 %%: %+v", v)
	}
}

func TestASmallRiseIsNeverBad(t *testing.T) {
	w := Begin(defaults(), Baseline{Traffic: Traffic{Requests: 10_000_000, Errors: 10_000, Duration: durations(10_000_000, 40*time.Millisecond)}}, bake)
	for s := int64(1); s <= 600; s++ {
		v := w.Look(sample(time.Duration(s)*time.Second, 10_000*s, 12*s))
		if v.Outcome == switcher.Bad {
			t.Fatalf("0.12 %% instead of 0.10 %% is bad after %d s: %+v", s, v)
		}
	}
}

func TestAGoodReleaseIsCalledGood(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	var v switcher.Verdict
	for s := int64(1); s <= 60; s++ {
		v = w.Look(sample(time.Duration(s)*time.Second, 100*s, s/10))
	}
	if v.Outcome != switcher.Good {
		t.Errorf("verdict = %+v", v)
	}
}

func TestRestartsAreCounted(t *testing.T) {
	rules := defaults()
	rules.Restarts = 2
	w := Begin(rules, usual(), bake)
	s := sample(time.Second, 10, 0)
	for restarts, want := range []switcher.Outcome{switcher.Good, switcher.Good, switcher.Bad} {
		s.Restarts = restarts
		if f := find(t, w.Look(s), RuleRestarts); f.Outcome != want {
			t.Errorf("%d restarts: %+v", restarts, f)
		}
	}
}

func TestAFailingProbeAloneIsNotBad(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	s := sample(time.Second, 10, 0)
	s.Healthy = false
	if f := find(t, w.Look(s), RuleHealth); f.Outcome != switcher.Undecided {
		t.Errorf("found %+v", f)
	}
}

func TestRulesThatAreOffSayNothing(t *testing.T) {
	w := Begin(Rules{}, usual(), bake)
	if v := w.Look(sample(time.Minute, 1000, 1000)); v.Outcome != switcher.Good || len(v.Findings) != 1 {
		t.Errorf("verdict = %+v", v)
	}
}

// slowly is a sample of which all took that long.
func slowly(at time.Duration, took ...time.Duration) Sample {
	s := Sample{At: at, Healthy: true}
	for _, d := range took {
		s.Requests += 1000
		s.Duration = append(s.Duration, durations(1000, d)...)
	}
	return s
}

func TestSlownessMustLast(t *testing.T) {
	const fast, slow = 40 * time.Millisecond, 90 * time.Millisecond
	w := Begin(defaults(), usual(), bake)
	if v := w.Look(slowly(30*time.Second, slow)); v.Outcome == switcher.Bad {
		t.Errorf("half a minute after the switch: %+v", v)
	}
	v := w.Look(Sample{At: time.Minute, Healthy: true, Traffic: Traffic{Requests: 2000, Duration: durations(2000, slow)}})
	f := find(t, v, RuleLatencyRelative)
	if f.Outcome != switcher.Bad || f.Samples != 1000 || f.Evidence != 1 {
		t.Errorf("after a minute: %+v", f)
	}
	w = Begin(defaults(), usual(), bake)
	w.Look(slowly(30*time.Second, slow))
	v = w.Look(slowly(time.Minute, fast, slow))
	if f := find(t, v, RuleLatencyRelative); f.Outcome != switcher.Good {
		t.Errorf("a slow beginning counts for ever: %+v", f)
	}
}

func TestADifferenceThatNobodyFeelsIsNotSlow(t *testing.T) {
	previous := Baseline{Traffic: Traffic{Requests: 100_000, Duration: durations(100_000, time.Millisecond)}}
	w := Begin(defaults(), previous, bake)
	for i := range int64(10) {
		s := Sample{At: time.Duration(i) * 30 * time.Second, Healthy: true}
		s.Requests, s.Duration = 1000*i, durations(1000*i, 3*time.Millisecond)
		if v := w.Look(s); v.Outcome == switcher.Bad {
			t.Fatalf("3 ms instead of 1: %+v", v)
		}
	}
}

func TestP99IsALimitOfItsOwn(t *testing.T) {
	rules := Rules{MinRequests: 20, P99: time.Second}
	w := Begin(rules, Baseline{}, bake)
	for i := int64(1); i <= 20; i++ {
		s := Sample{At: time.Duration(i) * time.Second, Healthy: true}
		s.Requests = 1000 * i
		s.Duration = Histogram{{0, time.Second, 992 * i}, {time.Second, 2 * time.Second, 8 * i}}
		if v := w.Look(s); v.Outcome == switcher.Bad {
			t.Fatalf("0.8 %% above the limit: %+v", v)
		}
	}
	w = Begin(rules, Baseline{}, bake)
	s := Sample{At: time.Second, Healthy: true}
	s.Requests, s.Duration = 1000, Histogram{{0, time.Second, 940}, {time.Second, 2 * time.Second, 60}}
	if f := find(t, w.Look(s), RuleP99); f.Outcome != switcher.Bad {
		t.Errorf("6 %% above the limit: %+v", f)
	}
	w = Begin(rules, Baseline{}, bake)
	s.Requests = 20_000 // most of which are WebSockets
	if f := find(t, w.Look(s), RuleP99); f.Outcome != switcher.Bad || f.Samples != 1000 {
		t.Errorf("6 %% above the limit beside many WebSockets: %+v", f)
	}
}

func TestAWatchSurvivesFiguresThatBeginAnew(t *testing.T) {
	w := Begin(defaults(), usual(), bake)
	w.Look(sample(time.Second, 1000, 1))
	if v := w.Look(sample(2*time.Second, 100, 0)); v.Outcome == switcher.Bad {
		t.Errorf("verdict = %+v", v)
	}
}
