package proxy

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// The route is loaded, then the switch and a whole drain of the old backend
// happen, then the count is taken. Without the second load the request would
// go to a backend whose drain has ended.
func TestRequestPausedBeforeItsCountNeverReachesADrainedBackend(t *testing.T) {
	blue, green := NewBackend(BackendOptions{}), NewBackend(BackendOptions{})
	s := NewService(&Route{Backend: blue})
	loaded, resume := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.loaded = func() {
		once.Do(func() {
			close(loaded)
			<-resume
		})
	}
	acquired := make(chan *Route)
	go func() { acquired <- s.acquire(false) }()
	<-loaded

	s.Set(&Route{Backend: green})
	if _, err := blue.Drain(t.Context(), DrainLimits{}); err != nil {
		t.Fatal(err)
	}
	close(resume)

	if r := <-acquired; r.Backend != green {
		t.Error("the request was given the drained backend")
	}
	if b, g := blue.InFlight(), green.InFlight(); b != 0 || g != 1 {
		t.Errorf("in flight: blue %d, green %d; want 0 and 1", b, g)
	}
}

// The other order: the count was taken before the drain looks.
func TestDrainWaitsForARequestThatWasCountedBeforeTheSwitch(t *testing.T) {
	blue := NewBackend(BackendOptions{})
	s := NewService(&Route{Backend: blue})
	r := s.acquire(false)
	s.Set(nil)
	drained := make(chan error, 1)
	go func() {
		_, err := blue.Drain(context.Background(), DrainLimits{})
		drained <- err
	}()
	eventually(t, "the drain waits", func() bool { return blue.waiting.Load() == 1 })
	select {
	case <-drained:
		t.Fatal("drained with a request in flight")
	default:
	}
	r.Backend.release()
	if err := receive(t, "the drain ends", drained); err != nil {
		t.Fatal(err)
	}
}

func TestAcquireUnderSwitchesCountsOnTheRouteItReturns(t *testing.T) {
	backends := []*Backend{NewBackend(BackendOptions{}), NewBackend(BackendOptions{})}
	s := NewService(&Route{Backend: backends[0]})
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 5000 {
				r := s.acquire(false)
				if r.Backend.InFlight() < 1 {
					t.Error("acquired a backend with nothing in flight")
				}
				r.Backend.release()
			}
		})
	}
	for i := range 2000 {
		s.Set(&Route{Backend: backends[i%2]})
	}
	workers.Wait()
	for i, b := range backends {
		if n := b.InFlight(); n != 0 {
			t.Errorf("backend %d: %d in flight at the end", i, n)
		}
	}
}

// An upgrade is counted in both places for an instant rather than in none.
func TestUpgradeNeverLooksIdle(t *testing.T) {
	b := NewBackend(BackendOptions{})
	for range 2000 {
		b.acquire()
		done := make(chan struct{})
		go func() {
			b.upgrade()
			close(done)
		}()
		for b.InFlight() > 0 {
			if b.idle() {
				t.Fatal("idle in the middle of an upgrade")
			}
		}
		<-done
		b.releaseUpgraded()
	}
}

func TestBagFindsEveryFlightAndForgetsRemovedOnes(t *testing.T) {
	var b bag
	slots := make(map[*flight]*slot)
	for range 1000 {
		f := new(flight)
		slots[f] = b.add(f)
	}
	seen := make(map[*flight]bool)
	b.each(func(f *flight) { seen[f] = true })
	if len(seen) != len(slots) {
		t.Fatalf("found %d of %d flights", len(seen), len(slots))
	}
	for _, s := range slots {
		s.Store(nil)
	}
	b.each(func(*flight) { t.Error("found a removed flight") })
}

func BenchmarkAcquireRelease(b *testing.B) {
	s := NewService(&Route{Backend: NewBackend(BackendOptions{})})
	b.ReportAllocs()
	for b.Loop() {
		s.acquire(false).Backend.release()
	}
}

func BenchmarkAcquireReleaseParallel(b *testing.B) {
	s := NewService(&Route{Backend: NewBackend(BackendOptions{})})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.acquire(false).Backend.release()
		}
	})
}

func BenchmarkBag(b *testing.B) {
	var all bag
	for range 1000 {
		all.add(new(flight))
	}
	f := new(flight)
	b.ReportAllocs()
	for b.Loop() {
		all.add(f).Store(nil)
	}
}

func BenchmarkHostLookup(b *testing.B) {
	services := make(map[string]*Service)
	for i := range 100 {
		services[fmt.Sprintf("host-%d.example.com", i)] = NewService(nil)
	}
	table, err := NewTable(TableOptions{Services: services})
	if err != nil {
		b.Fatal(err)
	}
	for _, host := range []string{"host-42.example.com", "host-42.example.com:8443", "Host-42.Example.com."} {
		b.Run(host, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := table.lookup(host); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
