package config

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// normalHost brings a host into the form in which requests are matched: lower case,
// ASCII (RFC 5891), no trailing dot. It reports what is not a host name.
func normalHost(r *report, key string, host *string) {
	written := *host
	if reason := notAHost(written); reason != "" {
		r.key(key, "%s is not a host name: %s", r.shown(key, written), reason)
		return
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(written, "."))
	if err != nil || len(ascii) > 253 || strings.Contains("."+ascii+".", "..") || longLabel(ascii) {
		r.key(key, "%s is not a host name: write letters, digits and hyphens with dots between them", r.shown(key, written))
		return
	}
	*host = ascii
}

// notAHost is the advice for what people write instead of a host name.
func notAHost(host string) string {
	_, notIP := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case strings.Contains(host, "://"):
		return "leave out the scheme"
	case notIP == nil:
		return "certificates and routes need a name, not an address"
	case strings.Contains(host, "*"):
		return "wildcards are not supported, write every host"
	case strings.Contains(host, "/"):
		return "leave out the path"
	case strings.Contains(host, ":"):
		return "leave out the port"
	}
	return ""
}

// longLabel tells whether a label is longer than the 63 octets of RFC 1035 section 2.3.4.
func longLabel(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if len(label) > 63 {
			return true
		}
	}
	return false
}
