package metrics

import "time"

// Figures are what happened on a route in a span of time: of requests that
// tell something of the release. Those that another path served, and those
// that the edge or the client itself has ended, are not among them.
type Figures struct {
	From, To time.Time
	// First and Last are when the first and the last of it was, as precisely as
	// is remembered; zero when nothing was.
	First, Last time.Time

	Requests  int64     // WebSockets that were established among them
	Errors    int64     // that count against the release
	Abandoned int64     // not among Requests: clients that left after waiting in vain
	Duration  Histogram // of those that do not last
	FirstByte Histogram // of those that are no WebSocket
}

// Figures returns what happened on a route between two moments of the last two
// hours, up to this very moment. What is remembered are seconds of the last
// five minutes and ten seconds before; one that lies partly between from and to
// counts as a whole. An empty colour or release means all.
func (m *Metrics) Figures(app, route, colour, release string, from, to time.Time) Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.look()
	var sum adder
	for _, r := range m.chosen(app, route, colour, release) {
		for _, s := range r.past.spans {
			if m.time(s.to).After(from) && !m.time(s.from).After(to) {
				sum.add(s)
			}
		}
	}
	return m.told(&sum, from, to)
}

// Series returns the figures of a route's slot from a moment until now, in
// steps that end at from + step, from + 2 × step and so on; the last may not
// be over yet. An empty colour means all.
func (m *Metrics) Series(app, route, colour string, from time.Time, step time.Duration) []Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.look()
	now := time.Now()
	step = max(step, time.Second)
	from = later(from, now.Add(-remembered))
	var steps []Figures
	chosen := m.chosen(app, route, colour, "")
	next := make([]int, len(chosen)) // span of each that was not looked at
	for at := from; at.Before(now); at = at.Add(step) {
		var sum adder
		end := at.Add(step)
		for i, r := range chosen {
			for ; next[i] < len(r.past.spans); next[i]++ {
				s := r.past.spans[next[i]]
				if m.time(s.to).After(end) {
					break
				}
				if m.time(s.to).After(at) {
					sum.add(s)
				}
			}
		}
		steps = append(steps, m.told(&sum, at, end))
	}
	return steps
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// adder adds spans up.
type adder struct {
	span
	duration, firstByte *plainHistogram
}

func (a *adder) add(s span) {
	a.span.add(s)
	if a.duration == nil {
		a.duration, a.firstByte = new(plainHistogram), new(plainHistogram)
		a.from, a.to = s.from, s.to
	}
	a.from, a.to = min(a.from, s.from), max(a.to, s.to)
	a.duration.add(s.duration)
	a.firstByte.add(s.firstByte)
}

// joined returns what was added as one span.
func (a *adder) joined() span {
	s := a.span
	s.duration, s.firstByte = a.duration.histogram(), a.firstByte.histogram()
	return s
}

// told are the figures of what was added.
func (m *Metrics) told(a *adder, from, to time.Time) Figures {
	f := Figures{From: from, To: to, Requests: a.requests, Errors: a.errors, Abandoned: a.abandoned}
	if a.duration != nil {
		f.Duration, f.FirstByte = a.duration.histogram(), a.firstByte.histogram()
		f.First, f.Last = m.time(a.from), m.time(a.to)
	}
	return f
}
