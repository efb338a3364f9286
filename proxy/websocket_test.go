package proxy

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// echo is a WebSocket backend that sends back what it gets; it hands the
// request to seen and the error that ended the connection to ended.
func echo(seen chan<- *http.Request, ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }() // or the end of the edge waits for us
		c.SetReadLimit(-1)
		if seen != nil {
			seen <- r
		}
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				if ended != nil {
					ended <- err
				}
				return
			}
			if err := c.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	}
}

// open opens a WebSocket through the edge.
func (e *edge) open(header ...string) *websocket.Conn {
	e.t.Helper()
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	c, _, err := websocket.Dial(e.t.Context(), "wss://"+appHost+"/ws?a=x;y&p=100%", &websocket.DialOptions{
		HTTPClient: e.client(false), HTTPHeader: h, Subprotocols: []string{"chat"},
	})
	if err != nil {
		e.t.Fatal(err)
	}
	c.SetReadLimit(-1)
	e.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func exchange(t *testing.T, c *websocket.Conn, data []byte) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageBinary, data); err != nil {
		t.Fatal(err)
	}
	_, got, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(data) {
		t.Errorf("%d bytes came back as %d others", len(data), len(got))
	}
}

func TestWebSocketRelaysMessagesOfEverySize(t *testing.T) {
	seen := make(chan *http.Request, 1)
	b := startBackend(t, echo(seen, nil))
	e := startEdge(t, b)
	c := e.open("X-Forwarded-For", "6.6.6.6", "X-Kept", "yes")
	for _, n := range []int{0, 1, 125, 126, 511, 512, 513, 4096, 65536, 1 << 20} {
		exchange(t, c, bytes.Repeat([]byte{byte(n)}, n))
	}
	r := receive(t, "the backend is asked", seen)
	if r.Host != appHost || r.URL.RawQuery != "a=x;y&p=100%" || r.Header.Get("X-Forwarded-For") != "127.0.0.1" ||
		r.Header.Get("X-Kept") != "yes" || r.Header.Get("X-Request-Id") == "" {
		t.Errorf("the backend got %s %s %v", r.Host, r.URL.RawQuery, r.Header)
	}
	if c.Subprotocol() != "chat" {
		t.Errorf("subprotocol %q", c.Subprotocol())
	}
	if b.InFlight() != 0 || b.Upgraded() != 1 {
		t.Errorf("in flight %d, upgraded %d", b.InFlight(), b.Upgraded())
	}
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("closing: %v", err)
	}
	eventually(t, "nothing is upgraded", func() bool { return b.Upgraded() == 0 })
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	if e.recorder.begun != 1 || len(e.recorder.ended) != 1 || len(e.recorder.requests) != 0 {
		t.Fatalf("recorded %d begun, %v, %v", e.recorder.begun, e.recorder.ended, e.recorder.requests)
	}
	if o := e.recorder.ended[0]; o.Cut || o.BytesIn < 1<<20 || o.BytesOut < 1<<20 {
		t.Errorf("recorded %+v", o)
	}
}

func TestWebSocketHandshakeTellsAProbeTheLabel(t *testing.T) {
	e := startEdge(t, startBackend(t, echo(nil, nil)))
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ProbeHeader+": "+secret, "")
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 101 || response.Header.Get(LabelHeader) != "blue" || response.Header.Get("Sec-Websocket-Accept") == "" || response.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}

func TestRefusedHandshakeIsAnOrdinaryResponse(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "who are you?")
	}))
	c := e.dial(appHost)
	for range 2 { // the connection stays usable
		c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket", "")
		response, body := c.response()
		if response.StatusCode != 401 || body != "who are you?" || response.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%d %q", response.StatusCode, body)
		}
	}
	if n := e.service.Route().Backend.Upgraded(); n != 0 {
		t.Errorf("upgraded %d", n)
	}
}

func TestHandshakeWithADeadBackendGivesAPage(t *testing.T) {
	e := startEdge(t, backendAt(t, refusing(t)))
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket", "")
	if response, _ := c.response(); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", response.StatusCode)
	}
	if o := e.recorder.only(t); o.Failure != FailureDial {
		t.Errorf("recorded %+v", o)
	}
}

