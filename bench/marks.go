package main

import (
	"fmt"
	"slices"
)

// mark is something that was promised, and what became of it.
type mark struct {
	Mark    string `json:"mark"`
	Figure  string `json:"figure"`
	Verdict string `json:"verdict"` // met, not met or open
}

// The verdicts. A figure on the right side of its mark with an interval that
// reaches over to the other side leaves it open.
const (
	met    = "met"
	notMet = "NOT MET"
	open   = "open"
)

// atMost judges an estimate that should not exceed a limit.
func atMost(what string, e estimate, limit float64) mark {
	m := mark{
		Mark:    fmt.Sprintf("%s ≤ %.4g", what, limit),
		Figure:  fmt.Sprintf("%.2f [%.2f, %.2f]", e.Median, e.Low, e.High),
		Verdict: open,
	}
	switch {
	case e.Median > limit:
		m.Verdict = notMet
	case e.High <= limit:
		m.Verdict = met
	}
	return m
}

// marks checks what was promised against what was measured. What was not
// measured is left out.
func (r *report) marks() []mark {
	var all []mark
	for _, promised := range []struct {
		name, of, to string
		limit        float64
	}{
		{"https1-12b", bluegreen, nginx, 1.8},
		{"https1-12b", bluegreen, caddy, 0.5},
		{"h2-12b", bluegreen, nginx, 2.5},
		{"h2-12b", bluegreen, caddy, 0.5},
		{"https1-1m", bluegreen, nginx, 1.5},
		{"h2-1m", bluegreen, nginx, 1.5},
	} {
		if ratio, ok := r.ratio(promised.name, promised.of, promised.to); ok {
			all = append(all, atMost(fmt.Sprintf("%s: CPU a request to %s's", promised.name, promised.to), ratio.estimate, promised.limit))
		}
	}
	for _, c := range loadCases() {
		if ratio, ok := r.ratio(c.name, bluegreen, otherBuild); ok {
			all = append(all, notAbove(c.name+": CPU a request not above the other build's beyond the interval", ratio.estimate))
		}
	}
	for _, hosts := range []int{100, 10000} {
		if ratio, ok := r.ratio(caseHosts, withHosts(bluegreen, hosts), withHosts(bluegreen, 1)); ok {
			all = append(all, flat(fmt.Sprintf("cost flat (within 3 %%) from 1 to %d hosts", hosts), ratio.estimate))
		}
	}
	return slices.Concat(all, r.idleMarks(), r.switchMarks())
}

// notAbove judges a ratio that should not be more than 1.
func notAbove(what string, e estimate) mark {
	m := mark{Mark: what, Figure: fmt.Sprintf("%.3f [%.3f, %.3f]", e.Median, e.Low, e.High), Verdict: met}
	if e.Low > 1 {
		m.Verdict = notMet
	}
	return m
}

// flat judges a ratio that should be 1.
func flat(what string, e estimate) mark {
	m := mark{Mark: what, Figure: fmt.Sprintf("%.3f [%.3f, %.3f]", e.Median, e.Low, e.High), Verdict: met}
	const noise = 0.03 // what another table in other memory may cost
	if e.Low > 1+noise {
		m.Verdict = notMet
	}
	return m
}

func (r *report) ratio(name, of, to string) (ratio, bool) {
	for _, c := range r.Cases {
		if c.Name != name {
			continue
		}
		for _, one := range c.Ratios {
			if one.Of == of && one.To == to {
				return one, true
			}
		}
	}
	return ratio{}, false
}

func (r *report) idleMarks() []mark {
	each := map[string]float64{}
	for _, i := range r.Idle {
		each[i.Name] = i.Each
	}
	ours, ok := each[bluegreen]
	if !ok {
		return nil
	}
	m := mark{Mark: "memory of an idle WebSocket over TLS ≤ 40 KB", Figure: fmt.Sprintf("%.1f KB", ours), Verdict: met}
	if theirs, ok := each[nginx]; ok {
		m.Figure += fmt.Sprintf(" (nginx: %.1f KB)", theirs)
	}
	if ours > 40 {
		m.Verdict = notMet
	}
	return []mark{m}
}

func (r *report) switchMarks() (all []mark) {
	if s := r.Switch; s != nil {
		m := mark{
			Mark:    fmt.Sprintf("p99.9 over %d switch seconds not above %d quiet ones beyond the interval", s.Seconds, s.Seconds),
			Figure:  fmt.Sprintf("%.2f to %.2f ms, ratio %.2f [%.2f, %.2f]", s.Switched.P999, s.Quiet.P999, s.Ratio.Median, s.Ratio.Low, s.Ratio.High),
			Verdict: met,
		}
		if s.Ratio.Low > 1 {
			m.Verdict = notMet
		}
		all = append(all, m)
	}
	for _, w := range r.Windows {
		if w.Name != bluegreen {
			continue
		}
		m := mark{Mark: "no request begins on the old colour after a switch has returned", Figure: fmt.Sprintf("%d in %d switches", w.Old, len(w.Windows)), Verdict: met}
		if w.Old > 0 {
			m.Verdict = notMet
		}
		all = append(all, m)
	}
	return all
}
