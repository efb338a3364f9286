package dashboard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

// served has blue serve 100 requests a second until a moment, and green from
// then on, with errors and slower; tests are made on green.
func served(until time.Time) func(string, switcher.RouteName, switcher.Colour, time.Time, time.Duration) []Figures {
	return func(_ string, route switcher.RouteName, slot switcher.Colour, from time.Time, step time.Duration) (all []Figures) {
		for at := from; at.Before(time.Now()); at = at.Add(step) {
			f := Figures{From: at, Span: step}
			switch {
			case route == switcher.Internal && slot == switcher.Green:
				f.Requests, f.P50, f.P99 = 7, time.Millisecond, 2*time.Millisecond
			case route == switcher.Internal || at.Before(until) != (slot == switcher.Blue):
			case slot == switcher.Blue:
				f.Requests, f.P50, f.P99 = int64(100*step.Seconds()), 5*time.Millisecond, 20*time.Millisecond
			default:
				f.Requests, f.P50, f.P99 = int64(100*step.Seconds()), 10*time.Millisecond, 40*time.Millisecond
				f.Errors = f.Requests / 4
			}
			all = append(all, f)
		}
		return all
	}
}

func TestChartsShowBothColoursAndWhenProductionMoved(t *testing.T) {
	moved := time.Now().Add(-2 * time.Minute)
	s := start(t, func(o *Options) { o.Figures = served(moved) })
	v := &visit{s.server.loopback, session{scope: admin.ScopeRead}, catalogue("en")}
	history := []switcher.Record{
		{Kind: switcher.KindSwitch, Began: moved, OK: true, Colour: switcher.Green},
		{Kind: switcher.KindSwitch, Began: moved.Add(time.Second), Colour: switcher.Green}, // refused by a gate
		{Kind: switcher.KindDeploy, Began: moved, OK: true},
		{Kind: switcher.KindRollback, Began: moved.Add(-time.Hour), OK: true},
	}
	charts := v.charts(s.App, reachOf("5m"), time.Now(), history)
	if len(charts) != 3 {
		t.Fatalf("%d charts", len(charts))
	}
	for i, want := range []string{
		"Requests: Blue 0/s, Green 100/s",
		"Errors: Blue –, Green 25.0\u202f%",
		"Latency: Blue p99 –, Blue p50 –, Green p99 40.0\u202fms, Green p50 10.0\u202fms",
	} {
		if charts[i].Says != want {
			t.Errorf("says %q, want %q", charts[i].Says, want)
		}
		if n := len(charts[i].Marks); n != 1 || charts[i].Marks[0].X < 350 || charts[i].Marks[0].X > 370 {
			t.Errorf("%s: marks at %v, want one at 3/5 of the width", charts[i].Title, charts[i].Marks)
		}
	}
	if got, want := fmt.Sprint(charts[0].Scale, charts[2].Scale), "[100/s 50/s 0/s] [100\u202fms 10\u202fms 1\u202fms]"; got != want {
		t.Errorf("the scales of requests and latency are %s, want %s", got, want)
	}
	// Where nothing was asked there is no latency, not one of 0.
	for _, l := range charts[2].Lines {
		if strings.Count(l.Path, "M") != 1 || l.Colour == switcher.Green && !strings.HasPrefix(l.Path, "M3") {
			t.Errorf("%s: the line of the latency is %s", l.Colour, l.Path)
		}
	}
}

// Tests of the team are told apart, and count for nothing else.
func TestInternalFiguresStandApart(t *testing.T) {
	s := start(t, func(o *Options) { o.Figures = served(time.Now().Add(time.Hour)) })
	v := &visit{s.server.loopback, session{scope: admin.ScopeRead}, catalogue("en")}
	rows := v.figures(s.App, reachOf(""), time.Now())
	want := []row{
		{"Production", switcher.Blue, "Blue", "30,000", "100/s", "0\u202f%", "5.00\u202fms", "20.0\u202fms", false},
		{"Production", switcher.Green, "Green", "0", "–", "–", "–", "–", false},
		{"Internal", switcher.Blue, "Blue", "0", "–", "–", "–", "–", true},
		{"Internal", switcher.Green, "Green", "7", "0.02/s", "0\u202f%", "1.00\u202fms", "2.00\u202fms", true},
	}
	for i, r := range rows {
		if r != want[i] {
			t.Errorf("row %d is %v, want %v", i, r, want[i])
		}
	}
}

func TestScaleEndsAtARoundNumber(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.7: 0.8, 1: 1, 1.01: 2, 205: 300, 999: 1000, 0.013: 0.02} {
		if got := niceTop(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("the scale for %v ends at %v, want %v", v, got, want)
		}
	}
}

func TestSparklineMakesFailuresStandOut(t *testing.T) {
	var checks []switcher.HealthCheck
	for i := range barsShown + 5 {
		checks = append(checks, switcher.HealthCheck{OK: i != barsShown, LatencyMS: float64(i%3 + 1)})
	}
	bars, failed := sparkline(checks)
	if len(bars) != barsShown || failed != 1 {
		t.Fatalf("%d bars, %d failed", len(bars), failed)
	}
	for i, b := range bars {
		if b.Failed != (i == barsShown-5) || b.Failed != (b.Height == barsHeight) || b.Y+b.Height != barsHeight || b.X < 0 || b.X >= barsShown*barWidth {
			t.Errorf("bar %d is %+v", i, b)
		}
	}
}

// Several apps have a page that shows all, and each tells of its trouble.
func TestSeveralAppsHaveAnOverview(t *testing.T) {
	var both []*switcher.App
	s := start(t, func(o *Options) { o.Apps = func() []*switcher.App { return both } })
	other := apptest.Start(t, "shop").App
	both = []*switcher.App{s.App}
	v := s.enter(t, "maria@host", admin.ScopeRead)
	if answer, _ := v.get("/"); answer.Header.Get("Location") != "/apps/chat" {
		t.Errorf("the only app is not shown at once: %s", answer.Status)
	}
	both = append(both, other)
	s.Deploy(t, "one")
	_, text := v.get("/")
	for _, part := range []string{`href="/apps/chat"`, `href="/apps/shop"`, "one", "Nothing deployed", "chat.test"} {
		if !strings.Contains(text, part) {
			t.Errorf("the overview does not show %q", part)
		}
	}
	if _, text := v.get("/apps/shop"); !strings.Contains(text, `aria-current="page">shop`) {
		t.Error("the page of an app does not say which it is")
	}
}
