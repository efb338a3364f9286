package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// sink is a client that takes everything at once.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header              { return s.header }
func (s *sink) Write(p []byte) (int, error)      { return len(p), nil }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) FlushError() error                { return nil }
func (s *sink) EnableFullDuplex() error          { return nil }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// forgetful is a Tracer that records all or nothing, and keeps nothing.
type forgetful bool

func (f forgetful) Sample() bool { return bool(f) }
func (forgetful) Record(Span)    {}

// BenchmarkRequest is one request without its client's connection, under a
// policy that asks for nothing and under each feature.
func BenchmarkRequest(b *testing.B) {
	backend := NewBackend(BackendOptions{Address: cannedBackend(b, 12)})
	b.Cleanup(backend.Close)
	for _, c := range []struct {
		name   string
		policy Policy
		tracer Tracer
	}{
		{"plain", Policy{Public: true}, nil},
		{"canonical", Policy{Public: true, Canonical: appHost}, nil},
		{"hsts", Policy{Public: true, HSTS: "max-age=31536000"}, nil},
		{"limits", Policy{Public: true, Rate: NewRateLimit(1e9, 1e9), BodyLimit: 1 << 20}, nil},
		{"compression", Policy{Public: true, Compress: true}, nil},
		{"paths", Policy{Public: true, Paths: NewPaths([]PathOptions{{Path: "/app/", Backend: backend}, {Path: "/assets/", Backend: backend}})}, nil},
		{"traced", Policy{Public: true}, forgetful(false)},
		{"recorded", Policy{Public: true}, forgetful(true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			service := NewService(&Route{Backend: backend, Policy: c.policy, Tracer: c.tracer})
			table, err := NewTable(TableOptions{Services: map[string]*Service{appHost: service}})
			if err != nil {
				b.Fatal(err)
			}
			s := New(Options{Table: table})
			r := httptest.NewRequest(http.MethodGet, "http://"+appHost+"/some/path?q=1", nil)
			r.RemoteAddr, r.Body = "192.0.2.1:1000", http.NoBody
			w := &sink{header: make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				s.ServeHTTP(w, r)
			}
		})
	}
}