func TestDrainLetsAWebSocketLiveUntilItsOwnLimit(t *testing.T) {
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b)
	c := e.open()
	exchange(t, c, []byte("before"))
	e.service.Set(nil)
	result := make(chan DrainResult, 1)
	go func() {
		r, _ := b.Drain(t.Context(), DrainLimits{Requests: time.Nanosecond, Upgraded: time.Hour})
		result <- r
	}()
	eventually(t, "the drain waits", func() bool { return b.waiting.Load() == 1 })
	exchange(t, c, []byte("during"))
	_ = c.Close(websocket.StatusNormalClosure, "")
	if r := receive(t, "the drain ends", result); r.Upgraded != 0 || r.Requests != 0 {
		t.Errorf("%+v", r)
	}
}

func TestDrainEndsAWebSocketWithServiceRestart(t *testing.T) {
	ended := make(chan error, 1)
	b := startBackend(t, echo(nil, ended))
	e := startEdge(t, b)
	c := e.open()
	exchange(t, c, []byte("before"))
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(t.Context())
		closed <- err
	}()
	e.service.Set(nil)
	r := drained(t, b, DrainLimits{Upgraded: moment})
	if r.Upgraded != 1 || r.Elapsed > closeGrace {
		t.Errorf("%+v: the client's answer was not taken for the end", r)
	}
	if err := receive(t, "the client is told", closed); websocket.CloseStatus(err) != 1012 {
		t.Errorf("the client was told %v", err)
	}
	if err := receive(t, "the backend is told", ended); websocket.CloseStatus(err) != 1012 {
		t.Errorf("the backend was told %v", err)
	}
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	if len(e.recorder.ended) != 1 || !e.recorder.ended[0].Cut {
		t.Errorf("recorded %+v", e.recorder.ended)
	}
}

// talker switches protocols and lets the test write what the backend sends.
func talker(t *testing.T) (*Backend, chan io.ReadWriteCloser) {
	t.Helper()
	conns := make(chan io.ReadWriteCloser, 1)
	b := startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
		conns <- struct {
			io.Reader
			io.WriteCloser
		}{buffered.Reader, c}
	})
	return b, conns
}

// upgraded performs a handshake and reads its response.
func (e *edge) upgraded(early string) *rawConn {
	c := e.dial(appHost)
	_, _ = io.WriteString(c.Conn, "GET / HTTP/1.1\r\nHost: "+appHost+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+early)
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil || response.StatusCode != 101 {
		e.t.Fatalf("handshake: %v %v", response, err)
	}
	return c
}

func (c *rawConn) expect(want []byte) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		c.t.Fatalf("got % x (%v), want % x", got[:n], err, want)
	}
}

