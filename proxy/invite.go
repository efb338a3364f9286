package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// takeLink looks for a signed link in the query, which from then on does not
// hold it any more, and reports whether it has answered the request. A good
// link is exchanged for a cookie by a redirect, so that it stays neither in
// the address bar nor in referrers. Where a redirect would lose something (a
// body, a WebSocket handshake) the link counts for the one request.
func (s *Server) takeLink(f *flight, r *http.Request) bool {
	links := f.route.Policy.Links
	if r.URL.RawQuery == "" || !links.active() {
		return false
	}
	token, rest, found := cutParameter(r.URL.RawQuery, LinkParameter)
	if !found {
		return false
	}
	r.URL.RawQuery = rest
	target := *r.URL
	target.Scheme, target.Host = "", ""
	r.RequestURI = target.RequestURI()

	host, now := normalHost(r.Host), time.Now()
	expires, ok := links.open(inLink, host, token, now)
	if !ok {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead || isWebSocket(r) {
		f.invited = true
		return false
	}
	h := f.Header()
	h.Set("Set-Cookie", LinkCookie+"="+links.seal(inCookie, host, expires)+
		"; Path=/; Max-Age="+strconv.FormatInt(expires-now.Unix(), 10)+"; Secure; HttpOnly; SameSite=Lax")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	// Absolute, for a path that begins with two slashes names another host.
	h.Set("Location", "https://"+r.Host+r.RequestURI)
	h.Set("Content-Length", "0")
	f.WriteHeader(http.StatusSeeOther)
	return true
}

// isInvited reports whether the request comes with a signed link for this host
// or with the cookie that one was exchanged for.
func (f *flight) isInvited(r *http.Request) bool {
	if f.invited {
		return true
	}
	links := f.route.Policy.Links
	if !links.active() {
		return false
	}
	host := normalHost(r.Host)
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			value, rest, found := cutCookie(line, LinkCookie)
			if !found {
				break
			}
			if _, ok := links.open(inCookie, host, value, f.start); ok {
				return true
			}
			line = rest
		}
	}
	return false
}

// dropInvitation removes LinkCookie from a header and leaves other cookies
// byte for byte.
func dropInvitation(h http.Header) {
	lines := h["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		for found := true; found && line != ""; {
			_, line, found = cutCookie(line, LinkCookie)
		}
		if line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
	} else {
		h["Cookie"] = kept
	}
}

// cutParameter takes the parameter name, however often it is given, out of a
// raw query; value is the first one's. What is left is unchanged.
func cutParameter(query, name string) (value, rest string, found bool) {
	if !strings.Contains(query, name) {
		return "", query, false
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		key, v, _ := strings.Cut(part, "=")
		switch {
		case key != name:
			kept = append(kept, part)
		case !found:
			value, found = v, true
		}
	}
	if !found {
		return "", query, false
	}
	return value, strings.Join(kept, "&"), true
}

// cutCookie takes the first cookie called name out of a line of cookies
// (RFC 6265 §4.2.1). What is left is unchanged.
func cutCookie(line, name string) (value, rest string, found bool) {
	for start := 0; ; {
		at := strings.Index(line[start:], name)
		if at < 0 {
			return "", line, false
		}
		at += start
		start = at + len(name)
		before := strings.TrimRight(line[:at], " \t")
		after, isCookie := strings.CutPrefix(strings.TrimLeft(line[start:], " \t"), "=")
		if !isCookie || before != "" && !strings.HasSuffix(before, ";") {
			continue // part of another name or of a value
		}
		value, after, more := strings.Cut(after, ";")
		if !more {
			return strings.TrimSpace(value), strings.TrimRight(strings.TrimSuffix(before, ";"), " \t"), true
		}
		return strings.TrimSpace(value), line[:at] + strings.TrimLeft(after, " \t"), true
	}
}
