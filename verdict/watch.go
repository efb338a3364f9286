package verdict

import (
	"math"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Watch is the watch over one release in its bake. One may look at any time and
// as often as one likes. It is not safe for concurrent use.
type Watch struct {
	rules    Rules
	previous Baseline
	bake     time.Duration

	now      Sample
	seen     Sample // when requests last came in
	relative wager
	absolute bet
	slow     bet
	latency  blocks
}

// onePercent of the requests may take longer than p99, as its name says.
const onePercent = 0.01

// Begin begins a watch that is to last for bake. Nothing is known yet of the
// new release.
func Begin(rules Rules, previous Baseline, bake time.Duration) *Watch {
	previous.Dispersion = max(1, previous.Dispersion)
	w := &Watch{rules: rules, previous: previous, bake: max(bake, time.Second)}
	if rules.ErrorRateRelative > 0 {
		failed, all := float64(previous.failed()), float64(previous.tried())
		w.relative = newWager(failed/previous.Dispersion, all/previous.Dispersion, rules.ErrorRateRelative)
	}
	if rules.ErrorRate > 0 {
		w.absolute = newBet(rules.ErrorRate, rules.ErrorRate/4)
	}
	if rules.P99 > 0 {
		w.slow = newBet(onePercent, onePercent/2)
	}
	w.latency = blocks{slower: rules.LatencyRelative, previous: previous.Duration}
	return w
}

// Look takes in a sample and says what is known by now, with one finding for
// each rule that is on.
func (w *Watch) Look(s Sample) switcher.Verdict {
	w.now = s
	if s.Requests < w.seen.Requests || s.Errors < w.seen.Errors || s.Abandoned < w.seen.Abandoned { // whoever counts has begun anew
		w.seen = Sample{At: w.seen.At}
	}
	if s.tried() > w.seen.tried() {
		w.takeIn(s)
		w.seen = s
	}
	return w.conclude()
}

// takeIn lets every test see what came since requests last came in.
func (w *Watch) takeIn(s Sample) {
	since := w.seen.At
	fresh := (1 - atOnce) * (portion(s.At, w.bake) - portion(since, w.bake))
	failed, all := float64(s.Errors-w.seen.Errors), float64(s.Requests-w.seen.Requests)
	abandoned := float64(s.Abandoned - w.seen.Abandoned)
	w.relative.see(since, failed+abandoned, all+abandoned, fresh, w.previous.Dispersion)
	w.absolute.see(since, failed, all, fresh, w.previous.Dispersion)
	if w.rules.P99 > 0 {
		timed := s.Duration.since(w.seen.Duration) // what lasts, as a WebSocket does, has no duration
		w.slow.see(since, float64(timed.longer(w.rules.P99)), float64(timed.count()), fresh, 1)
	}
	if w.rules.LatencyRelative > 0 && all > 0 {
		w.latency.see(s.At, s.Duration)
	}
}

// portion is how much of the whole has passed, all of it at most.
func portion(passed, whole time.Duration) float64 {
	return math.Min(1, float64(passed)/float64(whole))
}

// conclude asks every rule that is on.
func (w *Watch) conclude() switcher.Verdict {
	v := switcher.Verdict{Outcome: switcher.Good}
	for _, rule := range []struct {
		on   bool
		find func() switcher.Finding
	}{
		{true, w.health},
		{w.rules.Restarts > 0, w.restarts},
		{w.rules.ErrorRate > 0, w.errorRate},
		{w.rules.ErrorRateRelative > 0, w.errorRateRelative},
		{w.rules.P99 > 0, w.p99},
		{w.rules.LatencyRelative > 0, w.latencyRelative},
	} {
		if !rule.on {
			continue
		}
		f := rule.find()
		v.Findings = append(v.Findings, f)
		switch {
		case f.Outcome == switcher.Bad:
			v.Outcome = switcher.Bad
		case f.Outcome == switcher.Undecided && v.Outcome == switcher.Good:
			v.Outcome = switcher.Undecided
		}
	}
	return v
}
