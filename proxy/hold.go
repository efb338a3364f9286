package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// HeldRequests is how many requests one Hold keeps waiting at most. Each of
// them costs its connection and a few kilobytes.
const HeldRequests = 10_000

// heldPerClient is how many of these one client, an IPv6 one by its network,
// may have, so that nobody takes all places.
const heldPerClient = HeldRequests / 10

// Hold keeps the requests of the routes that carry it waiting until it is
// released. A request that waits is counted on no backend: afterwards it is
// served by whatever the service is routed to then.
type Hold struct {
	released chan struct{}
	once     sync.Once
	places   int64
	waiting  atomic.Int64
	total    atomic.Int64
	turned   atomic.Int64

	mu      sync.Mutex
	clients map[netip.Addr]int // that wait, by their network
}

// NewHold returns a hold with room for HeldRequests.
func NewHold() *Hold {
	return &Hold{released: make(chan struct{}), places: HeldRequests}
}

// Release lets all requests go, those that still come as well. Route the
// service elsewhere first: what is let go looks at its route again.
func (h *Hold) Release() { h.once.Do(func() { close(h.released) }) }

// Waiting returns how many requests wait.
func (h *Hold) Waiting() int64 { return h.waiting.Load() }

// Total returns how many requests have waited, those that wait included.
func (h *Hold) Total() int64 { return h.total.Load() }

// TurnedAway returns how many requests found no place to wait.
func (h *Hold) TurnedAway() int64 { return h.turned.Load() }

// enter takes a place to wait for a client; false means that there is none left.
func (h *Hold) enter(client netip.Addr) bool {
	network := networkOf(client)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting.Load() >= h.places || h.clients[network] >= heldPerClient {
		h.turned.Add(1)
		return false
	}
	if h.clients == nil {
		h.clients = make(map[netip.Addr]int)
	}
	h.clients[network]++
	h.waiting.Add(1)
	h.total.Add(1)
	return true
}

func (h *Hold) leave(client netip.Addr) {
	network := networkOf(client)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients[network]--; h.clients[network] == 0 {
		delete(h.clients, network)
	}
	h.waiting.Add(-1)
}

// holds reports whether a request has to wait before it may be counted.
// Probes do not: they have to see a release before its users do.
func (r *Route) holds(probe bool) bool { return r.Hold != nil && !probe }

// enter gives the flight the route that serves it, with the request counted on
// its backend, after it has waited for as long as the service holds. When the
// result is not FailureNone nothing is counted, and the wait has ended with
// that.
func (s *Server) enter(f *flight, service *Service, r *http.Request) Failure {
	f.route = service.acquire(f.probe)
	for f.route.holds(f.probe) {
		if failure := s.wait(f, f.route.Hold, r); failure != FailureNone {
			return failure
		}
		f.route = service.acquire(f.probe)
	}
	return FailureNone
}

func (s *Server) wait(f *flight, h *Hold, r *http.Request) Failure {
	if !h.enter(f.client) {
		return FailureHeld
	}
	defer h.leave(f.client)
	began := time.Now()
	defer func() { f.held += time.Since(began) }()
	var look <-chan time.Time
	if f.hasBody && r.ProtoMajor == 1 {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-h.released:
			return FailureNone
		case <-r.Context().Done():
			return FailureClientGone
		case <-s.halt:
			return FailureHeld
		case <-look:
			if hasLeft(r) {
				return FailureClientGone
			}
		}
	}
}

// lookEvery is how often a connection is looked at whose client may leave
// unnoticed: net/http watches an HTTP/1.1 connection only once the body of the
// request has been read.
const lookEvery = time.Second

type connKey struct{}

// hasLeft reports whether the client has closed the connection of r.
func hasLeft(r *http.Request) bool {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	for {
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = wrapped.NetConn()
	}
	direct, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := direct.SyscallConn()
	if err != nil {
		return true
	}
	left := false
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(poll, 0)
		left = err == nil && n > 0
	})
	return left || err != nil
}
