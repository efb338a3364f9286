package metrics

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// running runs m in a bubble until the test has ended.
func running(t *testing.T, test func(t *testing.T, m *Metrics)) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		go m.Run(t.Context())
		test(t, m)
	})
}

func request(status int, took time.Duration) *Request {
	return &Request{Method: "GET", Status: status, Duration: took, FirstByte: took, BytesOut: 10, Counts: true, Error: status >= 500}
}

// histogramOf is the distribution of the given durations.
func histogramOf(durations ...time.Duration) Histogram {
	var h histogram
	for _, d := range durations {
		h.observe(d)
	}
	return h.since(new(plainHistogram))
}

func TestFiguresHoldWhatHappenedInTheirSpan(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		r := m.Route("app", "production", "green", "r2")
		r.Request(request(200, time.Millisecond))
		time.Sleep(10 * time.Second)
		from := time.Now()
		for range 30 {
			time.Sleep(time.Second)
			r.Request(request(200, 20*time.Millisecond))
			r.Request(request(502, 40*time.Millisecond))
		}
		to := time.Now()
		f := m.Figures("app", "production", "green", "r2", from, to)
		if f.Requests != 60 || f.Errors != 30 {
			t.Errorf("figures of the span: %+v", f)
		}
		if f.Duration.Count() != 60 || f.Duration.Quantile(0.1) < 18*time.Millisecond || f.Duration.Quantile(0.9) > 44*time.Millisecond {
			t.Errorf("durations of the span: %d, from %v to %v", f.Duration.Count(), f.Duration.Quantile(0.1), f.Duration.Quantile(0.9))
		}
		time.Sleep(20 * time.Second)
		f = m.Figures("app", "production", "green", "r2", from, time.Now())
		if first, last := f.First.Sub(from), to.Sub(f.Last); first < 0 || first > time.Second || last < -time.Second || last > 0 {
			t.Errorf("the first was %v after the beginning, the last %v before the end", first, last)
		}
		if f := m.Figures("app", "production", "green", "r2", to.Add(time.Second), time.Now()); f.Requests != 0 {
			t.Errorf("%d requests where nothing happened", f.Requests)
		}
	})
}

// A verdict must not wait for the next second.
func TestFiguresHoldWhatHappenedJustNow(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		r := m.Route("app", "production", "green", "r2")
		begin := time.Now()
		for want := int64(1); want <= 50; want++ {
			time.Sleep(70 * time.Millisecond)
			r.Request(request(500, time.Millisecond))
			if f := m.Figures("app", "production", "green", "r2", begin, time.Now()); f.Errors != want {
				t.Fatalf("%d errors are seen of %d", f.Errors, want)
			}
		}
		if n := len(r.past.spans); n > 5 {
			t.Errorf("%d spans are kept of 3.5 seconds", n)
		}
	})
}

func TestFiguresAreKeptForTwoHoursAndNoLonger(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		r := m.Route("app", "production", "blue", "r1")
		time.Sleep(250 * time.Millisecond) // not at the moment of a look
		for range 3 * 3600 {
			time.Sleep(time.Second)
			r.Request(request(200, time.Duration(1+rand.IntN(1000))*time.Millisecond))
		}
		now := time.Now()
		count := func(from, to time.Duration) int64 {
			return m.Figures("app", "production", "blue", "r1", now.Add(-from), now.Add(-to)).Requests
		}
		for _, back := range []time.Duration{10 * time.Second, 4 * time.Minute, 30 * time.Minute, 119 * time.Minute} {
			if n, want := count(back, 0), int64(back/time.Second); n < want || n > want+10 {
				t.Errorf("%d requests in the last %v, want %d", n, back, want)
			}
		}
		if n, want := count(30*time.Minute, 20*time.Minute), int64(600); n < want || n > want+20 {
			t.Errorf("%d requests in ten minutes of the past, want %d", n, want)
		}
		if n := count(4*time.Hour, 0); n > 7210 {
			t.Errorf("%d requests are remembered, more than two hours", n)
		}
		if n := len(r.past.spans); n > 300+10+720 {
			t.Errorf("%d spans are kept", n)
		}
	})
}

func TestSeriesCoverTheTimeWithoutGapOrOverlap(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		blue, green := m.Route("app", "production", "blue", "r1"), m.Route("app", "production", "green", "r2")
		from := time.Now()
		time.Sleep(250 * time.Millisecond) // not at the moment of a look
		for range 40 * 60 {
			blue.Request(request(200, time.Millisecond))
			green.Request(request(200, time.Millisecond))
			time.Sleep(500 * time.Millisecond)
		}
		both := m.Series("app", "production", "", from, 30*time.Second)
		one := m.Series("app", "production", "green", from, 30*time.Second)
		if len(one) != 41 || len(both) != 41 {
			t.Fatalf("%d and %d steps of half a minute in 20 minutes and one that has begun", len(one), len(both))
		}
		for i, f := range one[:40] {
			if f.Requests != 60 || both[i].Requests != 120 {
				t.Errorf("step %d has %d requests of one slot and %d of both", i, f.Requests, both[i].Requests)
			}
		}
	})
}

