package proxy

import (
	"net/http"
	"strings"
	"time"
)

// Tracer records requests of a route as spans of traces. One Tracer serves one
// Route; it must not block or keep locks: it is called on the request path,
// from many goroutines at once.
type Tracer interface {
	// Sample decides whether a request is recorded that has no caller whose
	// decision is believed.
	Sample() bool
	// Record is called at the end of each request that is to be recorded, and
	// for a WebSocket when it is established. What is left after Record has
	// returned belongs to the request: copy it.
	Record(Span)
}

// Span is what is known about a request that is recorded.
type Span struct {
	// Observation is what any Recorder is told of the request; of a WebSocket
	// it is the handshake.
	Observation
	// Trace and ID are what the backend was told in traceparent, in lower-case
	// hexadecimal digits.
	Trace, ID string
	// Parent is the span that the client came with; empty begins a trace.
	Parent string
	// Start is the end of the request header.
	Start time.Time
	// Asked is from Start to when the request was first given to the backend,
	// Answered to the backend's response header; 0 when that did not happen.
	Asked, Answered time.Duration
	// Request is the id of the request in X-Request-Id and the access log.
	Request string
	// Client is the address of the client.
	Client string
	// Host is the client's, with its port. Target is the path as it was sent,
	// without the query, which may hold secrets. Proto is such as "HTTP/2.0".
	// Agent is the User-Agent. All are bounded, but may hold any bytes.
	Host, Target, Proto, Agent string
}

// traced is the part that a request has in a trace. A flight has none while
// there is no Tracer and the client does not tell of a trace, which costs
// nothing then; with a Tracer it also holds the new header field, so that a
// request that is not recorded allocates nothing besides that.
type traced struct {
	// told is the traceparent that the backend gets: the client's, or ours
	// where there is a Tracer.
	told   [1]string
	parent string // the client's span; only with a Tracer
	// sampled says that the Tracer records the request.
	sampled         bool
	state           bool // the client's tracestate goes on
	asked, answered time.Duration
}

func (t *traced) context() traceParent { return traceParent(t.told[0]) }

// keep makes copies, so that a WebSocket does not hold the header it came with.
func (t *traced) keep() {
	if t != nil {
		t.told[0], t.parent = strings.Clone(t.told[0]), ""
	}
}

// joinTrace finds the place of a request in its trace. Without a Tracer the
// header passes as it is, and only the access log has to know. A trace of which
// the client tells is continued, but its word that it is recorded counts only
// from a trusted proxy: otherwise anyone could have everything recorded. For the
// same reason nothing is decided by the trace id, which the client chooses.
func (f *flight) joinTrace(h http.Header) {
	told := parseTraceParent(h[traceParentHeader])
	tracer := f.route.Tracer
	if f.probe || tracer == nil && told == "" {
		return
	}
	f.trace = new(traced)
	if tracer == nil {
		f.trace.told[0] = string(told)
		return
	}
	trace := ""
	if told != "" {
		trace, f.trace.parent = told.trace(), told.span()
		f.trace.state = validTraceState(h[traceStateHeader])
	}
	if told != "" && f.trusted {
		f.trace.sampled = told.sampled()
	} else {
		f.trace.sampled = tracer.Sample()
	}
	f.trace.told[0] = string(newTraceParent(trace, f.trace.sampled))
}

// tellTrace makes the edge the backend's parent. A tracestate belongs to the
// traceparent that it came with, and goes where that does not go on.
func (f *flight) tellTrace(h http.Header) {
	if f.trace == nil || f.route.Tracer == nil {
		return
	}
	h[traceParentHeader] = f.trace.told[:]
	if !f.trace.state {
		delete(h, traceStateHeader)
	}
}

func (f *flight) recorded() bool { return f.trace != nil && f.trace.sampled }

// traceAsked and traceAnswered note when the backend is given the request, and
// when it has begun to answer.
func (f *flight) traceAsked() {
	if f.recorded() {
		f.trace.asked = time.Since(f.start)
	}
}

func (f *flight) traceAnswered() {
	if f.recorded() {
		f.trace.answered = time.Since(f.start)
	}
}

// recordTrace gives the Tracer what is known of a request that is recorded.
func (f *flight) recordTrace(o Observation) {
	if !f.recorded() {
		return
	}
	context := f.trace.context()
	o.Method = bounded(o.Method, 16)
	f.route.Tracer.Record(Span{
		Observation: o,
		Trace:       context.trace(),
		ID:          context.span(),
		Parent:      f.trace.parent,
		Start:       f.start,
		Asked:       f.trace.asked,
		Answered:    f.trace.answered,
		Request:     f.id,
		Client:      f.clientText(),
		Host:        bounded(f.logged.host, maxLoggedAgent),
		Target:      bounded(f.logged.path, maxLoggedPath),
		Proto:       f.logged.proto,
		Agent:       bounded(f.logged.agent, maxLoggedAgent),
	})
}
