package proxy

import (
	"net"
	"net/http"
	"strconv"
	"strings"
)

// redirect answers a request of the HTTP listener: every known host is sent to
// HTTPS with its path and raw query. 308 keeps method and body (RFC 9110
// §15.4.9).
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) {
	table := s.table.Load()
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		s.refuse(w, r, table.language, http.StatusMethodNotAllowed)
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
	target := *r.URL
	target.Scheme, target.Host = "", ""
	h := w.Header()
	h.Set("Location", "https://"+host+target.RequestURI())
	if r.Body != http.NoBody || s.stopping.Load() {
		h.Set("Connection", "close")
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusPermanentRedirect)
}
