package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// pool is the latency of all requests that began in some seconds, in
// milliseconds.
type pool struct {
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p999_ms"`
	Max      float64 `json:"max_ms"`
}

// switchResult compares seconds with a switch with quiet ones.
type switchResult struct {
	Seconds  int      `json:"seconds"` // of each kind
	Rate     int      `json:"rate"`    // requests a second
	Quiet    pool     `json:"quiet"`
	Switched pool     `json:"switched"`
	Ratio    estimate `json:"ratio"`    // of p99.9, switched to quiet; the interval by a bootstrap over the seconds
	Took     float64  `json:"took_ms"`  // by a switch, from the request to its answer; the median
	Requests int      `json:"requests"` // of the whole time, deploys included
	Failures int      `json:"failures"`
}

func newSwitchResult(visits []visit, quiet, switched []span, took []float64) switchResult {
	r := switchResult{Seconds: len(switched), Rate: paceRate, Requests: len(visits)}
	for _, v := range visits {
		if v.failed {
			r.Failures++
		}
	}
	before, with := bySecond(visits, quiet), bySecond(visits, switched)
	r.Quiet, r.Switched = pooled(before), pooled(with)
	r.Quiet.Failures, r.Switched.Failures = failuresIn(visits, quiet), failuresIn(visits, switched)
	r.Ratio = bootstrap(with, before, 0.999)
	r.Took = percentile(slices.Sorted(slices.Values(took)), 0.5)
	return r
}

// bySecond returns the latencies of the requests that began in each span,
// ascending.
func bySecond(visits []visit, spans []span) [][]float64 {
	seconds := make([][]float64, len(spans))
	for _, v := range visits {
		for i, s := range spans {
			if s.holds(v.start) && !v.failed {
				seconds[i] = append(seconds[i], milliseconds(v.took))
			}
		}
	}
	for _, s := range seconds {
		slices.Sort(s)
	}
	return seconds
}

func failuresIn(visits []visit, spans []span) (n int) {
	for _, v := range visits {
		if v.failed && slices.ContainsFunc(spans, func(s span) bool { return s.holds(v.start) }) {
			n++
		}
	}
	return n
}

func pooled(seconds [][]float64) pool {
	all := slices.Sorted(slices.Values(slices.Concat(seconds...)))
	if len(all) == 0 {
		return pool{}
	}
	return pool{
		Requests: len(all),
		P50:      percentile(all, 0.50), P99: percentile(all, 0.99), P999: percentile(all, 0.999), Max: all[len(all)-1],
	}
}

// bootstrap estimates the ratio of a high percentile of one group of seconds to
// that of another. It draws whole seconds, since requests of one second are not
// independent of each other. Its draws are the same in every run. Each second
// is in ascending order.
func bootstrap(of, to [][]float64, p float64) estimate {
	const draws = 1000
	random := rand.New(rand.NewPCG(1, 2))
	drawn := make([]float64, draws)
	for i := range drawn {
		drawn[i] = drawnPercentile(of, p, random) / drawnPercentile(to, p, random)
	}
	slices.Sort(drawn)
	whole := func(seconds [][]float64) float64 {
		return percentile(slices.Sorted(slices.Values(slices.Concat(seconds...))), p)
	}
	return estimate{Median: whole(of) / whole(to), Low: percentile(drawn, 0.025), High: percentile(drawn, 0.975), Coverage: 0.95}
}

// drawnPercentile is a percentile of as many seconds as there are, drawn with
// replacement. Only the longest times of each can matter to it.
func drawnPercentile(seconds [][]float64, p float64, random *rand.Rand) float64 {
	picked := make([][]float64, len(seconds))
	total := 0
	for i := range picked {
		picked[i] = seconds[random.IntN(len(seconds))]
		total += len(picked[i])
	}
	above := total - int(math.Ceil(p*float64(total))) // values above the percentile
	var longest []float64
	for _, s := range picked {
		longest = append(longest, s[max(0, len(s)-above-1):]...)
	}
	if len(longest) == 0 {
		return math.NaN()
	}
	slices.Sort(longest)
	return longest[len(longest)-1-above]
}

// windowResult tells for how long requests still began on the old colour after
// a move had returned.
type windowResult struct {
	Name     string    `json:"name"`
	Windows  []float64 `json:"windows_ms"` // of each move; 0 if there was no such request
	Old      int       `json:"old"`        // such requests in all
	Requests int       `json:"requests"`
	Failures int       `json:"failures"`
}

func newWindowResult(name string, visits []visit, moves []moved) windowResult {
	r := windowResult{Name: name, Requests: len(visits), Windows: make([]float64, len(moves))}
	for _, v := range visits {
		if v.failed {
			r.Failures++
			continue
		}
		for i, m := range moves {
			if v.colour == m.old && m.after.holds(v.sent) {
				r.Old++
				r.Windows[i] = max(r.Windows[i], milliseconds(v.sent.Sub(m.after.from)))
			}
		}
	}
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
