package verdict

import (
	"fmt"

	"sofiacall.com/bluegreen/switcher"
)

// enough is the confidence with which a rate must be excluded for a release to
// be good.
const enough = 0.05

func (w *Watch) health() switcher.Finding {
	if !w.now.Healthy {
		return switcher.Finding{Rule: RuleHealth, Outcome: switcher.Undecided, Text: "its probes do not all succeed"}
	}
	return switcher.Finding{Rule: RuleHealth, Outcome: switcher.Good, Text: "its probes succeed", Measured: 1}
}

func (w *Watch) restarts() switcher.Finding {
	f := switcher.Finding{Rule: RuleRestarts, Outcome: switcher.Good, Text: "no restarts", Measured: float64(w.now.Restarts), Limit: float64(w.rules.Restarts - 1)}
	if w.now.Restarts > 0 {
		f.Text = fmt.Sprintf("restarted %s, %d is too often", times(w.now.Restarts), w.rules.Restarts)
	}
	if w.now.Restarts >= w.rules.Restarts {
		f.Outcome = switcher.Bad
	}
	return f
}

func (w *Watch) errorRate() switcher.Finding {
	f := switcher.Finding{Rule: RuleErrorRate, Limit: w.rules.ErrorRate}
	worth, most := w.absolute.worth()
	w.share(&f, worth, most, w.now.Errors, w.now.Requests, chanceErrorRate, w.rules.ErrorRate*1.5)
	f.Text = fmt.Sprintf("%s failed, %s are too many", w.said(f, most, w.now.Errors, w.now.Requests), percent(f.Limit))
	return w.short(f, w.now.Requests)
}

func (w *Watch) errorRateRelative() switcher.Finding {
	old := w.previous
	f := switcher.Finding{Rule: RuleErrorRateRelative, Outcome: switcher.Undecided, Against: old.tried(), Samples: w.now.tried(), Measured: rate(w.now.failed(), w.now.tried())}
	if len(w.relative.bets) == 0 {
		f.Text = "the previous release was not asked enough to compare with"
		return f
	}
	f.Limit = rate(old.failed(), old.tried())
	worth, most := w.relative.worth()
	w.share(&f, worth, most, w.now.failed(), w.now.tried(), chanceErrorRateRelative, f.Limit+2*w.rules.ErrorRateRelative)
	if f.Outcome == switcher.Bad && f.Measured < f.Limit+w.rules.ErrorRateRelative {
		f.Outcome = switcher.Undecided // more than chance, and yet too little to matter
	}
	failed := "failed"
	if w.now.Abandoned+old.Abandoned > 0 {
		failed = "failed or were given up"
	}
	f.Text = fmt.Sprintf("%s %s, against %s of %s on the previous release",
		w.said(f, most, w.now.failed(), w.now.tried()), failed, percent(f.Limit), number(old.tried()))
	return w.short(f, w.now.tried())
}

func (w *Watch) p99() switcher.Finding {
	f := switcher.Finding{Rule: RuleP99, Limit: w.rules.P99.Seconds()}
	slow, all := w.now.Duration.longer(w.rules.P99), w.now.Duration.count()
	worth, most := w.slow.worth()
	w.share(&f, worth, most, slow, all, chanceP99, onePercent*1.5)
	f.Text = fmt.Sprintf("%s took longer than %s, 1 %% may", w.said(f, most, slow, all), brief(w.rules.P99))
	f.Measured = w.now.Duration.quantile(0.99).Seconds()
	return w.short(f, all)
}

func (w *Watch) latencyRelative() switcher.Finding {
	b := w.latency
	f := switcher.Finding{Rule: RuleLatencyRelative, Outcome: switcher.Undecided, Against: b.previous.count()}
	switch {
	case !b.comparable():
		f.Text = "the previous release was not asked enough to compare with"
		return f
	case b.tested == 0:
		f.Samples = w.now.Requests
		f.Text = fmt.Sprintf("%s so far, compared every %s from %d on", requests(w.now.Requests), brief(blockTime), blockRequests)
		return f
	}
	last := b.last.duration
	f.Samples, f.Evidence = last.count(), b.last.larger
	f.Measured, f.Limit = last.quantile(0.9).Seconds(), b.previous.quantile(0.9).Seconds()
	f.Text = fmt.Sprintf("p50 %s and p90 %s in the last %s, %s and %s in %s before",
		brief(last.quantile(0.5)), brief(last.quantile(0.9)), requests(f.Samples),
		brief(b.previous.quantile(0.5)), brief(b.previous.quantile(0.9)), number(f.Against))
	switch b.against {
	case 0:
		f.Outcome = switcher.Good
	case 1:
		f.Text += ", slower if it stays so"
	default:
		f.Outcome = switcher.Bad
	}
	return f
}

// share judges what a bet about a share of the requests is worth. A release is
// good once it is certain enough that the share is below excluded.
func (w *Watch) share(f *switcher.Finding, worth float64, most *part, counted, all int64, chance, excluded float64) {
	f.Outcome, f.Samples, f.Measured = switcher.Undecided, all, rate(counted, all)
	f.Evidence = worth
	switch {
	case all < w.rules.MinRequests:
	case worth >= 1/chance:
		f.Outcome, f.Samples, f.Measured = switcher.Bad, int64(most.all), most.failed/most.all
	case upperBound(float64(counted), float64(all), enough) <= excluded:
		f.Outcome = switcher.Good
	}
}

// said are the figures of a share: all of them, or those since it turned bad.
func (w *Watch) said(f switcher.Finding, most *part, counted, all int64) string {
	if f.Outcome == switcher.Bad && most.since > 0 {
		return fmt.Sprintf("%s of %s in the last %s (%s)", number(int64(most.failed)), requests(int64(most.all)),
			brief(w.now.At-most.since), percent(f.Measured))
	}
	return fmt.Sprintf("%s of %s (%s)", number(counted), requests(all), percent(rate(counted, all)))
}

// short adds why nothing is said yet.
func (w *Watch) short(f switcher.Finding, all int64) switcher.Finding {
	switch {
	case f.Outcome != switcher.Undecided:
	case all < w.rules.MinRequests:
		f.Text += fmt.Sprintf(", judged from %s on", requests(w.rules.MinRequests))
	default:
		f.Text += ", not enough to tell"
	}
	return f
}

func rate(x, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(x) / float64(n)
}
