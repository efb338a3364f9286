package proxy

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// redirectAge is how long a client may remember the redirect. Without a limit
// browsers keep it for ever, and changing the canonical host from one to the
// other would send them round in circles.
const redirectAge = "max-age=600"

// redirect answers a request of the HTTP listener: every known host is sent to
// HTTPS with its path and raw query.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	table := s.table.Load()
	if !s.screen(w, r, table) {
		return
	}
	if _, ok := table.lookup(r.Host); !ok {
		s.refuse(w, r, table.language, http.StatusMisdirectedRequest)
		return
	}
	s.guard(w, r)
	host := normalHost(r.Host)
	if s.httpsPort != 0 && s.httpsPort != 443 {
		host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(s.httpsPort))
	}
	s.closeAfter(w, r)
	writeRedirect(w, "https://"+host, r.URL)
}

// writeRedirect sends the client to the path and raw query of u at origin. 308
// keeps method and body (RFC 9110 §15.4.9).
func writeRedirect(w http.ResponseWriter, origin string, u *url.URL) {
	target := *u
	target.Scheme, target.Host = "", ""
	w.Header().Set("Location", origin+target.RequestURI())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusPermanentRedirect)
}
