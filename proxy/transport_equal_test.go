package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// script is what a backend sends when it gets its first request on a
// connection. A connection that stays open answers a second one properly.
type script struct {
	method string
	bytes  []byte
	// pieces is how many writes it is sent in.
	pieces int
	// closes has the backend close the connection after it.
	closes bool
}

// outcome is what a caller of a transport can tell about a script.
type outcome struct {
	Failed        bool
	Informations  []string
	Proto, Status string
	Header        http.Header
	Encoding      []string
	Length        int64
	Close         bool
	Body          string
	BodyFailed    bool
	Trailer       http.Header
	Reused        bool
}

// deliberate says why our transport treats a script otherwise than
// http.Transport does; empty means that it must not.
func (s script) deliberate() string {
	r := bufio.NewReader(bytes.NewReader(s.bytes))
	for n := 0; ; n++ {
		response, err := http.ReadResponse(r, &http.Request{Method: s.method})
		switch {
		case err != nil:
			return ""
		case response.StatusCode == http.StatusSwitchingProtocols:
			return "an upgrade that was not asked for is an error, not a tunnel"
		case response.StatusCode < 100 || response.StatusCode > 199:
			return ""
		case n == maxInformations:
			return "informational responses are limited in number"
		}
	}
}

// whole reports whether the script has all of a response, and how many bytes
// come after it.
func (s script) whole() (ok bool, extra int) {
	end := &noteEnd{Reader: bytes.NewReader(s.bytes)}
	r := bufio.NewReader(end)
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: s.method})
		if err != nil {
			return !end.reached, 0
		}
		if response.StatusCode >= 100 && response.StatusCode <= 199 {
			continue
		}
		_, _ = io.Copy(io.Discard, response.Body)
		return !end.reached, r.Buffered() + end.Len()
	}
}

type noteEnd struct {
	*bytes.Reader
	reached bool
}

func (r *noteEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.reached = r.reached || err == io.EOF
	return n, err
}

// play has a transport of a new backend exchange s, and tells how it went.
func (s script) play(t *testing.T, l net.Listener, pick func(*Backend) http.RoundTripper) outcome {
	t.Helper()
	whole, extra := s.whole()
	closes := s.closes || !whole
	var again atomic.Bool
	written := make(chan struct{})
	said := sync.OnceFunc(func() { close(written) })
	server := startScriptedOn(t, l, func(n int, c streamConn, requests *bufio.Reader) {
		if !skipRequest(requests) {
			return
		}
		if n > 0 && again.Load() {
			_, _ = io.WriteString(c, answer)
			return
		}
		defer said()
		for rest, left := s.bytes, max(s.pieces, 1); len(rest) > 0; left-- {
			size := len(rest)
			if left > 1 {
				size = (len(rest) + left - 1) / left
			}
			if _, err := c.Write(rest[:size]); err != nil {
				return
			}
			rest = rest[size:]
		}
		said()
		if closes {
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, requests)
			return
		}
		if skipRequest(requests) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
		}
	})
	b := server.backend(t)
	transport := pick(b)
	got := s.exchange(t, transport)
	if closes {
		b.Close()
		return got
	}
	// What arrives only after the next request has been sent cannot be told
	// from its response by anybody.
	receive(t, "the script has been sent", written)
	if extra > 0 && transport == b.transport.general {
		// Its read loop notices only in a moment.
		eventually(t, "the connection is closed", func() bool { return server.open.Load() == 0 })
	}
	again.Store(true)
	response, err := transport.RoundTrip(request(t, t.Context(), http.MethodGet))
	if err != nil {
		t.Fatalf("the second request: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if got.Reused = string(body) == "again"; err != nil || !got.Reused && string(body) != "ok" {
		t.Errorf("the second request was answered %q, %v", body, err)
	}
	b.Close()
	return got
}

