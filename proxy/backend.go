package proxy

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultBackendIdle   = 4 * time.Second
	defaultDialTimeout   = 3 * time.Second
	defaultHeaderTimeout = 60 * time.Second

	idleConnsPerBackend = 1024
	backendHeaderBytes  = 256 << 10
)

// BackendOptions describes one address that requests are forwarded to. The
// zero value of every duration selects its default.
type BackendOptions struct {
	// Address is host:port, or unix:/path of a socket.
	Address string
	// IdleTimeout ends an unused keep-alive connection to the backend. It
	// must be shorter than the backend's own, or requests that must not be
	// sent twice (a POST) are lost on connections the backend is just
	// closing. Default 4 s: Node.js closes at 5 s.
	IdleTimeout time.Duration
	// DialTimeout limits connecting. Default 3 s.
	DialTimeout time.Duration
	// HeaderTimeout limits the wait for the response header once the request
	// is written; a client then gets 504. Default 60 s.
	HeaderTimeout time.Duration
	// H2C speaks HTTP/2 without TLS to the backend, with prior knowledge (RFC
	// 9113 §3.3), instead of HTTP/1.1. gRPC needs it. The opening handshake of
	// a WebSocket is HTTP/1.1 all the same.
	H2C bool
}

// Backend is one address that requests are forwarded to. It owns the
// connections to it and the counts of what is in flight on it. The counts live
// here, not in the Route, because several routes lead to one backend and a
// drain must see them all.
type Backend struct {
	options       BackendOptions
	headerTimeout time.Duration
	dialer        *dialer
	transport     *transport

	requests atomic.Int64
	upgraded atomic.Int64
	flights  bag

	// waiting says whether a drain waits, so that a release to zero takes
	// the mutex only then.
	waiting   atomic.Int32
	waitersMu sync.Mutex
	waiters   []chan struct{}
}

// NewBackend returns a backend that opens its first connection with its first
// request.
func NewBackend(o BackendOptions) *Backend {
	b := &Backend{
		options:       o,
		headerTimeout: cmp.Or(o.HeaderTimeout, defaultHeaderTimeout),
		dialer:        newDialer(o.Address, cmp.Or(o.DialTimeout, defaultDialTimeout)),
	}
	b.transport = newTransport(b.dialer, cmp.Or(o.IdleTimeout, defaultBackendIdle), b.headerTimeout, o.H2C)
	return b
}

// Address returns host:port or unix:/path.
func (b *Backend) Address() string { return b.options.Address }

// Options returns the options that the backend was made with.
func (b *Backend) Options() BackendOptions { return b.options }

// InFlight returns how many requests are being served, without the upgraded
// ones.
func (b *Backend) InFlight() int64 { return b.requests.Load() }

// Upgraded returns how many long-lived exchanges are open: WebSockets and
// streams of server-sent events.
func (b *Backend) Upgraded() int64 { return b.upgraded.Load() }

// Close closes the idle connections to the backend. Requests in flight are not
// touched, and the backend stays usable.
func (b *Backend) Close() { b.transport.close() }

func (b *Backend) acquire() { b.requests.Add(1) }

func (b *Backend) release() {
	if b.requests.Add(-1) == 0 {
		b.wake()
	}
}

// upgrade moves one from the requests to the long-lived exchanges. It adds
// first: a drain, which reads the requests first, then never misses it.
func (b *Backend) upgrade() {
	b.upgraded.Add(1)
	b.release()
}

func (b *Backend) releaseUpgraded() {
	if b.upgraded.Add(-1) == 0 {
		b.wake()
	}
}
