package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// HTTP/2 can say what HTTP/1.1 cannot, and a request that is turned into the
// other must not become two (RFC 9113 §10.3). The cases are those of ambiguity,
// with one request as field lines and the data that follow.

// downgrade is one case.
type downgrade struct {
	rfc, name string
	// fields are the field section, in order; name and value are separated
	// by the first "=".
	fields []string
	// data are the DATA frames; nil ends the stream with the field section.
	data []string
	// trailer is a field section after them.
	trailer []string
	// answer is the status, or how the edge ended the stream or connection;
	// "or" stands between two when it depends on which frame comes first.
	answer string
	// upstream are the requests the backend gets; "maybe" begins one that may
	// be on its way already when the fault comes.
	upstream []string
}

const (
	streamError = "RST_STREAM PROTOCOL_ERROR"
)

func downgrades() []downgrade {
	pseudo := []string{":method=GET", ":scheme=https", ":authority=app.test", ":path=/"}
	with := func(fields ...string) []string { return append(pseudo[:4:4], fields...) }
	posted := func(fields ...string) []string {
		return append([]string{":method=POST", ":scheme=https", ":authority=app.test", ":path=/"}, fields...)
	}
	path := func(path string) []string {
		return []string{":method=GET", ":scheme=https", ":authority=app.test", ":path=" + path}
	}
	method := func(method string) []string {
		return []string{":method=" + method, ":scheme=https", ":authority=app.test", ":path=/"}
	}
	authority := func(authority string) []string {
		return []string{":method=GET", ":scheme=https", ":authority=" + authority, ":path=/"}
	}
	served, hello := []string{"GET /"}, []string{"hello"}
	return []downgrade{
		{"9113 §8.3.1", "plain", pseudo, nil, nil, "200", served},
		{"9113 §8.3.1", "no method", pseudo[1:], nil, nil, streamError, nil},
		{"9113 §8.3.1", "no scheme", []string{":method=GET", ":authority=app.test", ":path=/"}, nil, nil, streamError, nil},
		{"9113 §8.3.1", "no authority and no host", []string{":method=GET", ":scheme=https", ":path=/"}, nil, nil, "421", nil},
		{"9113 §8.3.1", "a host instead of the authority", []string{":method=GET", ":scheme=https", ":path=/", "host=app.test"}, nil, nil, "200", served},
		{"9113 §8.3.1", "no path", pseudo[:3], nil, nil, streamError, nil},
		{"9113 §8.3.1", "an empty path", path(""), nil, nil, streamError, nil},
		{"9113 §8.3.1", "a path without a slash", path("hidden"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "a path that is an URL", path("http://evil.test/"), nil, nil, "400", nil},
		{"9113 §8.3.1", "a path that is our URL", path("https://app.test/"), nil, nil, "400", nil},
		{"9113 §8.3.1", "a path that is opaque", path("x:hidden"), nil, nil, "400", nil},
		{"9113 §8.3.1", "a path with a space", path("/a b"), nil, nil, "400", nil},
		{"9113 §10.3", "a path that holds a request line", path("/ HTTP/1.1"), nil, nil, "400", nil},
		{"9113 §10.3", "a query with a space", path("/?a b"), nil, nil, "400", nil},
		{"9113 §10.3", "a query that holds a request line", path("/?a HTTP/1.1"), nil, nil, "400", nil},
		{"9113 §10.3", "a path with CRLF", path("/ HTTP/1.1\r\nX: y"), nil, nil, streamError, nil},
		{"9113 §10.3", "a path with LF", path("/\nX: y"), nil, nil, streamError, nil},
		{"9113 §10.3", "a path with NUL", path("/\x00"), nil, nil, streamError, nil},
		{"9113 §10.3", "a path with a tab", path("/a\tb"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "a fragment", path("/a#b"), nil, nil, "400", nil},
		{"9113 §8.3.1", "a fragment in the query", path("/?a#b"), nil, nil, "400", nil},
		{"9113 §8.3.1", "a percent without digits", path("/%"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "a letter beyond ASCII in the query", path("/?q=ó"), nil, nil, "200", []string{"GET /?q=%C3%B3"}},
		{"9113 §8.3.1", "an asterisk for GET", path("*"), nil, nil, "400", nil},
		{"9113 §8.3.1", "an asterisk for OPTIONS", []string{":method=OPTIONS", ":scheme=https", ":authority=app.test", ":path=*"}, nil, nil, "204", nil},
		{"9113 §8.3.1", "the path twice", with(":path=/hidden"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "the method twice", append([]string{":method=POST"}, pseudo...), nil, nil, streamError, nil},
		{"9113 §8.3.1", "the authority twice", append([]string{":authority=evil.test"}, pseudo...), nil, nil, streamError, nil},
		{"9113 §8.3", "a pseudo-header after a field", []string{":method=GET", ":scheme=https", ":authority=app.test", "x=y", ":path=/"}, nil, nil, streamError, nil},
		{"9113 §8.3", "an unknown pseudo-header", with(":hidden=y"), nil, nil, streamError, nil},
		{"9113 §8.3.2", "a pseudo-header of responses", with(":status=200"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "the scheme http, as if there were no TLS", []string{":method=GET", ":scheme=http", ":authority=app.test", ":path=/"}, nil, nil, "200", served},
		{"9113 §8.3.1", "the scheme http for another host of ours", []string{":method=GET", ":scheme=http", ":authority=internal.app.test", ":path=/hidden"}, nil, nil, "421", nil},
		{"9113 §8.3.1", "another scheme", []string{":method=GET", ":scheme=ftp", ":authority=app.test", ":path=/"}, nil, nil, streamError, nil},
		{"9113 §10.3", "a scheme that holds a request", []string{":method=GET", ":scheme=https://app.test/hidden?", ":authority=app.test", ":path=/"}, nil, nil, streamError, nil},
		{"9113 §8.3.1", "an unknown authority", authority("evil.test"), nil, nil, "421", nil},
		{"9113 §8.3.1", "another authority of ours", authority("internal.app.test"), nil, nil, "421", nil},
		{"9113 §8.3.1", "an authority with a user", authority("user@app.test"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "an authority with a space", authority("app.test evil.test"), nil, nil, "421", nil},
		{"9113 §8.3.1", "an authority with a path", authority("app.test/hidden"), nil, nil, "421", nil},
		{"9113 §8.3.1", "an authority with CRLF", authority("app.test\r\nX: y"), nil, nil, streamError, nil},
		{"9113 §8.3.1", "an authority with a port", authority("app.test:443"), nil, nil, "200", served},
		{"9113 §8.3.1", "an authority in upper case", authority("APP.TEST"), nil, nil, "200", served},
		{"9113 §8.3.1", "a host that is the authority", with("host=app.test"), nil, nil, "200", served},
		{"9113 §8.3.1", "a host that is not the authority", with("host=evil.test"), nil, nil, "400", nil},
		{"9113 §8.3.1", "two hosts", with("host=app.test", "host=evil.test"), nil, nil, "400", nil},
		{"9110 §9.1", "a method with a space", method("GET /hidden"), nil, nil, "400", nil},
		{"9113 §10.3", "a method that holds a request line", method("GET /hidden HTTP/1.1"), nil, nil, "400", nil},
		{"9113 §10.3", "a method with CRLF", method("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\nGET"), nil, nil, streamError, nil},
		{"9110 §9.1", "a method with a colon", method("GET:"), nil, nil, "400", nil},
		{"9110 §9.1", "a method that is a token", method("BREW"), nil, nil, "200", []string{"BREW /"}},
		{"9110 §9.3.8", "TRACE", method("TRACE"), nil, nil, "405", nil},
		{"9113 §8.5", "CONNECT", []string{":method=CONNECT", ":authority=app.test:443"}, nil, nil, "405", nil},
		{"9113 §8.5", "CONNECT with a path", method("CONNECT"), nil, nil, streamError, nil},
		{"8441 §4", "extended CONNECT, which was not offered", append(method("CONNECT"), ":protocol=websocket"), nil, nil, streamError, nil},
		{"9113 §8.2.2", "connection", with("connection=close"), nil, nil, "400", nil},
		{"9113 §8.2.2", "keep-alive", with("keep-alive=timeout=5"), nil, nil, "400", nil},
		{"9113 §8.2.2", "proxy-connection", with("proxy-connection=close"), nil, nil, "400", nil},
		{"9113 §8.2.2", "upgrade", with("upgrade=websocket"), nil, nil, "400", nil},
		{"9113 §8.2.2", "upgrade with connection", with("connection=upgrade", "upgrade=h2c", "http2-settings=AAMAAABkAAQAAP__"), nil, nil, "400", nil},
		{"9113 §8.2.2", "transfer-encoding: chunked", posted("transfer-encoding=chunked"), []string{"0\r\n\r\n" + hidden}, nil, "400", nil},
		{"9113 §8.2.2", "transfer-encoding without a body", with("transfer-encoding=chunked"), nil, nil, "400", nil},
		{"9113 §8.2.2", "transfer_encoding", posted("transfer_encoding=forged"), hello, nil, "200", []string{"POST / hello"}},
		{"9113 §8.2.2", "te: trailers", with("te=trailers"), nil, nil, "200", served},
		{"9113 §8.2.2", "te: chunked", with("te=chunked"), nil, nil, "400", nil},
		{"9113 §8.2.2", "te: trailers, chunked", with("te=trailers, chunked"), nil, nil, "400", nil},
		{"9113 §8.2.1", "an upper-case name", with("X-Upper=y"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a name with a space", with("x y=z"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a name with a colon", with("x:y=z"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a name that is a field line", with("x: y\r\nhost=evil.test"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "an empty name", with("=y"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a value with CRLF", with("x=y\r\nhost: evil.test"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a value with CR", with("x=y\rz"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a value with LF", with("x=y\nz"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a value with NUL", with("x=y\x00z"), nil, nil, streamError, nil},
		{"9113 §8.2.1", "a value that holds a request", with("x=y\r\n\r\n" + hidden), nil, nil, streamError, nil},
		{"9113 §8.1.1", "a length", posted("content-length=5"), hello, nil, "200", []string{"POST / hello"}},
		{"9113 §8.1.1", "no length", posted(), hello, nil, "200", []string{"POST / hello"}},
		{"9113 §8.1.1", "a length too small", posted("content-length=3"), hello, nil, streamError, []string{"maybe POST / hel"}},
		{"9113 §8.1.1", "a length of zero with a body", posted("content-length=0"), []string{hidden}, nil, streamError + " or 200", []string{"maybe POST /"}},
		{"9113 §8.1.1", "a length too large", posted("content-length=50"), hello, nil, "400", nil},
		{"9113 §8.1.1", "a length without a body", posted("content-length=5"), nil, nil, "400", nil},
		{"9113 §8.1.1", "a length for GET without a body", with("content-length=40"), nil, nil, "400", nil},
		{"9113 §8.1.1", "two lengths", posted("content-length=5", "content-length=0"), hello, nil, "400", nil},
		{"9113 §8.1.1", "a length with a sign", posted("content-length=+5"), hello, nil, streamError + " or 400", nil},
		{"9113 §8.1.1", "a length that is no number", posted("content-length=x"), hello, nil, streamError + " or 400", nil},
		{"9113 §8.1.1", "a list of lengths", posted("content-length=5, 5"), hello, nil, streamError + " or 400", nil},
		{"9113 §8.1.1", "a length in two frames", posted("content-length=5"), []string{"he", "llo"}, nil, "200", []string{"POST / hello"}},
		{"9113 §8.1", "a body that looks chunked", posted(), []string{"0\r\n\r\n" + hidden}, nil, "200", []string{"POST / 0\r\n\r\n" + strings.TrimSpace(hidden)}},
		{"9113 §8.1", "a body for GET", with(), hello, nil, "200", []string{"GET / hello"}},
		{"9113 §8.1", "a trailer", posted("trailer=x"), hello, []string{"x=y"}, "200", []string{"POST / hello"}},
		{"9113 §8.1", "a pseudo-header as a trailer", posted(), hello, []string{":path=/hidden"}, streamError, nil},
		{"9110 §6.6.2", "a trailer without a name", posted("trailer=,"), hello, []string{"x=y"}, "200", []string{"POST / hello"}},
		{"9110 §6.5.1", "host as a trailer", posted("trailer=host, authorization"), hello, []string{"host=evil.test", "authorization=Basic YTpi"}, streamError, nil},
		{"9110 §6.5.1", "content-length as a trailer", posted("trailer=content-length"), hello, []string{"content-length=50"}, "200", []string{"POST / hello"}},
		{"9110 §6.5.1", "x-forwarded-for as a trailer", posted("trailer=x-forwarded-for"), hello, []string{"x-forwarded-for=203.0.113.1"}, "200", []string{"POST / hello"}},
		{"9110 §10.1.1", "expect: 100-continue", posted("expect=100-continue"), hello, nil, "200", []string{"POST / hello"}},
		{"CWE-348", "x-forwarded-for", with("x-forwarded-for=203.0.113.1", "x-real-ip=203.0.113.1"), nil, nil, "200", served},
		{"CWE-348", "x_forwarded_for", with("x_forwarded_for=forged"), nil, nil, "200", served},
		{"CWE-348", "content_length", posted("content_length=forged"), hello, nil, "200", []string{"POST / hello"}},
		{"6265 §5.4", "cookies in pieces", with("cookie=a=b", "cookie=c=d"), nil, nil, "200", served},
	}
}

func TestNothingAmbiguousGoesUpstreamFromHTTP2(t *testing.T) {
	cases := downgrades()
	t.Logf("%d cases", len(cases))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c downgrade) run(t *testing.T) {
	backend := startStrictBackend(t)
	target := backendAt(t, backend.listener.Addr().String())
	e := startEdge(t, target)
	peer := e.dialFrames(t)
	peer.fields(1, c.fields, c.data == nil && c.trailer == nil)
	for i, data := range c.data {
		_ = peer.WriteData(1, i == len(c.data)-1 && c.trailer == nil, []byte(data))
	}
	if c.trailer != nil {
		peer.fields(1, c.trailer, true)
	}
	got := peer.answer(1)
	if !strings.HasPrefix(got, "GOAWAY") {
		peer.fields(3, []string{":method=GET", ":scheme=https", ":authority=app.test", ":path=/next"}, true)
		if next := peer.answer(3); next != "200" {
			t.Errorf("the next request got %s", next)
		}
	}
	_ = peer.conn.Close()
	_ = e.stop()
	target.Close()
	backend.stop()
	if !slices.Contains(strings.Split(c.answer, " or "), got) {
		t.Errorf("RFC %s: the client got %q, want %q", c.rfc, got, c.answer)
	}
	backend.verify(t, c.upstream)
}

// h2Peer is a client of HTTP/2 that writes every frame itself.
type h2Peer struct {
	*http2.Framer
	conn    *tls.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func (e *edge) dialFrames(t *testing.T) *h2Peer { return e.dialFramesBy(t, new(net.Dialer)) }

func (e *edge) dialFramesBy(t *testing.T, d *net.Dialer) *h2Peer {
	t.Helper()
	conn, err := tls.DialWithDialer(d, "tcp", e.https, &tls.Config{RootCAs: e.roots, ServerName: appHost, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	client := raw(t, conn)
	p := &h2Peer{Framer: http2.NewFramer(conn, client.Reader), conn: conn}
	p.encoder = hpack.NewEncoder(&p.block)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return p
}

// fields sends a field section of "name=value".
func (p *h2Peer) fields(stream uint32, lines []string, end bool) {
	p.block.Reset()
	for _, line := range lines {
		at := 1 + strings.IndexByte(line[1:], '=')
		if line[0] == '=' {
			at = 0
		}
		_ = p.encoder.WriteField(hpack.HeaderField{Name: line[:at], Value: line[at+1:]})
	}
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: end})
}

// answer reads until the stream or the connection has ended and says how.
func (p *h2Peer) answer(stream uint32) string {
	status := ""
	for {
		frame, err := p.ReadFrame()
		if err != nil {
			return strings.TrimSpace(status + " " + err.Error())
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = p.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream && f.PseudoValue("status") >= "200" {
				status = f.PseudoValue("status")
			}
			if f.StreamID == stream && f.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if f.StreamID == stream && f.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream && status == "" {
				return fmt.Sprintf("RST_STREAM %s", f.ErrCode)
			}
			if f.StreamID == stream {
				return status
			}
		case *http2.GoAwayFrame:
			return fmt.Sprintf("GOAWAY %s", f.ErrCode)
		}
	}
}
