package proxy

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
	"sync/atomic"
)

// Route says where the requests of a service go and under which rules. It is
// immutable once it has been given to a Service.
type Route struct {
	// Label is opaque; it is told to an authenticated probe in LabelHeader.
	Label string
	// Backend gets the requests; nil answers with a 503 page.
	Backend *Backend
	// Recorder observes the requests; nil observes nothing.
	Recorder Recorder
	// AccessLog gets a record of each request at its end, without the query,
	// and none of the edge's own probes; nil logs nothing. It says itself
	// which app and release it is for, and must not block.
	AccessLog slog.Handler
	// Tracer records requests as spans and makes them the backend's parents;
	// nil leaves traceparent and tracestate to the client. Probes have none.
	Tracer Tracer
	// Policy says who may use the route.
	Policy Policy
	// Hold keeps requests waiting; nil lets them through. Probes pass.
	Hold *Hold
	// ReadOnly refuses requests that may write, and WebSockets. Probes pass.
	ReadOnly bool
	// Maintenance shows a page instead of the backend; nil shows none.
	Maintenance *Maintenance
}

// Policy is the rules under which the requests of a route are served.
type Policy struct {
	// Access lists the client addresses that may use the route. A client is
	// let in when any one of Public, Access, Basic, Authorities and Signed is
	// met; the zero Policy lets nobody in.
	Access []netip.Prefix
	// Public lets everyone in.
	Public bool
	// Basic lets in who gives the password of one of the users; nil nobody.
	// What was given for it does not reach the backend.
	Basic *Users
	// Authorities let in who shows a certificate that one of them has issued
	// (RFC 8446 §4.4.2.4). The server's TLS configuration has to ask for it,
	// and to verify it.
	Authorities []*x509.Certificate
	// Signed lets everyone in who has a signed link of Links.
	Signed bool
	// Links are the app's signed links, which are exchanged for a cookie; nil
	// knows none. They never reach a backend, whether or not the route needs
	// one.
	Links *Links
	// NoIndex adds X-Robots-Tag: noindex to every response.
	NoIndex bool
	// Canonical is the host, in lower case and without port, that requests
	// for the other hosts of the route are redirected to; probes and
	// WebSockets are served where they arrive. Empty redirects nothing.
	Canonical string
	// HSTS is the Strict-Transport-Security of every response (RFC 6797),
	// instead of a backend's own; empty leaves that alone.
	HSTS string
	// Rate limits the requests of each client, but not probes; nil limits
	// nothing.
	Rate *RateLimit
	// BodyLimit is the most bytes the body of a request may have; 0 sets no
	// limit. WebSockets have no body.
	BodyLimit int64
	// Compress has responses compressed that the backend sends as they are.
	Compress bool
	// Paths lead requests below certain paths elsewhere; nil leads none.
	Paths *Paths
	// Pages take the place of the edge's own error pages; nil has none.
	Pages *Pages
	// Language of the error pages when the client prefers none of theirs:
	// "en" or "es". Empty selects the table's.
	Language string
}

// Service is what one or more hosts lead to. It outlives reloads of the host
// table; only its route changes.
type Service struct {
	live atomic.Pointer[Route]
	// loaded, set only by tests, runs between loading the route and
	// counting on its backend or waiting.
	loaded func()
}

// NewService returns a service that is routed to r; nil answers 503.
func NewService(r *Route) *Service {
	s := new(Service)
	s.Set(r)
	return s
}

// Route returns the current route.
func (s *Service) Route() *Route { return s.live.Load() }

// Set moves the service to r: every request that begins after Set has returned
// is served by r. It is one pointer store.
func (s *Service) Set(r *Route) {
	if r == nil {
		r = new(Route)
	}
	s.live.Store(r)
}

// acquire returns the current route with the request counted on its backend,
// if it has one and does not hold the request. Loading and counting are two
// steps, and a drain that ends between them would miss the request; so the
// route is loaded again after the count, and when it has moved, the count is
// taken back and the new one tried.
func (s *Service) acquire(probe bool) *Route {
	for {
		r := s.live.Load()
		if s.loaded != nil {
			s.loaded()
		}
		if r.Backend == nil || r.holds(probe) {
			return r
		}
		r.Backend.acquire()
		if s.live.Load() == r {
			return r
		}
		r.Backend.release()
	}
}
