package proxy

import (
	"net/http"
	"strconv"
	"time"
)

// HSTS returns the value of Strict-Transport-Security (RFC 6797 §6.1), for
// Policy.HSTS. maxAge is cut to whole seconds.
func HSTS(maxAge time.Duration, includeSubdomains, preload bool) string {
	value := "max-age=" + strconv.FormatInt(int64(maxAge/time.Second), 10)
	if includeSubdomains {
		value += "; includeSubDomains"
	}
	if preload {
		value += "; preload"
	}
	return value
}

// sign adds to a response header what the edge and the policy of the route say.
// It comes after the backend's fields, and so replaces them: what browsers
// remember of a domain is decided in one place.
func (f *flight) sign(h http.Header) {
	h.Set(requestIDHeader, f.id)
	if f.probe {
		h.Set(LabelHeader, f.route.Label)
	}
	if f.route.Policy.NoIndex {
		h.Set("X-Robots-Tag", "noindex")
	}
	if hsts := f.route.Policy.HSTS; hsts != "" {
		h.Set("Strict-Transport-Security", hsts)
	}
}
