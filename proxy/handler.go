package proxy

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeHTTP handles a request of the HTTPS listener.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 {
		gatherWrites(r)
	}
	start := time.Now()
	table := s.table.Load()
	if !s.screen(w, r, table) {
		return
	}
	service, ok := table.lookup(r.Host)
	if !ok || r.TLS != nil && normalHost(r.TLS.ServerName) != normalHost(r.Host) {
		s.refuse(w, r, table.language, http.StatusMisdirectedRequest)
		return
	}
	f := &flight{
		ResponseWriter: w,
		server:         s,
		method:         r.Method,
		start:          start,
		multiplexed:    r.ProtoMajor >= 2,
		hasBody:        r.Body != nil && r.Body != http.NoBody,
		closes:         mustClose(r),
		probe:          s.isProbe(r),
	}
	f.client, f.trusted = table.origin(r)
	f.id = requestID(r, f.trusted)
	f.logged = loggedOf(r)
	s.serve(f, service, table, r)
}

// screen answers what no service has to know of: methods and messages that
// must not go further, and questions about the server as a whole (RFC 9110
// §9.3.7). It reports whether the request goes on.
func (s *Server) screen(w http.ResponseWriter, r *http.Request, table *Table) bool {
	if mustClose(r) {
		w.Header().Set("Connection", "close")
	}
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		s.refuse(w, r, table.language, http.StatusMethodNotAllowed)
	case !unambiguous(r):
		s.refuse(w, r, table.language, http.StatusBadRequest)
	case r.RequestURI == "*":
		s.guard(w, r)
		s.closeAfter(w, r)
		w.Header().Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
	default:
		return true
	}
	return false
}

// serve takes the request to the backend of the service's route. The flight
// begins before the route is loaded, so that its start, and how long it was
// held, tell a drain whether it belongs to the time before the route was moved.
func (s *Server) serve(f *flight, service *Service, table *Table, r *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	f.ctx, f.cancel = flightContext{ctx, f}, cancel
	refused := s.enter(f, service, r)
	f.joinTrace(r.Header)
	if refused == FailureNone && f.route.Backend != nil {
		f.backend = f.route.Backend
		f.slot = f.backend.flights.add(f)
	}
	defer f.finish()

	f.language = f.route.Policy.Language
	if f.language == "" {
		f.language = table.language
	}
	switch {
	case refused == FailureClientGone:
		f.failure = refused
	case refused != FailureNone:
		s.fail(f, r, refused, http.StatusServiceUnavailable)
	case f.astray(r):
		s.redirectToCanonical(f, r)
	case s.takeLink(f, r):
	case s.turnAway(f, r):
	case f.shut(r):
		s.showMaintenance(f, r)
	case f.route.ReadOnly && f.mayWrite(r):
		s.fail(f, r, FailureReadOnly, http.StatusServiceUnavailable)
	case s.overLimit(f, r):
	case s.elsewhere(f, r):
	case f.backend == nil:
		s.fail(f, r, FailureNoBackend, http.StatusServiceUnavailable)
	default:
		s.proxy(f, r)
	}
}

// forward relays an ordinary request. ReverseProxy panics when a response
// breaks off half-way; why is noted on the way out.
func (s *Server) forward(f *flight, r *http.Request) {
	if f.hasBody && !f.multiplexed {
		// Otherwise the server takes what is left of the body away from the
		// backend as soon as the response begins.
		_ = http.NewResponseController(f.ResponseWriter).EnableFullDuplex()
	}
	whole := false
	defer func() {
		if !whole {
			f.failure, f.broken = f.brokenOff(r), true
		}
	}()
	if f.route.Policy.Compress {
		c := f.compressor(r)
		defer c.release()
		s.reverse.ServeHTTP(c, r)
		if c.end() != nil {
			panic(http.ErrAbortHandler)
		}
	} else {
		s.reverse.ServeHTTP(f, r)
	}
	whole = true
	// Not announced, since received has seen to that.
	f.Header().Del(http.TrailerPrefix + LabelHeader)
}

