package verdict

import (
	"math"
	"time"
)

// Histogram counts durations in buckets, the shortest first; empty ones may be
// left out. Histograms that are compared have buckets of the same bounds.
type Histogram []Bucket

// Bucket counts what took longer than Lower and at most Upper.
type Bucket struct {
	Lower time.Duration `json:"l"`
	Upper time.Duration `json:"u"`
	Count int64         `json:"n"`
}

func (h Histogram) count() (n int64) {
	for _, b := range h {
		n += b.Count
	}
	return n
}

// quantile is the duration that a share q does not exceed, taken evenly within
// a bucket.
func (h Histogram) quantile(q float64) time.Duration {
	rank := q * float64(h.count())
	for _, b := range h {
		if rank -= float64(b.Count); rank <= 0 && b.Count > 0 {
			within := 1 + rank/float64(b.Count)
			return b.Lower + time.Duration(within*float64(b.Upper-b.Lower))
		}
	}
	return 0
}

// longer counts what certainly took longer than limit.
func (h Histogram) longer(limit time.Duration) (n int64) {
	for _, b := range h {
		if b.Lower >= limit {
			n += b.Count
		}
	}
	return n
}

// since is what has come to h after it was before.
func (h Histogram) since(before Histogram) Histogram {
	var fresh Histogram
	i := 0
	for _, b := range h {
		for i < len(before) && before[i].Upper < b.Upper {
			i++
		}
		if i < len(before) && before[i].Upper == b.Upper {
			b.Count -= before[i].Count
		}
		if b.Count > 0 {
			fresh = append(fresh, b)
		}
	}
	return fresh
}

// ranks compares two histograms by the rank-sum test with ties (Mann and
// Whitney 1947; Lehmann 1975, section 1.4): the chance that a value of a is
// larger than one of b, equal ones counting half, and how likely values of the
// same distribution are to differ as much in this direction.
func ranks(a, b Histogram) (larger, chance float64) {
	n, m := float64(a.count()), float64(b.count())
	if n == 0 || m == 0 {
		return 0.5, 1
	}
	var wins, below, ties float64
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		var mine, theirs float64
		switch {
		case j == len(b) || i < len(a) && a[i].Upper < b[j].Upper:
			mine, i = float64(a[i].Count), i+1
		case i == len(a) || b[j].Upper < a[i].Upper:
			theirs, j = float64(b[j].Count), j+1
		default:
			mine, theirs, i, j = float64(a[i].Count), float64(b[j].Count), i+1, j+1
		}
		wins += mine * (below + theirs/2)
		below += theirs
		t := mine + theirs
		ties += t * (t*t - 1)
	}
	all := n + m
	larger = wins / (n * m)
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if all < 2 || variance <= 0 {
		return larger, 0.5 // all are equal
	}
	return larger, above((wins - n*m/2 - 0.5) / math.Sqrt(variance))
}
