package metrics

import (
	"maps"
	"sync/atomic"
)

// absorb adds everything that another Route has counted, paths too. Nothing is
// recorded in r itself.
func (r *Route) absorb(o *Route) {
	r.answers.absorb(&o.answers)
	add(&r.errors, &o.errors)
	add(&r.abandoned, &o.abandoned)
	add(&r.retries, &o.retries)
	add(&r.upgrades, &o.upgrades)
	add(&r.cut, &o.cut)
	r.lasting.absorb(&o.lasting)
	for i := range o.failures {
		add(&r.failures[i], &o.failures[i])
	}
	for name, a := range o.byPath() {
		r.path(name).absorb(a)
	}
}

func (r *Route) byPath() map[string]*answers {
	if known := r.paths.Load(); known != nil {
		return maps.Clone(*known)
	}
	return nil
}

func (a *answers) absorb(o *answers) {
	for class := range o.requests {
		for method := range o.requests[class] {
			add(&a.requests[class][method], &o.requests[class][method])
		}
	}
	add(&a.bytesIn, &o.bytesIn)
	add(&a.bytesOut, &o.bytesOut)
	a.duration.absorb(&o.duration)
	a.firstByte.absorb(&o.firstByte)
}

func (h *histogram) absorb(o *histogram) {
	add(&h.sum, &o.sum)
	for i := range o.buckets {
		add(&h.buckets[i], &o.buckets[i])
	}
}

func add(to, from *atomic.Int64) {
	if n := from.Load(); n != 0 {
		to.Add(n)
	}
}
