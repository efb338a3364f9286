package proxy

import (
	"math/rand/v2"
	"sync/atomic"
)

const (
	firstSegment = 64
	probes       = 8
)

// bag holds the flights of a backend so that a drain can find the ones it must
// end. Adding and removing are one compare-and-swap and one store on a slot
// picked at random; nothing is locked. It grows to a small multiple of the
// most flights there ever were at once and never shrinks.
type bag struct {
	newest atomic.Pointer[segment]
}

// A segment is twice as long as the one before it, so that the newest holds
// at least half of all slots and a few random probes nearly always suffice.
type segment struct {
	slots []slot
	older *segment
}

type slot = atomic.Pointer[flight]

// add puts f in a free slot and returns it; storing nil there takes f out.
func (b *bag) add(f *flight) *slot {
	for {
		newest := b.newest.Load()
		for s := newest; s != nil; s = s.older {
			if free := s.take(f); free != nil {
				return free
			}
		}
		b.grow(newest)
	}
}

func (s *segment) take(f *flight) *slot {
	at := rand.Uint32()
	for i := range uint32(probes) {
		free := &s.slots[(at+i)%uint32(len(s.slots))]
		if free.Load() == nil && free.CompareAndSwap(nil, f) {
			return free
		}
	}
	return nil
}

// grow puts a longer segment in front of newest. Losing the race is fine:
// someone else grew it.
func (b *bag) grow(newest *segment) {
	size := firstSegment
	if newest != nil {
		size = 2 * len(newest.slots)
	}
	b.newest.CompareAndSwap(newest, &segment{slots: make([]slot, size), older: newest})
}

// each calls visit for every flight that is in the bag during the whole call;
// one that comes or goes meanwhile may be missed.
func (b *bag) each(visit func(*flight)) {
	for s := b.newest.Load(); s != nil; s = s.older {
		for i := range s.slots {
			if f := s.slots[i].Load(); f != nil {
				visit(f)
			}
		}
	}
}
