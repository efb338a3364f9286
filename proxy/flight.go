package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// cutGrace is how long a request that was cut has to write its error page.
const cutGrace = time.Second

// flight is one request on a backend, from acquire to release. It is the
// http.ResponseWriter of the request and the value its context carries.
type flight struct {
	http.ResponseWriter

	server   *Server
	language string // of the error pages
	route    *Route
	backend  *Backend   // that the request is counted on; nil: none
	path     *pathRoute // the path route that serves it; nil: none does
	client   netip.Addr
	peer     string // client as text, once it was asked for
	trusted  bool   // the peer is a trusted proxy
	probe    bool   // the request knows the probe secret
	invited  bool   // the request came with a signed link
	// multiplexed says that the connection carries other requests too
	// (HTTP/2, HTTP/3).
	multiplexed bool
	hasBody     bool
	closes      bool // the connection ends with the request
	proxied     bool
	broken      bool // the response broke off
	start       time.Time
	held        time.Duration // waited before it was counted
	id          string
	method      string
	logged      logged
	trace       *traced // nil: the request belongs to no trace

	ctx    flightContext
	cancel context.CancelCauseFunc
	slot   *slot

	status    int
	firstByte time.Duration
	received  atomic.Int64 // the transport may still read when the handler returns
	bytesOut  int64
	failure   Failure
	streaming bool         // server-sent events: no idle deadline
	retries   atomic.Int32 // http.Transport dials on a goroutine of its own
	writeErr  error
	reading   watchdog
	writing   watchdog

	// mu guards what a drain, which comes from another goroutine, may
	// touch: once over is set the connection belongs to someone else.
	mu         sync.Mutex
	over       bool
	severed    bool
	bodyDone   bool // the body has been read to its end
	bodyErr    error
	relay      *relay
	writeArmed time.Time
	readArmed  time.Time
}

// flightContext is the context of the request to the backend. It carries the
// flight through httputil.ReverseProxy to the hooks and the transport.
type flightContext struct {
	context.Context
	flight *flight
}

type flightKey struct{}

func (c *flightContext) Value(key any) any {
	if key == (flightKey{}) {
		return c.flight
	}
	return c.Context.Value(key)
}

func flightOf(ctx context.Context) *flight {
	return ctx.Value(flightKey{}).(*flight)
}

// retried notes one more attempt for the request that ctx belongs to.
func retried(ctx context.Context) {
	if f, ok := ctx.Value(flightKey{}).(*flight); ok {
		f.retries.Add(1)
	}
}

// clientText returns the client's address as it is told to backends and logs.
func (f *flight) clientText() string {
	if f.peer == "" {
		f.peer = f.client.String()
	}
	return f.peer
}

// Unwrap serves http.ResponseController.
func (f *flight) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// WriteHeader adds what the edge says about the response. It comes after the
// backend's header fields were copied, so that they cannot replace ours.
func (f *flight) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // the server says it by itself when the body is read
	}
	h := f.Header()
	h.Del(LabelHeader)
	if status < 200 {
		if f.logged.proto == "HTTP/1.0" {
			return // such a client would take it for the response (RFC 9110 §15.2)
		}
		removeHopByHop(h)
		f.armWrite()
		f.ResponseWriter.WriteHeader(status)
		return
	}
	f.status = status
	f.firstByte = time.Since(f.start)
	f.sign(h)
	if alt := f.server.altService; alt != nil {
		if len(f.route.Policy.Authorities) > 0 {
			alt = overTCP
		}
		h["Alt-Svc"] = alt
	}
	if f.closes || f.server.stopping.Load() {
		h.Set("Connection", "close") // informational responses have cleared the header
	}
	if isEventStream(h.Get("Content-Type")) {
		f.beginStream()
	}
	f.armWrite()
	f.ResponseWriter.WriteHeader(status)
}

// Write counts, and keeps the client from reading nothing for ever.
func (f *flight) Write(p []byte) (int, error) {
	if f.status == 0 {
		f.WriteHeader(http.StatusOK)
	}
	f.armWrite()
	if !f.streaming {
		f.writing.begin(f)
	}
	n, err := f.ResponseWriter.Write(p)
	f.writing.end()
	f.bytesOut += int64(n)
	if err != nil {
		f.writeErr = err
	}
	return n, err
}

// FlushError serves http.ResponseController. Flushing waits for the client as
// writing does.
func (f *flight) FlushError() error {
	f.armWrite()
	if !f.streaming {
		f.writing.begin(f)
	}
	defer f.writing.end()
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// finish ends the flight unless a relay has taken it over: from here on no
// drain touches the connection. It must run in a defer, since a response that
// breaks off ends in a panic.
func (f *flight) finish() {
	f.mu.Lock()
	f.over = true
	taken := f.relay != nil
	f.leaveBody()
	f.leaveResponse()
	f.mu.Unlock()
	if taken {
		return
	}
	f.cancel(nil)
	duration := time.Since(f.start)
	f.logAccess(duration, f.received.Load(), f.bytesOut)
	o := f.observe(duration)
	if r := f.route.Recorder; r != nil && !f.probe {
		r.Request(o)
	}
	f.recordTrace(o)
	if f.slot != nil {
		f.slot.Store(nil)
	}
	switch {
	case f.streaming:
		f.endStream()
	case f.slot != nil:
		f.backend.release()
	}
}

// observe is what is known about a request that has ended.
func (f *flight) observe(duration time.Duration) Observation {
	return Observation{
		Method:    f.method,
		Status:    f.status,
		Duration:  duration,
		FirstByte: f.firstByte,
		Held:      f.held,
		BytesIn:   f.received.Load(),
		BytesOut:  f.bytesOut,
		Retries:   int(f.retries.Load()),
		Proxied:   f.proxied,
		Lasting:   f.streaming,
		Path:      f.path.name(),
		Failure:   f.failure,
	}
}

type cutKind int

const (
	cutNothing cutKind = iota
	cutRequest
	cutUpgrade
)

// cut ends the flight if it is of a kind that is to end, and says which kind
// was ended; only the first cut counts. With a backend, a flight that has left
// it is spared.
//
// Cancelling ends the exchange with the backend, so that a request without an
// answer gets its error page and an event stream the end of its body. A client
// that is in the way is overcome by deadlines: one that does not send its body
// at once, one that does not read after a grace.
func (f *flight) cut(from *Backend, requests, upgraded bool, cause error) cutKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.severed || from != nil && from != f.backend {
		return cutNothing
	}
	if f.relay != nil {
		if !upgraded {
			return cutNothing
		}
		f.severed = true
		f.relay.end(closeServiceRestart)
		return cutUpgrade
	}
	kind, asked := cutRequest, requests
	if f.streaming {
		kind, asked = cutUpgrade, upgraded
	}
	if !asked || f.over {
		return cutNothing
	}
	f.severed = true
	f.cancel(cause)
	control := http.NewResponseController(f.ResponseWriter)
	if f.hasBody && !f.bodyDone {
		_ = control.SetReadDeadline(time.Unix(1, 0))
	}
	_ = control.SetWriteDeadline(time.Now().Add(cutGrace))
	return kind
}

// isLong reports whether the flight is counted as upgraded.
func (f *flight) isLong() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.relay != nil || f.streaming
}

// wasCut reports whether a drain or the end of the server ended the flight.
func (f *flight) wasCut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.severed
}

// failedBody returns the error with which reading the client's body ended.
func (f *flight) failedBody() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodyErr
}
