package metrics

import (
	"iter"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// histogram is counted into.
type histogram struct {
	sum     atomic.Int64 // nanoseconds
	buckets [buckets]atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	d = max(d, 0) // a sum must not shrink
	h.buckets[layout.of(d)].Add(1)
	h.sum.Add(int64(d))
}

// Histogram is how a number of durations are distributed, in buckets whose
// bounds are 9 % apart. Its zero value is empty.
type Histogram struct {
	cells []cell // not empty, in order
}

type cell struct {
	bucket uint16
	count  uint32
}

// Count returns how many durations it holds.
func (h Histogram) Count() (n int64) {
	for _, c := range h.cells {
		n += int64(c.count)
	}
	return n
}

// Quantile returns the duration that a share of q (0 to 1) does not exceed, 0
// of none. Within a bucket it is interpolated exponentially, as Prometheus
// does with native histograms; it is off by 9 % at most.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := min(max(q, 0), 1) * float64(h.Count())
	var below float64
	for i, c := range h.cells {
		n := float64(c.count)
		if below+n < rank && i < len(h.cells)-1 {
			below += n
			continue
		}
		low, high := bounds(int(c.bucket))
		share := max(rank-below, 0) / n
		if low == 0 {
			return time.Duration(share * float64(high))
		}
		return time.Duration(float64(low) * math.Pow(float64(high)/float64(low), share))
	}
	return 0
}

// Bucket counts durations longer than Lower and at most Upper.
type Bucket struct {
	Lower, Upper time.Duration
	Count        int64
}

// Buckets yields the buckets that are not empty, shortest first. All histograms
// have buckets of the same bounds, round limits (25 ms, 1 s) among them. The
// last holds what is longer than its end, too.
func (h Histogram) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for _, c := range h.cells {
			lower, upper := bounds(int(c.bucket))
			if !yield(Bucket{lower, upper, int64(c.count)}) {
				return
			}
		}
	}
}

// bounds of a bucket as durations; the last ends with the highest native bound.
func bounds(bucket int) (low, high time.Duration) {
	if bucket > 0 {
		low = layout.upper[bucket-1]
	}
	if bucket == buckets-1 {
		return low, max(low, nativeBound(highestNative))
	}
	return low, layout.upper[bucket]
}

// plainHistogram adds histograms up.
type plainHistogram struct {
	sum     int64
	buckets [buckets]int64
}

func (p *plainHistogram) add(h Histogram) {
	for _, c := range h.cells {
		p.buckets[c.bucket] += int64(c.count)
	}
}

// addAll adds everything that was ever counted.
func (p *plainHistogram) addAll(h *histogram) {
	p.sum += h.sum.Load()
	for i := range h.buckets {
		p.buckets[i] += h.buckets[i].Load()
	}
}

func (p *plainHistogram) histogram() Histogram {
	var h Histogram
	for i, n := range p.buckets {
		if n != 0 {
			h.cells = append(h.cells, cell{uint16(i), uint32(n)})
		}
	}
	h.cells = slices.Clip(h.cells)
	return h
}

// since returns what was counted since the last call with the same seen, which
// it brings up to date.
func (h *histogram) since(seen *plainHistogram) Histogram {
	var found [buckets]cell
	n := 0
	for i := range h.buckets {
		if now := h.buckets[i].Load(); now != seen.buckets[i] {
			found[n] = cell{uint16(i), uint32(now - seen.buckets[i])}
			n++
			seen.buckets[i] = now
		}
	}
	if n == 0 {
		return Histogram{}
	}
	return Histogram{slices.Clone(found[:n])}
}
