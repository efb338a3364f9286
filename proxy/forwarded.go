package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// origin returns the address of a request's client and whether its peer is a
// trusted proxy, by X-Forwarded-For or, without it, by Forwarded.
func (t *Table) origin(r *http.Request) (netip.Addr, bool) {
	told := r.Header["X-Forwarded-For"]
	client, trusted := t.client(r.RemoteAddr, told)
	if trusted && len(told) == 0 {
		if hops := forwardedFor(r.Header["Forwarded"]); len(hops) > 0 {
			client, _ = t.client(r.RemoteAddr, hops)
		}
	}
	return client, trusted
}

// hops returns through whom a request of a trusted proxy has come.
func hops(h http.Header) []string {
	if told := h["X-Forwarded-For"]; len(told) > 0 {
		return told
	}
	return forwardedFor(h["Forwarded"])
}

// forwardedFor returns what the elements of Forwarded (RFC 7239 §4) tell of
// who came to each proxy. An element that does not tell, and a field that is
// broken, are unknown: what stands before that cannot be believed.
func forwardedFor(lines []string) []string {
	const unknown = "unknown"
	var hops []string
	for _, line := range lines {
		for {
			element, rest, more := cutUnquoted(line, ',')
			hop, ok := parameter(element, "for")
			if !ok {
				hop = unknown
			}
			hops = append(hops, hop)
			if !more {
				break
			}
			line = rest
		}
	}
	return hops
}

// forwardedBy returns a parameter of the last element, which is of the peer.
func forwardedBy(lines []string, name string) string {
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	for {
		_, rest, more := cutUnquoted(last, ',')
		if !more {
			value, _ := parameter(last, name)
			return value
		}
		last = rest
	}
}

// told returns what a trusted proxy says in a field of its own or, without it,
// in a parameter of Forwarded.
func told(h http.Header, field, name string) string {
	if value := h.Get(field); value != "" {
		return value
	}
	return forwardedBy(h["Forwarded"], name)
}

// parameter returns the value of a pair of an element; a name that comes twice
// has none.
func parameter(element, name string) (value string, ok bool) {
	for more := true; more; {
		var pair string
		pair, element, more = cutUnquoted(element, ';')
		token, written, equals := strings.Cut(strings.TrimSpace(pair), "=")
		if !equals || !strings.EqualFold(token, name) {
			continue
		}
		if ok {
			return "", false
		}
		if value, ok = unquote(written); !ok {
			return "", false
		}
	}
	return value, ok
}

// cutUnquoted cuts s around the first separator outside of quotes (RFC 9110
// §5.6.4).
func cutUnquoted(s string, separator byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == separator:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// unquote returns the text of a token or a quoted string. Addresses and hosts
// need no escapes, so what has some is nothing of ours.
func unquote(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return s, s != "" && !strings.ContainsAny(s, "\"\\, \t")
}
