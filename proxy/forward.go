package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"sync"
)

const (
	// ProbeHeader carries the probe secret. It is never forwarded.
	ProbeHeader = "X-Bluegreen-Probe"
	// LabelHeader tells an authenticated probe the label of the route that
	// served it. A backend's own is removed, as a trailer too.
	LabelHeader = "X-Bluegreen-Route"

	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

// rewrite turns the client's request into the backend's. ReverseProxy has
// removed the hop-by-hop fields (RFC 9110 §7.6.1) by now.
func rewrite(pr *httputil.ProxyRequest) {
	f := flightOf(pr.In.Context())
	f.address(pr.Out, pr.In)
	// An upgrade that is not ours to relay is ignored (RFC 9110 §7.8).
	pr.Out.Header.Del("Connection")
	pr.Out.Header.Del("Upgrade")
	pr.Out.Header.Del("Http2-Settings")
	if pr.Out.Body != nil {
		pr.Out.Body = &clientBody{
			ReadCloser: pr.Out.Body,
			flight:     f,
			mayRest:    f.backend.transport.h2c && isGRPC(pr.In.Header),
			trailer:    cleanTrailer(pr.Out.Trailer),
			received:   pr.In.Trailer,
		}
	}
}

// cleanTrailer removes from the announced trailer fields those that a client
// may not send as header fields either, and those that have to be known before
// the body (RFC 9110 §6.5.1). HTTP/2 can announce one without a name.
func cleanTrailer(announced http.Header) http.Header {
	if len(announced) > 0 {
		for _, name := range [...]string{"", "Host", "Authorization", "Cookie"} {
			delete(announced, name)
		}
		dropForwarded(announced)
		removeHopByHop(announced)
	}
	return announced
}

// address points out at the backend, with the client's Host and raw query
// unchanged but for bytes above ASCII, and sets the fields that say where the
// request comes from.
func (f *flight) address(out, in *http.Request) {
	out.URL.Scheme = "http"
	out.URL.Host = f.backend.dialer.authority()
	out.URL.RawQuery = asciiQuery(in.URL.RawQuery)
	out.Host = in.Host
	if f.path != nil && f.path.Strip {
		f.path.strip(out.URL)
	}

	dropForwarded(out.Header)
	if f.route.Policy.Links.active() {
		dropInvitation(out.Header)
	}
	if f.route.Policy.Basic.know(in) {
		delete(out.Header, "Authorization")
	}
	h, peer := out.Header, f.clientText()
	forwardedFor, proto, host := peer, "https", in.Host
	if in.TLS == nil {
		proto = "http"
	}
	if f.trusted {
		forwardedFor = f.appendPeer(in)
		proto = oneOf(told(in.Header, "X-Forwarded-Proto", "proto"), proto, "http", "https")
		if told := told(in.Header, "X-Forwarded-Host", "host"); told != "" {
			host = told
		}
	}
	h["X-Forwarded-For"] = []string{forwardedFor}
	h["X-Forwarded-Host"] = []string{host}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Real-Ip"] = []string{peer}
	h[requestIDHeader] = []string{f.id}
	f.tellTrace(h)
	if f.path != nil && f.path.Strip {
		h["X-Forwarded-Prefix"] = []string{strings.TrimSuffix(f.path.Path, "/")}
	}
}

// appendPeer returns the X-Forwarded-For of a trusted proxy with the proxy
// itself at the end.
func (f *flight) appendPeer(in *http.Request) string {
	peer := peerOf(in.RemoteAddr)
	prior := strings.Join(hops(in.Header), ", ")
	if prior == "" {
		return peer.String()
	}
	return prior + ", " + peer.String()
}

func oneOf(value, otherwise string, accepted ...string) string {
	for _, a := range accepted {
		if strings.EqualFold(value, a) {
			return a
		}
	}
	return otherwise
}

// dropForwarded removes every field with which a client could claim to be
// someone else (CWE-348) or its body another. Underscores count as hyphens,
// for many application servers cannot tell them apart.
func dropForwarded(h http.Header) {
	for name := range h {
		switch name[0] {
		case 'F', 'X':
			if claimsOrigin(name) {
				delete(h, name)
			}
		case 'C', 'T':
			if strings.Contains(name, "_") && (equalName(name, "Content-Length") || equalName(name, "Transfer-Encoding")) {
				delete(h, name)
			}
		}
	}
}

func claimsOrigin(name string) bool {
	return equalName(name, "Forwarded") ||
		len(name) >= len("X-Forwarded-") && equalName(name[:len("X-Forwarded-")], "X-Forwarded-") ||
		equalName(name, "X-Real-Ip") || equalName(name, requestIDHeader) ||
		equalName(name, ProbeHeader) || equalName(name, LabelHeader)
}

// equalName compares field names without case, an underscore in name being as
// good as the hyphen in want.
func equalName(name, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := range len(name) {
		a, b := name[i], want[i]
		if a == '_' {
			a = '-'
		}
		if a|0x20 != b|0x20 {
			return false
		}
	}
	return true
}

// requestID returns the id of a trusted proxy, or a new one of 128 bits.
func requestID(r *http.Request, trusted bool) string {
	if trusted {
		if id := r.Header.Get(requestIDHeader); validID(id) {
			return id
		}
	}
	var text [32]byte
	randomHex(text[:])
	return string(text[:])
}

// validID accepts printable ASCII without spaces, quotes and backslashes, so
// that an id can stand in any log.
func validID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '\'' {
			return false
		}
	}
	return true
}

// removeHopByHop removes the fields that belong to one connection, and those
// that Connection names (RFC 9110 §7.6.1).
func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range [...]string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate",
		"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
	} {
		h.Del(name)
	}
}

// dispatch sends each request through the transport of its own backend.
type dispatch struct{}

func (dispatch) RoundTrip(r *http.Request) (*http.Response, error) {
	f := flightOf(r.Context())
	f.traceAsked()
	response, err := f.backend.transport.RoundTrip(r)
	if err == nil {
		f.traceAnswered()
	}
	return response, err
}

const copyBuffer = 32 << 10

// buffers lends ReverseProxy its copy buffers. The pool holds pointers to
// arrays, which cost no allocation to put back.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return p[:]
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(p []byte) {
	if cap(p) >= copyBuffer {
		b.pool.Put((*[copyBuffer]byte)(p[:copyBuffer]))
	}
}
