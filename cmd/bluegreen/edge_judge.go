package main

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/verdict"
)

const (
	// recentTraffic is what the next release is compared with; farTraffic if
	// that were fewer than enoughTraffic requests.
	recentTraffic = 30 * time.Minute
	farTraffic    = 2 * time.Hour
	enoughTraffic = 1000

	// watchAtMost bounds what one watch takes in: what was counted is not
	// remembered for ever. A longer bake has several.
	watchAtMost = time.Hour
)

// judge says what was counted on an app's production route of a release in its
// bake. What testers do on the internal hosts does not count.
type judge struct {
	metrics *metrics.Metrics
	app     string
	rules   atomic.Pointer[verdict.Rules]

	// Of the one goroutine that asks for verdicts.
	watch  *verdict.Watch
	trial  switcher.Trial // that it began with
	of     *verdict.Rules
	from   time.Time
	deaths int
}

func newJudge(m *metrics.Metrics, app *config.App) *judge {
	j := &judge{metrics: m, app: app.Name}
	j.setRules(app)
	return j
}

// setRules begins the watch over a bake anew if the rules have changed.
func (j *judge) setRules(app *config.App) {
	r := app.Switch.Rules
	next := verdict.Rules{
		MinRequests: int64(r.MinRequests), ErrorRate: float64(r.ErrorRate) / 100, P99: r.P99, Restarts: r.Restarts,
		ErrorRateRelative: float64(r.ErrorRateRelative) / 100, LatencyRelative: float64(r.LatencyRelative) / 100,
	}
	if now := j.rules.Load(); now == nil || *now != next {
		j.rules.Store(&next)
	}
}

func (j *judge) switcher() switcher.Judge {
	return switcher.Judge{Baseline: j.baseline, Verdict: j.verdict}
}

// baseline remembers the recent production traffic of a release.
func (j *judge) baseline(slot switcher.Colour, release *switcher.Release) json.RawMessage {
	now := time.Now()
	from := now.Add(-recentTraffic)
	figures := j.production(slot, release, from, now)
	if figures.Requests < enoughTraffic {
		from = now.Add(-farTraffic)
		figures = j.production(slot, release, from, now)
	}
	var spans []verdict.Traffic
	for _, s := range j.metrics.Series(j.app, string(switcher.Production), string(slot), from, time.Minute) {
		spans = append(spans, verdict.Traffic{Requests: s.Requests, Errors: s.Errors, Abandoned: s.Abandoned})
	}
	kept, err := json.Marshal(verdict.Baseline{Traffic: trafficOf(figures), Dispersion: verdict.Dispersion(spans)})
	if err != nil {
		return nil // it is made of numbers
	}
	return kept
}

func (j *judge) production(slot switcher.Colour, release *switcher.Release, from, to time.Time) metrics.Figures {
	return j.metrics.Figures(j.app, string(switcher.Production), string(slot), release.ID, from, to)
}

// verdict is asked about the release in the bake. One that cannot be compared
// with its predecessor, for what was kept of that cannot be read, is judged by
// the absolute rules.
func (j *judge) verdict(t switcher.Trial) switcher.Verdict {
	now, rules := time.Now(), j.rules.Load()
	if j.watch == nil || !t.Began.Equal(j.trial.Began) || rules != j.of || now.Sub(j.from) > watchAtMost {
		var before verdict.Baseline
		if json.Unmarshal(t.Baseline, &before) != nil {
			before = verdict.Baseline{}
		}
		from := t.Since
		if t.Began.Equal(j.trial.Began) {
			from = now
		}
		j.watch, j.trial, j.of, j.from, j.deaths = verdict.Begin(*rules, before, t.Until.Sub(from)), t, rules, from, t.Deaths
	}
	return j.watch.Look(verdict.Sample{
		At: now.Sub(j.from), Traffic: trafficOf(j.production(t.Colour, t.Release, j.from, now)),
		Healthy: t.Healthy, Restarts: max(0, t.Deaths-j.deaths),
	})
}

func trafficOf(f metrics.Figures) verdict.Traffic {
	return verdict.Traffic{Requests: f.Requests, Errors: f.Errors, Abandoned: f.Abandoned, Duration: bucketsOf(f.Duration)}
}

func bucketsOf(h metrics.Histogram) verdict.Histogram {
	var buckets verdict.Histogram
	for b := range h.Buckets() {
		buckets = append(buckets, verdict.Bucket(b))
	}
	return buckets
}
