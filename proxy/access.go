package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// overTCP is the Alt-Svc of routes that ask for certificates, which browsers do
// not show over HTTP/3 (RFC 7838 §3: clear).
var overTCP = []string{"clear"}

// turnAway answers a client that may not use the route, and reports whether
// it has.
func (s *Server) turnAway(f *flight, r *http.Request) bool {
	status := f.admit(r)
	if status == 0 {
		return false
	}
	p, h := &f.route.Policy, f.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="`+normalHost(r.Host)+`", charset="UTF-8"`)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(int(failureEvery/time.Second)))
	}
	if len(p.Authorities) > 0 {
		// Certificates are asked for when a connection begins: the next
		// try may come with one.
		h.Set("Connection", "close")
	}
	s.fail(f, r, FailureDenied, status)
	return true
}

// admit returns 0 when the client may use the route, and the status of the
// refusal otherwise. Any one rule of the policy is enough, the cheap ones come
// first, and a probe needs none.
func (f *flight) admit(r *http.Request) (status int) {
	p := &f.route.Policy
	if p.Public || f.probe || contains(p.Access, f.client) ||
		p.certified(r.TLS, f.start) || p.Signed && f.isInvited(r) {
		return 0
	}
	if p.Basic == nil {
		return http.StatusForbidden
	}
	user, password, given := r.BasicAuth()
	if !given {
		return http.StatusUnauthorized
	}
	switch p.Basic.check(r.Context(), f.client, user, password) {
	case right:
		return 0
	case tooMany:
		return http.StatusTooManyRequests
	case busy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

// certified reports whether the connection has shown a certificate of one of
// the authorities. The handshake has verified it; but the connection may be
// older than the policy, and older than the end of the certificate.
func (p *Policy) certified(state *tls.ConnectionState, now time.Time) bool {
	if len(p.Authorities) == 0 || state == nil {
		return false
	}
	return slices.ContainsFunc(state.VerifiedChains, func(chain []*x509.Certificate) bool {
		expired := slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
			return now.Before(c.NotBefore) || now.After(c.NotAfter)
		})
		return !expired && slices.ContainsFunc(p.Authorities, chain[len(chain)-1].Equal)
	})
}
