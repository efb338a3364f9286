package metrics

import (
	"slices"
	"time"
)

const (
	fine       = time.Second // between two looks
	fineFor    = 5 * time.Minute
	coarse     = 10 * time.Second
	remembered = 2 * time.Hour
)

// span is what happened on a Route between two looks at it. Buckets that were
// not hit take no room, and a span in which nothing happened is not kept: a
// busy route has some 40 buckets hit in each, which makes 250 KB for the fine
// spans and 600 KB for the coarse ones; 6 MB is the most that is possible.
type span struct {
	from, to  time.Duration // since Metrics.began: the looks before and after it
	requests  int64
	errors    int64
	abandoned int64
	duration  Histogram
	firstByte Histogram
}

func (s *span) add(o span) {
	s.requests += o.requests
	s.errors += o.errors
	s.abandoned += o.abandoned
}

func (s *span) empty() bool {
	return s.requests|s.errors|s.abandoned == 0 && len(s.duration.cells) == 0 && len(s.firstByte.cells) == 0
}

// past is what is remembered of a Route.
type past struct {
	seen struct {
		requests, errors, abandoned int64
		duration, firstByte         plainHistogram
	}
	spans  []span // oldest first: coarse ones, then fine ones
	dense  int    // index of the first fine one
	looked time.Duration
	active time.Duration // when something was last recorded, or the Route asked for
}

// look remembers what has happened since the last look.
func (r *Route) look(now time.Duration) {
	p := &r.past
	s := span{
		from: p.looked, to: now,
		requests: news(r.answered(), &p.seen.requests), errors: news(r.errors.Load(), &p.seen.errors),
		abandoned: news(r.abandoned.Load(), &p.seen.abandoned),
		duration:  r.duration.since(&p.seen.duration), firstByte: r.firstByte.since(&p.seen.firstByte),
	}
	p.looked = now
	if s.empty() {
		return
	}
	p.active = now
	if last := len(p.spans) - 1; last >= p.dense && stepOf(p.spans[last].to, fine) == stepOf(now, fine) {
		p.spans[last] = joined(p.spans[last], s) // two looks within a second
		return
	}
	p.spans = append(p.spans, s)
}

func news(now int64, seen *int64) int64 {
	n := now - *seen
	*seen = now
	return n
}

// stepOf numbers the steps of time; a moment at the end of a step belongs to it.
func stepOf(at, step time.Duration) time.Duration { return (at + step - 1) / step }

func joined(a, b span) span {
	var sum adder
	sum.add(a)
	sum.add(b)
	return sum.joined()
}

// age makes the fine spans coarse when their time has come, and forgets the
// oldest.
func (p *past) age(now time.Duration) {
	for p.dense < len(p.spans) && p.spans[p.dense].to <= now-fineFor {
		// A coarse span is made of those that end in the same ten seconds, all at once.
		end := p.dense + 1
		step := stepOf(p.spans[p.dense].to, coarse)
		if step*coarse > now-fineFor {
			break
		}
		var sum adder
		sum.add(p.spans[p.dense])
		for ; end < len(p.spans) && stepOf(p.spans[end].to, coarse) == step; end++ {
			sum.add(p.spans[end])
		}
		p.spans[p.dense] = sum.joined()
		p.spans = slices.Delete(p.spans, p.dense+1, end)
		p.dense++
	}
	old := 0
	for old < p.dense && p.spans[old].to <= now-remembered {
		old++
	}
	p.spans = slices.Delete(p.spans, 0, old)
	p.dense -= old
}
