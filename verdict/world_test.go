package verdict

import (
	"math"
	"math/rand/v2"
	"time"
)

// world is traffic that is made up: how much comes, how much of it fails and how
// long it takes.
type world struct {
	random *rand.Rand
	rate   float64                        // requests a second
	fails  func(at time.Duration) float64 // share
	burst  float64                        // failures come in bursts of this mean length; 1: singly
	slower func(at time.Duration) float64 // factor on all durations
}

const (
	bucketGrowth = 1.0905 // as a native histogram of schema 3
	firstBucket  = 100 * time.Microsecond
	buckets      = 140
	median       = 40 * time.Millisecond
	spread       = 0.8 // of the logarithm of durations
)

// pass lets time go by and adds what came to a sample.
func (w *world) pass(s *Sample, step time.Duration) {
	w.come(s, w.rate*step.Seconds())
	s.At += step
}

// come adds about n requests to a sample.
func (w *world) come(s *Sample, n float64) {
	if s.Duration == nil {
		s.Duration = make(Histogram, buckets)
		upper := float64(firstBucket)
		for i := range s.Duration {
			s.Duration[i].Upper = time.Duration(upper)
			if i > 0 {
				s.Duration[i].Lower = s.Duration[i-1].Upper
			}
			upper *= bucketGrowth
		}
	}
	fresh := w.fill(s.Duration, n, w.slower(s.At))
	s.Requests += fresh
	s.Errors += w.failures(fresh, w.fails(s.At))
}

// fill spreads n lognormal durations over buckets.
func (w *world) fill(h Histogram, n, slower float64) (all int64) {
	if n < 50 {
		all = w.poisson(n)
		for range all {
			d := float64(median) * slower * math.Exp(spread*w.random.NormFloat64())
			i := int(math.Ceil(math.Log(d/float64(firstBucket)) / math.Log(bucketGrowth)))
			h[min(max(i, 0), buckets-1)].Count++
		}
		return all
	}
	below := 0.0
	for i := range h {
		z := math.Log(float64(h[i].Upper)/(float64(median)*slower)) / spread
		upTo := 1 - above(z)
		if i == buckets-1 {
			upTo = 1
		}
		c := w.poisson(n * (upTo - below))
		h[i].Count += c
		all += c
		below = upTo
	}
	return all
}

// failures draws how many of n fail.
func (w *world) failures(n int64, share float64) (failed int64) {
	switch {
	case share <= 0:
		return 0
	case share >= 1:
		return n
	case w.burst > 1:
		for range w.poisson(float64(n) * share / w.burst) {
			failed += 1 + int64(w.random.ExpFloat64()*(w.burst-1)+0.5)
		}
		return min(failed, n)
	}
	for at := w.gap(share); at < n; at += 1 + w.gap(share) {
		failed++
	}
	return failed
}

// gap is how many succeed before the next one fails.
func (w *world) gap(share float64) int64 {
	return int64(w.random.ExpFloat64() / -math.Log1p(-share))
}

// poisson draws from that distribution; a large mean is taken as normal.
func (w *world) poisson(mean float64) int64 {
	if mean > 200 {
		return max(0, int64(math.Round(mean+math.Sqrt(mean)*w.random.NormFloat64())))
	}
	n, left := int64(0), mean
	for left -= w.random.ExpFloat64(); left > 0; left -= w.random.ExpFloat64() {
		n++
	}
	return n
}

// history is what is known of a release that lived in this world until now.
func (w *world) history(long time.Duration) Baseline {
	var sum Sample
	var spans []Traffic
	for sum.At < long {
		before := sum
		w.pass(&sum, time.Minute)
		spans = append(spans, Traffic{Requests: sum.Requests - before.Requests, Errors: sum.Errors - before.Errors})
	}
	return Baseline{Traffic: sum.Traffic, Dispersion: Dispersion(spans)}
}