func (s script) exchange(t *testing.T, transport http.RoundTripper) outcome {
	var got outcome
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		got.Informations = append(got.Informations, fmt.Sprint(code, h))
		return nil
	}})
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := request(t, ctx, s.method)
	if s.method == http.MethodPut {
		r = withContent(r, "content")
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			t.Fatalf("the exchange hangs: %v", err)
		}
		got.Failed = true
		return got
	}
	body, err := io.ReadAll(response.Body)
	if ctx.Err() != nil {
		t.Fatalf("the body hangs: %v", err)
	}
	_ = response.Body.Close()
	got.Proto, got.Status, got.Header = response.Proto, response.Status, response.Header
	got.Encoding, got.Length, got.Close = response.TransferEncoding, response.ContentLength, response.Close
	got.Body, got.BodyFailed, got.Trailer = string(body), err != nil, response.Trailer
	return got
}

// check demands that both transports make the same of s.
func (s script) check(t *testing.T, listen func() net.Listener) {
	t.Helper()
	own := s.play(t, listen(), func(b *Backend) http.RoundTripper { return b.transport })
	if why := s.deliberate(); why != "" {
		if !own.Failed {
			t.Errorf("%s; got %+v", why, own)
		}
		return
	}
	theirs := s.play(t, listen(), func(b *Backend) http.RoundTripper { return b.transport.general })
	if !reflect.DeepEqual(own, theirs) {
		t.Errorf("%s answered %q in %d pieces, closed %v:\nown      %+v\nnet/http %+v", s.method, s.bytes, s.pieces, s.closes, own, theirs)
	}
}

