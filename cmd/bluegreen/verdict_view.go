package main

import (
	"fmt"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/verdict"
)

// ruleName is a rule as a person calls it.
func ruleName(rule string) string {
	switch rule {
	case verdict.RuleErrorRate:
		return "errors"
	case verdict.RuleErrorRateRelative:
		return "errors, compared"
	case verdict.RuleLatencyRelative:
		return "latency, compared"
	}
	return rule
}

// outcome paints what figures say.
func (t *terminal) outcome(o switcher.Outcome) string {
	switch o {
	case switcher.Good:
		return t.green(string(o))
	case switcher.Bad:
		return t.red(string(o))
	}
	return t.yellow(string(o))
}

// verdict draws what the figures of a bake say so far, a line for each rule.
func (v *statusView) verdict() {
	b := v.st.Bake
	if b == nil || b.Verdict == nil {
		return
	}
	since := ""
	if b.Since.After(b.Began) {
		since = fmt.Sprintf(" (figures since the edge was started %s)", ago(v.now, b.Since))
	}
	v.row("verdict", v.outcome(b.Verdict.Outcome)+" so far"+since)
	for _, f := range b.Verdict.Findings {
		v.row("", pad(v.outcome(f.Outcome), 9)+"  "+v.dim(pad(ruleName(f.Rule), 17))+"  "+printable(f.Text))
	}
}

// verdict tells each finding whose outcome has changed since the last look, and
// all of them once the bake has ended.
func (w *waiting) verdict(now admin.Status) {
	before, after := w.last.Bake, now.Bake
	if after == nil || after.Verdict == nil {
		return
	}
	known := map[string]switcher.Outcome{}
	if before != nil && before.Verdict != nil {
		for _, f := range before.Verdict.Findings {
			known[f.Rule] = f.Outcome
		}
	}
	for _, f := range after.Verdict.Findings {
		if known[f.Rule] != f.Outcome {
			w.tellFinding(f)
		}
	}
}

func (w *waiting) tellFinding(f switcher.Finding) {
	w.say(switcher.Event{
		Step: "verdict", Text: fmt.Sprintf("%s: %s, %s", ruleName(f.Rule), f.Outcome, f.Text),
		Warning: f.Outcome == switcher.Bad,
	})
}

// bakeEnded tells what is known when a bake ends, with its last verdict.
func (w *waiting) bakeEnded(b switcher.BakeStatus) string {
	text := "the bake of " + b.Release + " has ended"
	if b.Verdict == nil {
		return text
	}
	for _, f := range b.Verdict.Findings {
		w.tellFinding(f)
	}
	return text + ", " + string(b.Verdict.Outcome)
}

func soFar(v *switcher.Verdict) string {
	if v == nil {
		return ""
	}
	return ", " + string(v.Outcome) + " so far"
}
