package metrics

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// releasesKept is how many releases of a slot keep their figures at most; of
// older ones only what Prometheus is told remains.
const releasesKept = 8

// Options make Metrics.
type Options struct {
	Version string // of the edge

	// What the labels of that name can be.
	Phases, SlotStates, Healths, Verdicts, Operations []string

	// Failures are what Request.Failure may be, 31 at most; the first means
	// that nothing has failed.
	Failures []Failure
}

// Failure is a reason why a request was not served.
type Failure struct {
	Name     string
	Upstream bool // the backend's
}

// Metrics are the figures of an edge. It is safe for concurrent use.
type Metrics struct {
	options Options
	began   time.Time

	mu    sync.Mutex // guards what follows; the request path never takes it
	slots map[slotKey]*slotRoutes
	ended map[endKey]int64
}

// slotKey is what Prometheus is told a route by. It is bounded by the
// configuration, which releases are not.
type slotKey struct{ app, route, colour string }

// slotRoutes are the releases that a route has led to in a slot.
type slotRoutes struct {
	current *Route
	routes  []*Route // oldest first; the current one among them
	gone    *Route   // sum of those that are forgotten
}

// New returns Metrics without any figures.
func New(o Options) *Metrics {
	return &Metrics{options: o, began: time.Now(), slots: map[slotKey]*slotRoutes{}, ended: map[endKey]int64{}}
}

// Route returns what counts the requests of a route while it leads to a
// release in a slot. It is the same for the same arguments.
func (m *Metrics) Route(app, route, colour, release string) *Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := slotKey{app, route, colour}
	s := m.slots[key]
	if s == nil {
		s = &slotRoutes{}
		m.slots[key] = s
	}
	if i := slices.IndexFunc(s.routes, func(r *Route) bool { return r.release == release }); i >= 0 {
		s.current = s.routes[i]
		s.current.past.active = time.Since(m.began)
		return s.current
	}
	s.current = &Route{key: key, release: release}
	s.current.past.looked = time.Since(m.began)
	s.current.past.active = s.current.past.looked
	s.routes = append(s.routes, s.current)
	if len(s.routes) > releasesKept {
		s.forget(0)
	}
	return s.current
}

// forget adds what a release has counted to what is told of the slot. What
// still ends on it later is lost.
func (s *slotRoutes) forget(i int) {
	if s.gone == nil {
		s.gone = &Route{key: s.routes[i].key}
	}
	s.gone.absorb(s.routes[i])
	s.routes = slices.Delete(s.routes, i, i+1)
}

// Run remembers, every second, what has happened, until ctx ends.
func (m *Metrics) Run(ctx context.Context) error {
	tick := time.NewTicker(fine)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.mu.Lock()
			m.look()
			m.age()
			m.mu.Unlock()
		case <-ctx.Done():
			return nil
		}
	}
}

// look brings what is remembered up to date. Called with m.mu held.
func (m *Metrics) look() {
	now := time.Since(m.began)
	for _, s := range m.slots {
		for _, r := range s.routes {
			r.look(now)
		}
	}
}

// age thins out what is remembered. Called with m.mu held.
func (m *Metrics) age() {
	now := time.Since(m.began)
	for _, s := range m.slots {
		for i := len(s.routes) - 1; i >= 0; i-- {
			r := s.routes[i]
			r.past.age(now)
			if r != s.current && len(r.past.spans) == 0 && now-r.past.active > remembered {
				s.forget(i)
			}
		}
	}
}

func (m *Metrics) time(at time.Duration) time.Time { return m.began.Add(at) }

// chosen returns the Routes that are asked for; empty means any. Called with
// m.mu held.
func (m *Metrics) chosen(app, route, colour, release string) (chosen []*Route) {
	for key, s := range m.slots {
		if key.app != app || key.route != route || colour != "" && key.colour != colour {
			continue
		}
		for _, r := range s.routes {
			if release == "" || r.release == release {
				chosen = append(chosen, r)
			}
		}
	}
	slices.SortFunc(chosen, func(a, b *Route) int {
		return cmp.Or(cmp.Compare(a.key.colour, b.key.colour), cmp.Compare(a.release, b.release))
	})
	return chosen
}

// total adds up everything that was counted in the slot. Called with m.mu
// held.
func (s *slotRoutes) total() *Route {
	sum := new(Route)
	if s.gone != nil {
		sum.absorb(s.gone)
	}
	for _, r := range s.routes {
		sum.absorb(r)
	}
	return sum
}
