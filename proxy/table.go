package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// TableOptions describes a host table.
type TableOptions struct {
	// TrustedProxies are the peers whose forwarded headers are believed:
	// X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239) where they
	// are missing.
	TrustedProxies []netip.Prefix
	// Announcers are the peers whose connections begin with a PROXY header,
	// which says who their client is. They must send one, and cannot over
	// HTTP/3, where they are refused.
	Announcers []netip.Prefix
	// Connections is how many connections one client address (IPv6: one /64)
	// may have open. Default 1000. Loopback and TrustedProxies have no limit.
	Connections int
	// Services maps each host to its service.
	Services map[string]*Service
	// Language of error pages that belong to no route: "en" (default) or
	// "es".
	Language string
}

// Table maps hosts to services. It is immutable and replaced whole; the
// services in it live on in the next one.
type Table struct {
	trusted     []netip.Prefix
	announcers  []netip.Prefix
	connections int
	services    map[string]*Service
	language    string
}

// NewTable checks o and returns its table; the error joins every problem.
func NewTable(o TableOptions) (*Table, error) {
	t := &Table{
		trusted:     slices.Clone(o.TrustedProxies),
		announcers:  slices.Clone(o.Announcers),
		connections: cmp.Or(o.Connections, defaultConnections),
		services:    make(map[string]*Service, len(o.Services)),
		language:    o.Language,
	}
	var problems []error
	for name, service := range o.Services {
		host := normalHost(name)
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]" // as in a Host field
		}
		switch {
		case !validHost(host):
			problems = append(problems, fmt.Errorf("host %q: not a host name; give a name or address without scheme, port or path", name))
		case service == nil:
			problems = append(problems, fmt.Errorf("host %q: no service", name))
		case t.services[host] != nil:
			problems = append(problems, fmt.Errorf("host %q: listed twice; hosts differ in more than case and a trailing dot", name))
		default:
			t.services[host] = service
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return t, nil
}

// lookup finds the service of a Host header or :authority.
func (t *Table) lookup(host string) (*Service, bool) {
	s, ok := t.services[host]
	if ok {
		return s, true
	}
	s, ok = t.services[normalHost(host)]
	return s, ok
}

// normalHost returns host in the form in which hosts are compared: lower case,
// without port and without the dot of a fully qualified name (RFC 9110 §7.2,
// RFC 3986 §6.2.2.1). It allocates only when case has to change.
func normalHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && isPort(host[i+1:]) && !strings.HasSuffix(host[:i], ":") &&
		(strings.IndexByte(host, ':') == i || strings.HasSuffix(host[:i], "]")) {
		host = host[:i]
	}
	return lower(strings.TrimSuffix(host, "."))
}

// lower is strings.ToLower for ASCII only: other letters, some of which have
// lower case in ASCII (U+212A), are in no host.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= 5
}

// validHost accepts names and addresses; an IPv6 address may be bracketed.
func validHost(h string) bool {
	if a, err := netip.ParseAddr(unbracketed(h)); err == nil {
		return a.Zone() == ""
	}
	if h == "" || len(h) > 253 {
		return false
	}
	for label := range strings.SplitSeq(h, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// client returns the address of the client: the peer's, or, when the peer is a
// trusted proxy, the right-most address of X-Forwarded-For that is not one.
// The second result says whether the peer is trusted.
func (t *Table) client(remoteAddr string, forwardedFor []string) (netip.Addr, bool) {
	addr := peerOf(remoteAddr)
	if len(t.trusted) == 0 || !contains(t.trusted, addr) {
		return addr, false
	}
	for _, line := range slices.Backward(forwardedFor) {
		for {
			rest, last, more := cutLast(line)
			hop, err := parseHop(last)
			if err != nil {
				// What is left of a broken entry cannot be believed.
				return addr, true
			}
			addr = hop
			if !contains(t.trusted, hop) {
				return addr, true
			}
			if !more {
				break
			}
			line = rest
		}
	}
	return addr, true
}

func cutLast(line string) (rest, last string, more bool) {
	i := strings.LastIndexByte(line, ',')
	if i < 0 {
		return "", strings.TrimSpace(line), false
	}
	return line[:i], strings.TrimSpace(line[i+1:]), true
}

// unbracketed returns an IPv6 address without its brackets (RFC 3986 §3.2.2).
func unbracketed(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.IndexByte(inner, ':') >= 0 {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return s
}

// parseHop reads an entry of X-Forwarded-For: an address, some proxies add the
// port.
func parseHop(s string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(unbracketed(s)); err == nil {
		return plain(a), nil
	}
	ap, err := netip.ParseAddrPort(s)
	return plain(ap.Addr()), err
}
