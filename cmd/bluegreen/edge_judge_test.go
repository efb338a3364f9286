package main

import (
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// counted is an app's figures and the judge over them.
type counted struct {
	*judge
	metrics *metrics.Metrics
}

func newCounted() counted {
	m := newMetrics("test")
	app := &config.App{Name: "chat", Switch: config.Switch{Rules: config.Rules{MinRequests: 20, ErrorRate: 5, ErrorRateRelative: 0.5, LatencyRelative: 50}}}
	return counted{newJudge(m, app), m}
}

// asked has requests answered on a route.
func (c counted) asked(route switcher.RouteName, slot switcher.Colour, release string, n, status int) {
	r := recorders(c.metrics, "chat")(route, slot, release)
	for range n {
		r.Request(proxy.Observation{Method: "GET", Status: status, Duration: 20 * time.Millisecond, FirstByte: 10 * time.Millisecond, Proxied: true})
	}
}

func TestAVerdictComesFromProductionAlone(t *testing.T) {
	c := newCounted()
	a, b := &switcher.Release{ID: "r1"}, &switcher.Release{ID: "r2"}
	c.asked(switcher.Production, switcher.Blue, "r1", 5000, 200)
	c.asked(switcher.Production, switcher.Blue, "r1", 5, 500)
	c.asked(switcher.Internal, switcher.Green, "r2", 300, 500) // testers found that it fails
	now := time.Now()
	trial := switcher.Trial{
		Colour: switcher.Green, Release: b, Began: now, Since: now, Until: now.Add(10 * time.Minute),
		Baseline: c.baseline(switcher.Blue, a), Healthy: true,
	}
	if v := c.verdict(trial); v.Outcome != switcher.Undecided {
		t.Errorf("without production traffic: %+v", v)
	}
	c.asked(switcher.Production, switcher.Green, "r2", 400, 200)
	if v := c.verdict(trial); v.Outcome == switcher.Bad {
		t.Errorf("all is well: %+v", v)
	}
	c.asked(switcher.Production, switcher.Green, "r2", 40, 502)
	v := c.verdict(trial)
	if v.Outcome != switcher.Bad {
		t.Fatalf("40 of 440 fail: %+v", v)
	}
	for _, f := range v.Findings {
		if f.Rule == "error_rate_relative" && (f.Outcome != switcher.Bad || f.Against != 5005 || f.Limit < 0.0009 || f.Limit > 0.0011) {
			t.Errorf("found %+v", f)
		}
	}
}

// greeted has a route asked for WebSockets only, of which it refuses one in
// every so many.
func (c counted) greeted(slot switcher.Colour, release string, n, refusedEvery int) {
	r := recorders(c.metrics, "chat")(switcher.Production, slot, release)
	for i := range n {
		if i%refusedEvery == 0 {
			r.Request(proxy.Observation{Method: "GET", Status: 503, Duration: time.Millisecond, FirstByte: time.Millisecond, Proxied: true})
		} else {
			r.UpgradeBegin("")
		}
	}
}

// The handshakes that succeed are requests as much as those that are refused.
func TestAnAppOfWebSocketsIsJudgedByAllHandshakes(t *testing.T) {
	for _, refusedEvery := range []int{40, 4} {
		c := newCounted()
		c.greeted(switcher.Blue, "r1", 4000, 40)
		now := time.Now()
		trial := switcher.Trial{
			Colour: switcher.Green, Release: &switcher.Release{ID: "r2"}, Began: now, Since: now, Until: now.Add(10 * time.Minute),
			Baseline: c.baseline(switcher.Blue, &switcher.Release{ID: "r1"}), Healthy: true,
		}
		c.greeted(switcher.Green, "r2", 800, refusedEvery)
		v := c.verdict(trial)
		if bad := v.Outcome == switcher.Bad; bad != (refusedEvery < 40) {
			t.Errorf("1 in %d handshakes is refused, 1 in 40 before: %+v", refusedEvery, v)
		}
		for _, f := range v.Findings {
			if f.Rule == "error_rate_relative" && f.Against != 4000 {
				t.Errorf("compared with %d requests", f.Against)
			}
		}
	}
}

// A release that hangs answers nothing that could be an error.
func TestAReleaseThatClientsGiveUpIsBad(t *testing.T) {
	for _, x := range []struct {
		before int // of 4000 on the previous release
		waited time.Duration
		bad    bool
	}{
		{0, 2 * time.Second, true},
		{0, inVain / 2, false},
		{2000, 2 * time.Second, false}, // as many as before
	} {
		c := newCounted()
		left := func(slot switcher.Colour, release string, n int) {
			for range n {
				recorders(c.metrics, "chat")(switcher.Production, slot, release).Request(proxy.Observation{
					Method: "GET", Duration: time.Minute + x.waited, Held: time.Minute, Proxied: true, Failure: proxy.FailureClientGone,
				})
			}
		}
		c.asked(switcher.Production, switcher.Blue, "r1", 4000-x.before, 200)
		left(switcher.Blue, "r1", x.before)
		now := time.Now()
		trial := switcher.Trial{
			Colour: switcher.Green, Release: &switcher.Release{ID: "r2"}, Began: now, Since: now, Until: now.Add(10 * time.Minute),
			Baseline: c.baseline(switcher.Blue, &switcher.Release{ID: "r1"}), Healthy: true,
		}
		c.verdict(trial)
		if x.before > 0 {
			c.asked(switcher.Production, switcher.Green, "r2", 60, 200)
		}
		left(switcher.Green, "r2", 60)
		v := c.verdict(trial)
		if bad := v.Outcome == switcher.Bad; bad != x.bad {
			t.Errorf("%+v: %+v", x, v)
		}
		for _, f := range v.Findings {
			if told := strings.Contains(f.Text, "given up"); told != (f.Rule == "error_rate_relative" && x.waited >= inVain) {
				t.Errorf("%+v: %s: %s", x, f.Rule, f.Text)
			}
		}
	}
}

func TestAWatchBeginsAnewWithOtherRulesAndAnotherBake(t *testing.T) {
	c := newCounted()
	now := time.Now()
	trial := switcher.Trial{Colour: switcher.Green, Release: &switcher.Release{ID: "r2"}, Began: now, Since: now, Until: now.Add(time.Minute), Healthy: true, Deaths: 3}
	c.asked(switcher.Production, switcher.Green, "r2", 100, 200)
	c.verdict(trial)
	first := c.watch
	c.verdict(trial)
	if c.watch != first || c.deaths != 3 {
		t.Error("the same bake has two watches, or deaths of before it count")
	}
	c.setRules(&config.App{Switch: config.Switch{Rules: config.Rules{MinRequests: 10}}})
	if v := c.verdict(trial); c.watch == first || len(v.Findings) != 1 {
		t.Errorf("other rules do not apply: %+v", v)
	}
	first = c.watch
	trial.Began = now.Add(time.Second)
	c.verdict(trial)
	if c.watch == first {
		t.Error("another bake goes on with the figures of the last one")
	}
}

// A limit is a round duration, and the buckets that count durations must not
// blur it.
func TestP99IsBrokenJustAboveItsLimit(t *testing.T) {
	for _, limit := range []time.Duration{
		25 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
	} {
		for took, want := range map[time.Duration]switcher.Outcome{limit: switcher.Good, limit + limit/50: switcher.Bad} {
			c := newCounted()
			c.setRules(&config.App{Switch: config.Switch{Rules: config.Rules{MinRequests: 20, P99: limit}}})
			now := time.Now()
			trial := switcher.Trial{
				Colour: switcher.Green, Release: &switcher.Release{ID: "r2"}, Began: now, Since: now, Until: now.Add(time.Minute), Healthy: true,
			}
			r := recorders(c.metrics, "chat")(switcher.Production, switcher.Green, "r2")
			for range 1000 {
				r.Request(proxy.Observation{Method: "GET", Status: 200, Duration: took, FirstByte: took, Proxied: true})
			}
			if v := c.verdict(trial); v.Outcome != want {
				t.Errorf("all take %v, p99 is %v: %+v", took, limit, v)
			}
		}
	}
}

func TestAReleaseThatDiesInItsBakeIsBad(t *testing.T) {
	c := newCounted()
	c.setRules(&config.App{Switch: config.Switch{Rules: config.Rules{MinRequests: 20, Restarts: 1}}})
	now := time.Now()
	trial := switcher.Trial{
		Colour: switcher.Green, Release: &switcher.Release{ID: "r2"}, Began: now, Since: now, Until: now.Add(time.Minute), Healthy: true, Deaths: 2,
	}
	if v := c.verdict(trial); v.Outcome == switcher.Bad {
		t.Errorf("it died before the switch: %+v", v)
	}
	trial.Deaths = 3
	if v := c.verdict(trial); v.Outcome != switcher.Bad {
		t.Errorf("it died in the bake: %+v", v)
	}
}
