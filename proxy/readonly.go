package proxy

import "net/http"

// mayWrite reports whether the request may change what the backend keeps: its
// method is not a safe one (RFC 9110 §9.2.1), or it is a WebSocket, over which
// anything may follow. A probe changes nothing.
func (f *flight) mayWrite(r *http.Request) bool {
	if f.probe {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return isWebSocket(r)
	}
	return true
}
