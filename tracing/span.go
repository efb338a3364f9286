package tracing

import (
	"encoding/hex"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"sofiacall.com/bluegreen/proxy"
)

// The names of attributes are those of the semantic conventions for HTTP
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/) that are
// stable, and our own. url.query is left out: it may hold secrets.

// span puts what was recorded into the terms of OTLP.
func (r *recorded) span() *trace.Span {
	s := &trace.Span{
		TraceId: unhex(r.Trace), SpanId: unhex(r.ID), ParentSpanId: unhex(r.Parent),
		Name: "HTTP", Kind: trace.Span_SPAN_KIND_SERVER,
		Flags:             uint32(trace.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK) | 1,
		StartTimeUnixNano: nanos(r.Start), EndTimeUnixNano: nanos(r.Start.Add(r.Duration)),
	}
	if r.Parent != "" {
		s.Flags |= uint32(trace.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	a := slices.Grow(slices.Clone(r.tracer.labels), 16)
	if method := r.Method; slices.Contains(methods, method) {
		s.Name = method
		a = append(a, text("http.request.method", method))
	} else {
		a = append(a, text("http.request.method", "_OTHER"), text("http.request.method_original", method))
	}
	host, port := server(r.Host)
	a = append(a,
		text("url.scheme", "https"), text("url.path", r.Target),
		text("server.address", host), number("server.port", port),
		text("client.address", r.Client), text("network.protocol.version", version(r.Proto)),
		text("bluegreen.request_id", r.Request),
	)
	if r.Status > 0 {
		a = append(a, number("http.response.status_code", int64(r.Status)))
	}
	if r.Agent != "" {
		a = append(a, text("user_agent.original", r.Agent))
	}
	if r.Path != "" {
		a = append(a, text("bluegreen.path_route", r.Path))
	}
	if r.Held > 0 {
		a = append(a, number("bluegreen.held_us", r.Held.Microseconds()))
	}
	if r.Retries > 0 {
		a = append(a, number("bluegreen.retries", int64(r.Retries)))
	}
	if r.Failure != proxy.FailureNone {
		a = append(a, text("bluegreen.failure", r.Failure.String()))
	}
	if kind := r.errorType(); kind != "" {
		a = append(a, text("error.type", kind))
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR}
	}
	s.Attributes, s.Events = a, r.events()
	return s
}

// events are the moments of a request between its beginning and its end.
func (r *recorded) events() (events []*trace.Span_Event) {
	for _, e := range [...]struct {
		name  string
		after time.Duration
	}{
		{"bluegreen.backend.asked", r.Asked},
		{"bluegreen.backend.answered", r.Answered},
		{"bluegreen.first_byte", r.FirstByte},
	} {
		if e.after > 0 {
			events = append(events, &trace.Span_Event{Name: e.name, TimeUnixNano: nanos(r.Start.Add(e.after))})
		}
	}
	return events
}

// errorType says what went wrong, unless the client did.
func (r *recorded) errorType() string {
	switch {
	case r.Failure.Upstream(), r.Failure == proxy.FailureDrained:
		return r.Failure.String()
	case r.Status >= 500:
		return strconv.Itoa(r.Status)
	}
	return ""
}

// methods are those that the conventions know.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// version is the protocol's without its name: "1.1", "2".
func version(proto string) string {
	version := strings.TrimPrefix(proto, "HTTP/")
	if version != "1.0" {
		version = strings.TrimSuffix(version, ".0")
	}
	return version
}

// server splits a Host field, in which 443 goes without saying.
func server(host string) (name string, port int64) {
	name, written, err := net.SplitHostPort(host)
	if err != nil {
		return strings.Trim(host, "[]"), 443
	}
	n, err := strconv.ParseUint(written, 10, 16)
	if err != nil {
		n = 443
	}
	return name, int64(n)
}

func nanos(t time.Time) uint64 { return uint64(max(0, t.UnixNano())) }

func unhex(s string) []byte {
	b, _ := hex.DecodeString(s) // proxy.Span promises digits
	return b
}

// valid is s as protobuf wants text: a batch with a byte that is not UTF-8
// would be lost as a whole.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func text(name, value string) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: valid(value)}}}
}

func number(name string, value int64) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value}}}
}