// brokenOff says why a response ended before its end.
func (f *flight) brokenOff(r *http.Request) Failure {
	switch {
	case f.wasCut():
		return FailureDrained
	case f.failedBody() == errBodyTooLarge:
		return FailureTooLarge
	case isTimeout(f.writeErr):
		return FailureClientSlow
	case f.writeErr != nil || r.Context().Err() != nil:
		return FailureClientGone
	case f.failedBody() != nil:
		failure, _ := classifyBody(r.Context(), f.failedBody())
		return failure
	default:
		return FailureBody
	}
}

// unanswered handles a request that got no response from its backend.
func (s *Server) unanswered(_ http.ResponseWriter, r *http.Request, err error) {
	f := flightOf(r.Context())
	failure, status := f.classify(r.Context(), err)
	s.log.Log(context.Background(), failure.level(), "request not served",
		"host", r.Host, "route", f.route.Label, "backend", f.backend.Address(),
		"failure", failure.String(), "error", err, "request", f.id)
	if status == 0 {
		// Returning would make the server answer 200.
		f.failure = failure
		panic(http.ErrAbortHandler)
	}
	s.fail(f, r, failure, status)
}

// classify says what an error of the exchange with the backend means and which
// status it gives; 0 means that nobody is there to be answered.
func (f *flight) classify(ctx context.Context, err error) (Failure, int) {
	bodyErr := f.failedBody()
	var op *net.OpError
	switch {
	case f.wasCut():
		return FailureDrained, http.StatusServiceUnavailable
	case bodyErr == errBodyTooLarge:
		return FailureTooLarge, http.StatusRequestEntityTooLarge
	case bodyErr != nil:
		return classifyBody(ctx, bodyErr)
	case ctx.Err() != nil:
		return FailureClientGone, 0
	case errors.As(err, &op) && op.Op == "dial":
		if op.Timeout() {
			return FailureDial, http.StatusGatewayTimeout
		}
		return FailureDial, http.StatusBadGateway
	case isTimeout(err):
		return FailureTimeout, http.StatusGatewayTimeout
	default:
		return FailureReset, http.StatusBadGateway
	}
}

// classifyBody does so for an error of the client's body.
func classifyBody(ctx context.Context, err error) (Failure, int) {
	var network net.Error
	switch {
	case isTimeout(err):
		return FailureClientSlow, http.StatusRequestTimeout
	case ctx.Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network):
		return FailureClientGone, 0
	default:
		return FailureMalformed, http.StatusBadRequest
	}
}

func (f Failure) level() slog.Level {
	if f.Upstream() {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// fail answers a counted request with an error page.
func (s *Server) fail(f *flight, r *http.Request, failure Failure, status int) {
	f.giveUp(failure)
	notice{status: status, language: f.language, own: f.route.Policy.Pages}.write(f, r)
}

// giveUp notes why the request does not get what it came for.
func (f *flight) giveUp(failure Failure) {
	f.failure = failure
	if !f.multiplexed && (f.hasBody || f.wasCut()) {
		// What is left of the body is not worth waiting for. On HTTP/2
		// this would end the whole connection, and HTTP/3 does not know it.
		f.Header().Set("Connection", "close")
	}
}

// refuse answers a request that belongs to no service.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, language string, status int) {
	s.guard(w, r)
	s.closeAfter(w, r)
	if r.ProtoMajor == 1 && status == http.StatusBadRequest {
		w.Header().Set("Connection", "close")
	}
	writePage(w, r, status, language)
}

// closeAfter ends the connection of a client that still owes a body which
// nobody will read, or that shall connect anew.
func (s *Server) closeAfter(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() || r.ProtoMajor == 1 && r.Body != http.NoBody {
		w.Header().Set("Connection", "close")
	}
}

// isProbe reports whether the request knows the probe secret.
func (s *Server) isProbe(r *http.Request) bool {
	given := r.Header.Get(ProbeHeader)
	return given != "" && s.probeSecret != "" &&
		subtle.ConstantTimeCompare([]byte(given), []byte(s.probeSecret)) == 1
}
