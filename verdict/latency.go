package verdict

import "time"

// Latencies are compared in blocks, so that a long good time hides no bad one:
// each block is tested once, by ranks, against the previous release. The k-th
// may be wrong with a chance of c/k(k+1), which adds up to c however many there
// are (spending in the sense of Lan and DeMets 1983, by the union bound). Two
// blocks in a row must speak against the release, for caches fill after a
// switch.
type blocks struct {
	slower   float64 // the share that matters
	previous Histogram

	tested  int
	against int // in a row
	began   time.Duration
	before  Histogram // at the beginning of this block
	last    block
}

type block struct {
	duration Histogram
	larger   float64 // see ranks
}

const (
	blockTime     = 30 * time.Second
	blockRequests = 100 // fewer, of either release, are not compared
	// noticeable is a difference that is never too much.
	noticeable = 5 * time.Millisecond
)

// comparable reports whether the previous release has been seen enough.
func (b *blocks) comparable() bool { return b.previous.count() >= blockRequests }

// see closes a block when it is long enough.
func (b *blocks) see(at time.Duration, duration Histogram) {
	if at-b.began < blockTime || !b.comparable() {
		return
	}
	fresh := duration.since(b.before)
	if fresh.count() < blockRequests {
		return
	}
	b.tested++
	larger, chance := ranks(fresh, b.previous)
	spent := chanceLatencyRelative / float64(b.tested*(b.tested+1))
	if chance <= spent && b.matters(fresh) {
		b.against++
	} else {
		b.against = 0
	}
	b.last = block{fresh, larger}
	b.began, b.before = at, duration
}

// matters reports whether p50 or p90 are so much slower that users feel it.
func (b *blocks) matters(fresh Histogram) bool {
	for _, q := range []float64{0.5, 0.9} {
		was, is := b.previous.quantile(q), fresh.quantile(q)
		if is-was >= noticeable && float64(is) >= (1+b.slower)*float64(was) {
			return true
		}
	}
	return false
}