// exchanges are answers of backends, good and bad, and what they are about.
func exchanges() map[string]string {
	ok := func(lines ...string) string { return "HTTP/1.1 200 OK\r\n" + strings.Join(lines, "\r\n") }
	chunks := "5\r\nhello\r\n6\r\n world\r\n0\r\n"
	chunked := func(rest string) string { return ok("Transfer-Encoding: chunked", "", rest) }
	long := strings.Repeat("x", 5000)
	return map[string]string{
		"nothing":                       "",
		"length":                        ok("Content-Length: 5", "", "hello"),
		"length of zero":                ok("Content-Length: 0", "", ""),
		"long body":                     ok("Content-Length: 100000", "", strings.Repeat("0123456789", 10000)),
		"body until the end":            ok("", "hello"),
		"close":                         ok("Connection: close", "Content-Length: 5", "", "hello"),
		"close in other case":           ok("connection: Keep-Alive, CLOSE", "Content-Length: 5", "", "hello"),
		"body shorter than its length":  ok("Content-Length: 10", "", "hello"),
		"bytes beyond the length":       ok("Content-Length: 5", "", "helloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
		"bytes beyond the chunks":       chunked(chunks + "\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
		"line break beyond the length":  ok("Content-Length: 5", "", "hello\r\n"),
		"body of a response without":    "HTTP/1.1 204 No Content\r\n\r\nhello",
		"no content":                    "HTTP/1.1 204 No Content\r\n\r\n",
		"no content with a length":      "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"no content, chunked":           "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
		"not modified":                  "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nContent-Length: 5\r\n\r\n",
		"not modified, closing":         "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
		"reset content":                 "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
		"unknown status":                "HTTP/1.1 799 Who Knows\r\nContent-Length: 2\r\n\r\nok",
		"low status":                    "HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok",
		"status zero":                   "HTTP/1.1 000 \r\nContent-Length: 2\r\n\r\nok",
		"no reason":                     "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
		"status of two digits":          "HTTP/1.1 20 OK\r\n\r\n",
		"status of four digits":         "HTTP/1.1 2000 OK\r\n\r\n",
		"negative status":               "HTTP/1.1 -20 OK\r\n\r\n",
		"HTTP/1.0":                      "HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.0 with a length":        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0 keep-alive":           "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0 chunked":              "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "\r\n",
		"HTTP/2":                        "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.2":                      "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/9":                        "HTTP/9 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"another protocol":              "SSH-2.0-OpenSSH\r\n",
		"garbage":                       "\x16\x03\x01\x00\x05hello\r\n\r\n",
		"no line break":                 "HTTP/1.1 200 OK",
		"half a header":                 ok("Content-Length: 5"),
		"bare line feeds":               "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"empty line first":              "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"folded field":                  ok("X: a", "  b", "Content-Length: 5", "", "hello"),
		"folded length":                 ok("Content-Length:", " 5", "", "hello"),
		"folded first line":             ok(" X: a", "Content-Length: 5", "", "hello"),
		"field without colon":           ok("X", "Content-Length: 5", "", "hello"),
		"field without name":            ok(": x", "Content-Length: 5", "", "hello"),
		"space before the colon":        ok("Content-Length : 5", "", "hello"),
		"space in a name":               ok("Content Length: 5", "", "hello"),
		"control byte in a value":       ok("X: a\x00b", "Content-Length: 5", "", "hello"),
		"carriage return in a value":    ok("X: a\rb", "Content-Length: 5", "", "hello"),
		"bytes above ASCII":             ok("X: \xe2\x82\xac\xff", "Content-Length: 5", "", "hello"),
		"names in other cases":          ok("content-LENGTH: 5", "x-a: 1", "X-A: 2", "", "hello"),
		"empty value":                   ok("X:", "Content-Length: 5", "", "hello"),
		"pragma":                        ok("Pragma: no-cache", "Content-Length: 5", "", "hello"),
		"same length twice":             ok("Content-Length: 5", "Content-Length: 5", "", "hello"),
		"two lengths":                   ok("Content-Length: 5", "Content-Length: 6", "", "hello!"),
		"list of lengths":               ok("Content-Length: 5, 5", "", "hello"),
		"empty length":                  ok("Content-Length: ", "", "hello"),
		"negative length":               ok("Content-Length: -5", "", "hello"),
		"signed length":                 ok("Content-Length: +5", "", "hello"),
		"hexadecimal length":            ok("Content-Length: 0x5", "", "hello"),
		"length beyond numbers":         ok("Content-Length: 99999999999999999999", "", "hello"),
		"chunks":                        chunked(chunks + "\r\n"),
		"chunks without an end":         chunked(chunks),
		"chunks cut off":                chunked("5\r\nhel"),
		"no chunks":                     chunked("0\r\n\r\n"),
		"chunk extension":               chunked("5;name=\"value\"\r\nhello\r\n0;x\r\n\r\n"),
		"upper-case chunk size":         chunked("A\r\n0123456789\r\n0\r\n\r\n"),
		"chunk size with zeros":         chunked("0005\r\nhello\r\n0\r\n\r\n"),
		"chunk size is no number":       chunked("x\r\nhello\r\n0\r\n\r\n"),
		"chunk size with a space":       chunked("5 \r\nhello\r\n0\r\n\r\n"),
		"chunk size is negative":        chunked("-5\r\nhello\r\n0\r\n\r\n"),
		"chunk size beyond numbers":     chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
		"chunk longer than its size":    chunked("5\r\nhello!\r\n0\r\n\r\n"),
		"chunks with bare line feeds":   chunked("5\nhello\n0\n\n"),
		"chunks and a length":           ok("Content-Length: 3", "Transfer-Encoding: chunked", "", chunks+"\r\n"),
		"chunked in other case":         ok("Transfer-Encoding: Chunked", "", chunks+"\r\n"),
		"chunked twice":                 ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "", chunks+"\r\n"),
		"gzip and chunked":              ok("Transfer-Encoding: gzip, chunked", "", chunks+"\r\n"),
		"identity":                      ok("Transfer-Encoding: identity", "Content-Length: 5", "", "hello"),
		"trailer":                       ok("Trailer: X-Sum", "Transfer-Encoding: chunked", "", chunks+"X-Sum: 42\r\n\r\n"),
		"trailer unannounced":           chunked(chunks + "X-Sum: 42\r\n\r\n"),
		"trailer announced, not sent":   ok("Trailer: X-Sum", "Transfer-Encoding: chunked", "", chunks+"\r\n"),
		"trailer that is a length":      ok("Trailer: Content-Length", "Transfer-Encoding: chunked", "", chunks+"Content-Length: 5\r\n\r\n"),
		"trailer without chunks":        ok("Trailer: X-Sum", "Content-Length: 5", "", "hello"),
		"trailer that is malformed":     chunked(chunks + "X-Sum 42\r\n\r\n"),
		"trailer cut off":               chunked(chunks + "X-Sum: 42\r\n"),
		"long trailer":                  chunked(chunks + "X-Sum: " + strings.Repeat("4", 3000) + "\r\n\r\n"),
		"trailer too long":              chunked(chunks + "X-Sum: " + long + "\r\n\r\n"),
		"long line":                     ok("X: "+long, "Content-Length: 5", "", "hello"),
		"long status line":              "HTTP/1.1 200 " + long + "\r\nContent-Length: 5\r\n\r\nhello",
		"large header":                  ok(strings.Repeat("X: "+long+"\r\n", 50)+"Content-Length: 5", "", "hello"),
		"header too large":              ok(strings.Repeat("X: "+long+"\r\n", 60)+"Content-Length: 5", "", "hello"),
		"status line without an end":    "HTTP/1.1 200 " + strings.Repeat("x", 2*backendHeaderBytes),
		"early hints":                   "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("Content-Length: 5", "", "hello"),
		"three informational":           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" + ok("Content-Length: 5", "", "hello"),
		"informational with a length":   "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok("Content-Length: 5", "", "hello"),
		"informational, then the end":   "HTTP/1.1 103 Early Hints\r\n\r\n",
		"informational, then garbage":   "HTTP/1.1 103 Early Hints\r\n\r\ngarbage\r\n\r\n",
		"large informational":           strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+strings.Repeat("X: "+long+"\r\n", 30)+"\r\n", 3) + ok("Content-Length: 5", "", "hello"),
		"as many informational as may":  strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxInformations) + ok("Content-Length: 5", "", "hello"),
		"more informational than may":   strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxInformations+1) + ok("Content-Length: 5", "", "hello"),
		"upgrade that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nbytes",
		"late upgrade":                  "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HEAD's length":                 ok("Content-Length: 5", "", ""),
		"two responses":                 ok("Content-Length: 5", "", "hello") + ok("Content-Length: 5", "", "hello"),
	}
}

