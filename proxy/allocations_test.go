//go:build !race

// Under the race detector sync.Pool drops some of what it is given, so nothing
// can be counted. `make test` runs these tests without it.

package proxy

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What is not recorded costs its header field and nothing else.
func TestNotRecordingAllocatesOnlyTheHeader(t *testing.T) {
	backend := NewBackend(BackendOptions{Address: cannedBackend(t, 12)})
	t.Cleanup(backend.Close)
	count := func(tracer Tracer, header http.Header) float64 {
		service := NewService(&Route{Backend: backend, Policy: Policy{Public: true}, Tracer: tracer})
		s := New(Options{Table: mustTable(t, TableOptions{Services: map[string]*Service{appHost: service}})})
		r := httptest.NewRequest(http.MethodGet, "http://"+appHost+"/", nil)
		r.RemoteAddr, r.Body, r.Header = "192.0.2.1:1000", http.NoBody, header
		w := &sink{header: make(http.Header)}
		return testing.AllocsPerRun(500, func() { clear(w.header); s.ServeHTTP(w, r) })
	}
	for _, given := range []http.Header{
		{"Accept": {"*/*"}},
		{"Accept": {"*/*"}, traceParentHeader: {aParent}, traceStateHeader: {"foo=1"}},
	} {
		off, unrecorded := count(nil, given.Clone()), count(new(spans), given)
		if unrecorded > off+2 { // the text of the field, and the slice that holds it
			t.Errorf("%v: %v allocations without a tracer, %v with one that does not record", given, off, unrecorded)
		}
	}
}

// The log is written on the request path.
func TestLoggingAllocatesNothing(t *testing.T) {
	f := &flight{
		route:  &Route{AccessLog: slog.NewJSONHandler(io.Discard, nil).WithAttrs([]slog.Attr{slog.String("app", "chat")})},
		logged: logged{host: appHost, path: "/a", proto: "HTTP/1.1", agent: "test"}, method: "GET", id: "id", peer: "127.0.0.1",
	}
	if n := testing.AllocsPerRun(1000, func() { f.logAccess(1, 2, 3) }); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}
