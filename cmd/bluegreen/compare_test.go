package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// comparison is green, live and worse, beside blue.
func comparison() admin.Comparison {
	return admin.Comparison{
		App: "sofia-chat", Span: 900, Active: "green",
		Slots: map[switcher.Colour]admin.ComparedSlot{
			"blue": {
				State: switcher.Previous, Release: chatRelease("r12", "4f2a1c9", 26*time.Hour),
				Production: &admin.ComparedTraffic{To: *before(2 * time.Minute), Requests: 12034, PerSecond: 13.37, Errors: 12, ErrorRate: 0.000997, P50MS: 38.2, P90MS: 110.4, P99MS: 240, FirstByteMS: 31},
				Usage:      &switcher.UsageStatus{Usage: switcher.Usage{Memory: 212_400_000}, Processors: 0.12},
			},
			"green": {
				State: switcher.Active, Release: chatRelease("r13", "b70e552", 3*time.Minute),
				Production: &admin.ComparedTraffic{To: noon, Requests: 1604, PerSecond: 13.4, Errors: 77, ErrorRate: 0.048, P50MS: 39.9, P90MS: 131, P99MS: 1204, FirstByteMS: 31.2},
				Internal:   &admin.ComparedTraffic{To: noon, Requests: 41, PerSecond: 0.0456, P50MS: 44, P90MS: 140, P99MS: 150, FirstByteMS: 40},
				Usage:      &switcher.UsageStatus{Usage: switcher.Usage{Memory: 230_100_000, Restarts: 1}, Processors: 0.31},
			},
		},
		Differences: []admin.Difference{
			{Measure: "error_rate", Enough: true, Chance: 1e-9, Text: "green fails more often: more than chance (less than 1 in 10,000)"},
			{Measure: "duration", Enough: true, Chance: 0.2, Text: "a request takes longer on green than on blue in 51 of 100 cases: may be chance"},
		},
	}
}

// unequal is a release in test beside the one that is live.
func unequal() admin.Comparison {
	c := comparison()
	c.Active = "blue"
	green := c.Slots["green"]
	green.State, green.Production, green.Usage = switcher.Testing, nil, nil
	c.Slots["green"] = green
	text := "not enough data: 12034 and 0 requests of production, each needs 100"
	c.Differences = []admin.Difference{{Measure: "error_rate", Chance: 1, Text: text}, {Measure: "duration", Chance: 1, Text: text}}
	return c
}

func TestComparisonView(t *testing.T) {
	for _, c := range []struct {
		file         string
		comparison   admin.Comparison
		columns      int
		live, colour bool
	}{
		{"compare-80.txt", comparison(), 80, true, false},
		{"compare-50.txt", comparison(), 50, true, false},
		{"compare-colours.txt", comparison(), 100, true, true},
		{"compare-plain.txt", unequal(), 80, false, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			var out bytes.Buffer
			drawComparison(&terminal{Writer: &out, live: c.live, colour: c.colour, size: func() int { return c.columns }}, c.comparison, noon)
			golden(t, c.file, out.String())
		})
	}
}

func TestEachReleaseIsComparedByItsOwnTimeOnProduction(t *testing.T) {
	c := newCounted()
	c.asked(switcher.Production, switcher.Blue, "r1", 2000, 200)
	c.asked(switcher.Production, switcher.Blue, "r1", 2, 500)
	c.asked(switcher.Production, switcher.Green, "r2", 1000, 200)
	c.asked(switcher.Production, switcher.Green, "r2", 60, 500)
	c.asked(switcher.Internal, switcher.Green, "r2", 70, 500)
	st := switcher.Status{App: "chat", Active: switcher.Green, Slots: map[switcher.Colour]switcher.SlotStatus{
		switcher.Blue:  {State: switcher.Previous, Release: &switcher.Release{ID: "r1"}},
		switcher.Green: {State: switcher.Active, Release: &switcher.Release{ID: "r2"}},
	}}
	got, err := compared(c.metrics, st, time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	blue, green := got.Slots["blue"], got.Slots["green"]
	if blue.Production.Requests != 2002 || green.Production.Requests != 1060 || green.Production.Errors != 60 || blue.Internal != nil || green.Internal.Requests != 70 {
		t.Errorf("blue %+v, green %+v, tests on green %+v", blue.Production, green.Production, green.Internal)
	}
	if rate := green.Production.PerSecond; rate < 1060/5 {
		t.Errorf("%.0f requests a second: a release that is a moment old had none before", rate)
	}
	failing, slower := got.Differences[0], got.Differences[1]
	if !failing.Enough || failing.Chance > 1e-6 || !strings.Contains(failing.Text, "green fails more often: more than chance") {
		t.Errorf("errors: %+v", failing)
	}
	if !slower.Enough || slower.Chance < 0.9 || !strings.Contains(slower.Text, "in 50 of 100 cases: may be chance") {
		t.Errorf("durations: %+v", slower)
	}

	st.Slots[switcher.Blue] = switcher.SlotStatus{State: switcher.Previous, Release: &switcher.Release{ID: "r0"}} // of which nothing is known
	got, err = compared(c.metrics, st, time.Minute, time.Now())
	if err != nil || got.Slots["blue"].Production != nil || got.Differences[0].Enough || !strings.Contains(got.Differences[0].Text, "not enough data: 1060 and 0 requests") {
		t.Errorf("%+v, %v", got, err)
	}
	st.Active = ""
	if _, err := compared(c.metrics, st, time.Minute, time.Now()); switcher.CodeOf(err) != switcher.CodeRefused {
		t.Errorf("before the first deploy: %v", err)
	}
}