func TestBytesThatComeWithTheHandshakeAreNotLost(t *testing.T) {
	b, conns := talker(t)
	e := startEdge(t, b)
	c := e.upgraded("hello")
	c.expect([]byte("early"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(receive(t, "the backend is asked", conns), got); err != nil || string(got) != "hello" {
		t.Errorf("the backend got %q, %v", got, err)
	}
}

func TestCloseFrameNeverLandsInsideAnotherFrame(t *testing.T) {
	b, conns := talker(t)
	e := startEdge(t, b)
	c := e.upgraded("")
	backend := receive(t, "the backend is asked", conns)
	c.expect([]byte("early"))
	// "early" ends inside a frame: 'e' 'a' is a header for 97 bytes.
	rest := bytes.Repeat([]byte{'x'}, 'a'-3)
	_, _ = backend.Write(rest[:10])
	c.expect(rest[:10])

	e.service.Set(nil)
	result := make(chan DrainResult, 1)
	go func() {
		r, _ := b.Drain(t.Context(), DrainLimits{Upgraded: time.Nanosecond})
		result <- r
	}()
	relay := e.relays.one(t)
	eventually(t, "the close is pending", func() bool {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		return relay.pending != 0
	})
	_, _ = backend.Write(append(rest[10:], frame(1, 5, false)...))
	c.expect(append(rest[10:], closeFrame(1012)...))
	_, _ = c.Write(frame(opcodeClose, 2, true))
	if r := receive(t, "the drain ends", result); r.Upgraded != 1 {
		t.Errorf("%+v", r)
	}
	if rest, err := io.ReadAll(c); len(rest) != 0 || err != nil {
		t.Errorf("after the close frame: % x, %v", rest, err)
	}
}

func (s *relays) one(t *testing.T) *relay {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.open {
		return r
	}
	t.Fatal("no relay")
	return nil
}

func TestDrainOvercomesAWebSocketThatIgnoresTheCloseFrame(t *testing.T) {
	b, _ := talker(t)
	e := startEdge(t, b)
	c := e.upgraded("")
	e.service.Set(nil)
	if r := drained(t, b, DrainLimits{Upgraded: moment}); r.Upgraded != 1 {
		t.Errorf("%+v", r)
	}
	_, _ = io.Copy(io.Discard, c)
}

func TestDrainOvercomesAWebSocketThatDoesNotRead(t *testing.T) {
	b, conns := talker(t)
	e := startEdge(t, b)
	e.upgraded("")
	backend := receive(t, "the backend is asked", conns)
	go func() {
		chunk := frame(2, 64<<10, false)
		for {
			if _, err := backend.Write(chunk); err != nil {
				return
			}
		}
	}()
	e.service.Set(nil)
	if r := drained(t, b, DrainLimits{Upgraded: 10 * moment}); r.Upgraded != 1 {
		t.Errorf("%+v", r)
	}
}

func TestHalfCloseReachesTheOtherSideAndTheRestComesBack(t *testing.T) {
	b, conns := talker(t)
	e := startEdge(t, b)
	c := e.upgraded("last words")
	backend := receive(t, "the backend is asked", conns)
	if err := c.Conn.(*tls.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(backend)
	if err != nil || string(got) != "last words" {
		t.Fatalf("the backend got %q, %v", got, err)
	}
	_, _ = io.WriteString(backend, " and an answer")
	_ = backend.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "early and an answer" {
		t.Errorf("the client got %q, %v", got, err)
	}
	eventually(t, "the relay ends", func() bool { return b.Upgraded() == 0 })
}

func TestStopEndsWebSocketsWithServiceRestart(t *testing.T) {
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b)
	c := e.open()
	exchange(t, c, []byte("before"))
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(t.Context())
		closed <- err
	}()
	if err := e.stop(); err != nil {
		t.Error(err)
	}
	if err := receive(t, "the client is told", closed); websocket.CloseStatus(err) != 1012 {
		t.Errorf("told %v", err)
	}
	if b.Upgraded() != 0 {
		t.Errorf("upgraded %d after the end", b.Upgraded())
	}
}

func TestOtherUpgradesAreAnsweredAsOrdinaryRequests(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header.Get("Upgrade"), r.ProtoMajor)
	}))
	for _, lines := range [][]string{
		{"GET / HTTP/1.1", "Host: " + appHost, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", ""},
		{"POST / HTTP/1.1", "Host: " + appHost, "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0", ""},
	} {
		c := e.dial(appHost)
		c.send(lines...)
		if response, body := c.response(); response.StatusCode != 200 || body != "1" {
			t.Errorf("%s: %d %q", lines[0], response.StatusCode, body)
		}
	}
}

func TestBackendThatSwitchesUnaskedIsABadGateway(t *testing.T) {
	b, _ := talker(t)
	e := startEdge(t, b)
	if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestWebSocketOutlivesASwitch(t *testing.T) {
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b)
	c := e.open()
	for i := range 5 {
		e.service.Set(e.route(startBackend(t, says("other")), "green"))
		exchange(t, c, binary.BigEndian.AppendUint32(nil, uint32(i)))
		e.service.Set(e.route(b, "blue"))
	}
	if err := c.Close(websocket.StatusNormalClosure, strings.Repeat("x", 100)); err != nil {
		var ce websocket.CloseError
		if !errors.As(err, &ce) {
			t.Error(err)
		}
	}
}
