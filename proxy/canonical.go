package proxy

import (
	"net/http"
	"strings"
)

// astray reports whether a request should be redirected to the canonical host.
// WebSockets are served where they arrive: browsers do not follow a redirect of
// a handshake (WHATWG Fetch), so it would only break them.
func (f *flight) astray(r *http.Request) bool {
	host := f.route.Policy.Canonical
	return host != "" && !f.probe && normalHost(r.Host) != host && !isWebSocket(r)
}

// redirectToCanonical sends the client to the canonical host, with the port it
// came to, its path and raw query; 308 keeps method and body.
func (s *Server) redirectToCanonical(f *flight, r *http.Request) {
	host := f.route.Policy.Canonical
	if i := strings.LastIndexByte(r.Host, ':'); i >= 0 && isPort(r.Host[i+1:]) && r.Host[i+1:] != "" && r.Host[i+1:] != "443" {
		host += r.Host[i:]
	}
	if f.hasBody && !f.multiplexed {
		f.Header().Set("Connection", "close")
	}
	f.Header().Set("Cache-Control", redirectAge)
	writeRedirect(f, "https://"+host, r.URL)
}
