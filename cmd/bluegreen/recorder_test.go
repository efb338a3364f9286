package main

import (
	"testing"
	"time"

	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

var observed = proxy.Observation{
	Method: "POST", Status: 201, Duration: 3217 * time.Microsecond, FirstByte: 3100 * time.Microsecond,
	BytesIn: 812, BytesOut: 4096, Proxied: true,
}

// Only what the backend answered, or failed to answer, speaks for or against
// the release.
func TestFiguresSpeakOfTheReleaseOnly(t *testing.T) {
	for _, c := range []struct {
		name             string
		seen             proxy.Observation
		requests, errors int64
	}{
		{"answered", proxy.Observation{Status: 200, Proxied: true}, 1, 0},
		{"answered with 404", proxy.Observation{Status: 404, Proxied: true}, 1, 0},
		{"answered with 503", proxy.Observation{Status: 503, Proxied: true}, 1, 1},
		{"not reached", proxy.Observation{Status: 502, Proxied: true, Failure: proxy.FailureDial}, 1, 1},
		{"broken off", proxy.Observation{Status: 200, Proxied: true, Failure: proxy.FailureBody}, 1, 1},
		{"answered by a path", proxy.Observation{Status: 500, Proxied: true, Path: "/app/"}, 0, 0},
		{"denied", proxy.Observation{Status: 403, Failure: proxy.FailureDenied}, 0, 0},
		{"redirected by the edge", proxy.Observation{Status: 308}, 0, 0},
		{"maintenance", proxy.Observation{Status: 503, Failure: proxy.FailureMaintenance}, 0, 0},
		{"held in vain", proxy.Observation{Status: 503, Failure: proxy.FailureHeld}, 0, 0},
		{"left by the client", proxy.Observation{Proxied: true, Failure: proxy.FailureClientGone}, 0, 0},
		{"cut by a drain", proxy.Observation{Status: 503, Proxied: true, Failure: proxy.FailureDrained}, 0, 0},
	} {
		m := newMetrics("test")
		from := time.Now()
		recorders(m, "app")(switcher.Production, switcher.Blue, "r1").Request(c.seen)
		f := m.Figures("app", "production", "blue", "r1", from, time.Now())
		if f.Requests != c.requests || f.Errors != c.errors {
			t.Errorf("%s: %d requests and %d errors, want %d and %d", c.name, f.Requests, f.Errors, c.requests, c.errors)
		}
	}
}

// A pause is no fault of the release that serves afterwards.
func TestTimeInAPauseIsNoDuration(t *testing.T) {
	m := newMetrics("test")
	from := time.Now()
	recorders(m, "app")(switcher.Production, switcher.Blue, "r1").Request(proxy.Observation{
		Status: 200, Proxied: true, Held: time.Minute, FirstByte: time.Minute + time.Millisecond, Duration: time.Minute + time.Millisecond,
	})
	f := m.Figures("app", "production", "blue", "r1", from, time.Now())
	if took, first := f.Duration.Quantile(1), f.FirstByte.Quantile(1); took != time.Millisecond || first != time.Millisecond {
		t.Errorf("durations %v, first bytes %v", took, first)
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	r := recorders(newMetrics("test"), "app")(switcher.Production, switcher.Blue, "r1")
	if n := testing.AllocsPerRun(1000, func() {
		r.Request(observed)
		r.UpgradeBegin("")
		r.UpgradeEnd(proxy.UpgradeObservation{Duration: time.Hour})
	}); n != 0 {
		t.Errorf("recording allocates %v times", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := recorders(newMetrics("test"), "app")(switcher.Production, switcher.Blue, "r1")
	b.ReportAllocs()
	for b.Loop() {
		r.Request(observed)
	}
}

// All processors record into the same counters, which is the worst there is.
func BenchmarkRecordFromAllProcessors(b *testing.B) {
	r := recorders(newMetrics("test"), "app")(switcher.Production, switcher.Blue, "r1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Request(observed)
		}
	})
}