// A slot's next release begins at nothing, and the slot itself goes on.
func TestFiguresBelongToARelease(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		from := time.Now()
		for _, release := range []string{"r1", "r2"} {
			r := m.Route("app", "production", "blue", release)
			for range 5 {
				r.Request(request(200, time.Millisecond))
			}
			time.Sleep(time.Minute)
		}
		for release, want := range map[string]int64{"r1": 5, "r2": 5, "": 10, "r3": 0} {
			if f := m.Figures("app", "production", "blue", release, from, time.Now()); f.Requests != want {
				t.Errorf("release %q has %d requests, want %d", release, f.Requests, want)
			}
		}
		if m.Route("app", "production", "blue", "r1") == m.Route("app", "production", "blue", "r2") {
			t.Error("two releases share their figures")
		}
		if f := m.Figures("app", "internal", "blue", "", from, time.Now()); f.Requests != 0 {
			t.Error("internal traffic is counted as production's, or the reverse")
		}
	})
}

func TestWhatSaysNothingOfTheReleaseIsNotAmongItsFigures(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		r := m.Route("app", "production", "blue", "r1")
		from := time.Now()
		time.Sleep(time.Second)
		r.Request(&Request{Method: "GET", Status: 403, Failure: 7})
		r.PathRequest("/app/", request(500, time.Second))
		r.Request(&Request{Method: "GET", Status: 200, Duration: time.Hour, FirstByte: time.Millisecond, Counts: true, Lasting: true})
		f := m.Figures("app", "production", "blue", "r1", from, time.Now())
		if f.Requests != 1 || f.Errors != 0 || f.Duration.Count() != 0 || f.FirstByte.Count() != 1 {
			t.Errorf("figures: %+v", f)
		}
	})
}

// Old releases must not add up in an edge that runs for years, and what
// Prometheus is told must not shrink when one is forgotten.
func TestForgottenReleasesStayInTheTotals(t *testing.T) {
	running(t, func(t *testing.T, m *Metrics) {
		for i := range 40 {
			r := m.Route("app", "production", "blue", string(rune('a'+i)))
			r.Request(request(200, time.Millisecond))
			r.PathRequest("/app/", request(200, time.Millisecond))
			time.Sleep(time.Minute)
		}
		s := m.slots[slotKey{"app", "production", "blue"}]
		m.mu.Lock()
		n := len(s.routes)
		m.mu.Unlock()
		if n != releasesKept {
			t.Errorf("%d releases are kept", n)
		}
		time.Sleep(3*time.Hour + time.Millisecond)
		m.mu.Lock()
		defer m.mu.Unlock()
		if n := len(s.routes); n != 1 || s.routes[0] != s.current {
			t.Errorf("%d releases are kept after three hours without requests", n)
		}
		if n := s.total().requests[2][0].Load(); n != 40 {
			t.Errorf("%d of 40 requests are in the total", n)
		}
		if n := s.total().byPath()["/app/"].requests[2][0].Load(); n != 40 {
			t.Errorf("%d of 40 requests are in the total of the path", n)
		}
	})
}

func TestQuantilesAreThoseOfTheDurations(t *testing.T) {
	all := make([]time.Duration, 20000)
	for i := range all {
		all[i] = time.Duration(rand.ExpFloat64() * float64(30*time.Millisecond))
	}
	h := histogramOf(all...)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)-1))]
		if got := h.Quantile(q); float64(got) < 0.9*float64(want) || float64(got) > 1.1*float64(want) {
			t.Errorf("quantile %v is %v, and %v by the durations", q, got, want)
		}
	}
	var n int64
	for b := range h.Buckets() {
		n += b.Count
	}
	if n != int64(len(all)) || h.Count() != n {
		t.Errorf("%d durations in the buckets, %d counted, of %d", n, h.Count(), len(all))
	}
	if empty := (Histogram{}); empty.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a quantile")
	}
}

func TestDurationsFallIntoTheirBucket(t *testing.T) {
	check := func(d time.Duration) {
		t.Helper()
		i := layout.of(d)
		if d > layout.upper[i] || i > 0 && d <= layout.upper[i-1] {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, i, layout.upper[i])
		}
	}
	for i := range buckets - 1 {
		check(layout.upper[i])
		check(layout.upper[i] + 1)
	}
	for range 100000 {
		check(time.Duration(rand.Int64() >> rand.IntN(63)))
	}
	var h histogram
	h.observe(-time.Second)
	if h.sum.Load() != 0 || h.buckets[0].Load() != 1 || layout.of(0) != 0 || layout.of(1<<63-1) != buckets-1 {
		t.Error("what is out of range is not in the first or the last bucket")
	}
}