// ownMethods are those of requests that our transport takes; PUT has content.
var ownMethods = []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions, http.MethodPost, http.MethodDelete}

func TestBothTransportsMakeTheSameOfABackend(t *testing.T) {
	quietLog(t)
	for name, text := range exchanges() {
		t.Run(name, func(t *testing.T) {
			listen := func() net.Listener { return listen(t) }
			for _, method := range ownMethods[:3] {
				for _, pieces := range []int{1, 7} {
					script{method, []byte(text), pieces, false}.check(t, listen)
				}
				script{method, []byte(text), 1, true}.check(t, listen)
			}
		})
	}
}

// The script's backend does not look at what it is sent.
func TestBothTransportsSendTheSame(t *testing.T) {
	for _, method := range ownMethods {
		sent := func(pick func(*Backend) http.RoundTripper) string {
			got := make(chan string, 1)
			s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
				var raw bytes.Buffer
				if skipRequest(bufio.NewReader(io.TeeReader(requests, &raw))) {
					got <- raw.String()
					_, _ = io.WriteString(c, answer)
				}
			})
			r := request(t, t.Context(), method)
			if method == http.MethodPut {
				r = withContent(r, "content")
			}
			r.Header["X-B"], r.Header["X-A"] = []string{"1", "2"}, []string{""}
			response, err := pick(s.backend(t)).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			return receive(t, "a request", got)
		}
		own := sent(func(b *Backend) http.RoundTripper { return b.transport })
		theirs := sent(func(b *Backend) http.RoundTripper { return b.transport.general })
		if own != theirs {
			t.Errorf("%s:\nown      %q\nnet/http %q", method, own, theirs)
		}
	}
}

// quietLog silences what http.Transport says of unsolicited responses, for
// which it has no other place.
func quietLog(t testing.TB) {
	old := log.Writer()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(old) })
}

func FuzzBothTransportsMakeTheSameOfABackend(f *testing.F) {
	quietLog(f)
	dir, n := f.TempDir(), 0
	for _, text := range exchanges() {
		if len(text) < 1<<10 {
			f.Add([]byte(text), uint8(0), uint8(1), false)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, method, pieces uint8, closes bool) {
		if len(text) > 2*backendHeaderBytes {
			return // longer than anything that is read
		}
		script{ownMethods[int(method)%len(ownMethods)], text, int(pieces), closes}.check(t, func() net.Listener {
			n++ // TCP would run out of ports
			l, err := net.Listen("unix", filepath.Join(dir, strconv.Itoa(n)))
			if err != nil {
				t.Fatal(err)
			}
			return l
		})
	})
}
