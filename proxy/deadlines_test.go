package proxy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"
)

// idleFor sets the idle time of bodies.
func idleFor(d time.Duration) func(*Options) {
	return func(o *Options) { o.BodyIdle = d }
}

// failures waits until nothing is in flight and returns what was recorded.
func (e *edge) failures() []Failure {
	e.t.Helper()
	eventually(e.t, "nothing is in flight", e.service.Route().Backend.idle)
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	var all []Failure
	for _, o := range e.recorder.requests {
		all = append(all, o.Failure)
	}
	return all
}

func (e *edge) wantFailure(want Failure) {
	e.t.Helper()
	if got := e.failures(); len(got) != 1 || got[0] != want {
		e.t.Errorf("recorded %v, want %v", got, want)
	}
}

func eachProtocol(t *testing.T, test func(t *testing.T, h2 bool)) {
	t.Run("h1", func(t *testing.T) { test(t, false) })
	t.Run("h2", func(t *testing.T) { test(t, true) })
}

func TestClientThatStopsSendingItsBodyIsEnded(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}), idleFor(100*time.Millisecond))
		body, upload := io.Pipe()
		defer func() { _ = upload.Close() }()
		go func() { _, _ = io.WriteString(upload, "begun") }()
		response, _ := e.do(h2, http.MethodPost, "https://"+appHost+"/", body)
		if response.StatusCode != http.StatusRequestTimeout {
			t.Errorf("status %d", response.StatusCode)
		}
		e.wantFailure(FailureClientSlow)
	})
}

func TestClientThatStopsReadingIsEnded(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		e := startEdge(t, startBackend(t, endless), idleFor(100*time.Millisecond))
		response, err := e.client(h2).Get("https://" + appHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		e.wantFailure(FailureClientSlow)
	})
}

func TestRefusedClientThatOwesABodyIsNotWaitedFor(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")), idleFor(100*time.Millisecond))
	c := e.dial("unknown.test")
	c.send("POST / HTTP/1.1", "Host: unknown.test", "Content-Length: 1000", "")
	if response, _ := c.response(); response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d", response.StatusCode)
	}
	if _, err := c.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays open: %v", err)
	}
}

func TestClientThatOwesABodyNobodyWantsIsNotWaitedFor(t *testing.T) {
	e := startEdge(t, nil, idleFor(100*time.Millisecond))
	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 1000", "")
	if response, _ := c.response(); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", response.StatusCode)
	}
	if _, err := c.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays open: %v", err)
	}
}

// trickle hands out data in 30 pieces, one every beat.
type trickle struct {
	data []byte
	beat *time.Ticker
}

func newTrickle(t *testing.T, data []byte, every time.Duration) *trickle {
	beat := time.NewTicker(every)
	t.Cleanup(beat.Stop)
	return &trickle{data, beat}
}

func (s *trickle) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	<-s.beat.C
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

const (
	steadyIdle  = 1500 * time.Millisecond
	steadyBeat  = 150 * time.Millisecond
	steadyBeats = 30 // 3 × steadyIdle
)

func TestSlowButSteadyUploadArrivesByteExact(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			sum := sha256.New()
			_, _ = io.Copy(sum, r.Body)
			_, _ = fmt.Fprintf(w, "%x", sum.Sum(nil))
		}), idleFor(steadyIdle))
		const piece = 4 << 10
		data := bytes.Repeat([]byte("0123456789abcdef"), steadyBeats*piece/16)
		source := newTrickle(t, data, steadyBeat)
		_, body := e.do(h2, http.MethodPost, "https://"+appHost+"/", struct{ io.Reader }{pieces{source, piece}})
		if want := fmt.Sprintf("%x", sha256.Sum256(data)); body != want {
			t.Errorf("sum %s, want %s", body, want)
		}
		e.wantFailure(FailureNone)
	})
}

// pieces limits each read.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

func TestSlowButSteadyDownloadArrivesByteExact(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		data := bytes.Repeat([]byte("0123456789abcdef"), 24<<20/16)
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }), idleFor(steadyIdle))
		response, err := e.client(h2).Get("https://" + appHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		sum := sha256.New()
		beat := time.NewTicker(steadyBeat)
		defer beat.Stop()
		for range steadyBeats {
			<-beat.C
			if _, err := io.CopyN(sum, response.Body, int64(len(data)/steadyBeats)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(sum, response.Body); err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256(data); !bytes.Equal(sum.Sum(nil), want[:]) {
			t.Error("the download changed")
		}
		e.wantFailure(FailureNone)
	})
}

func TestSilentEventStreamOutlivesTheIdleTime(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		const idle = 50 * time.Millisecond
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			for range 3 {
				_, _ = io.WriteString(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(4 * idle):
				case <-r.Context().Done():
					t.Error("the stream was cut")
				}
			}
		}), idleFor(idle))
		response, body := e.get(h2, "https://"+appHost+"/")
		if response.StatusCode != 200 || len(body) != 3*len("data: x\n\n") {
			t.Errorf("%d %q", response.StatusCode, body)
		}
		e.wantFailure(FailureNone)
	})
}

// A deadline on a request without a body would cancel its context.
func TestSlowBackendOutlivesTheIdleTimeOfBodies(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		const idle = 50 * time.Millisecond
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(4 * idle):
				_, _ = io.WriteString(w, "late")
			case <-r.Context().Done():
				t.Error("the request was cancelled")
			}
		}), idleFor(idle))
		for _, body := range []io.Reader{nil, bytes.NewReader([]byte("body"))} {
			if response, text := e.do(h2, http.MethodPost, "https://"+appHost+"/", body); text != "late" {
				t.Errorf("%d %q", response.StatusCode, text)
			}
		}
	})
}

// The idle time is the client's: a backend that is silent in the middle of its
// answer, or of reading a body, is no reason to end the request.
func TestBackendThatPausesIsNotHeldAgainstTheClient(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		const idle = 50 * time.Millisecond
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadFull(r.Body, make([]byte, 1))
			<-time.After(4 * idle)
			_, _ = io.Copy(io.Discard, r.Body)
			for range 3 {
				_, _ = io.WriteString(w, "part ")
				_ = http.NewResponseController(w).Flush()
				<-time.After(4 * idle)
			}
		}), idleFor(idle))
		response, body := e.do(h2, http.MethodPost, "https://"+appHost+"/", bytes.NewReader(make([]byte, 1<<20)))
		if response.StatusCode != 200 || body != "part part part " {
			t.Errorf("%d %q", response.StatusCode, body)
		}
		e.wantFailure(FailureNone)
	})
}

func TestKeepAliveConnectionWorksAfterIdleDeadlines(t *testing.T) {
	const idle = 50 * time.Millisecond
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}), idleFor(idle))
	c := e.dial(appHost)
	for range 3 {
		c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 5", "Expect: 100-continue", "")
		if line, err := c.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = c.ReadString('\n')
		_, _ = io.WriteString(c.Conn, "hello")
		if response, body := c.response(); response.StatusCode != 200 || body != "hello" {
			t.Errorf("%d %q", response.StatusCode, body)
		}
		<-time.After(3 * idle)
	}
	c.send("GET / HTTP/1.1", "Host: a", "Host: b", "")
	if response, _ := c.response(); response.StatusCode != http.StatusBadRequest {
		t.Errorf("the server's own answer came as %d", response.StatusCode)
	}
}

func TestHTTP2ConnectionWorksAfterIdleDeadlines(t *testing.T) {
	const idle = 50 * time.Millisecond
	e := startEdge(t, startBackend(t, says("hello")), idleFor(idle))
	client := e.client(true)
	var dials atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{ConnectStart: func(string, string) { dials.Add(1) }})
	for range 3 {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+appHost+"/", bytes.NewReader([]byte("x")))
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		<-time.After(3 * idle)
	}
	if n := dials.Load(); n > 1 {
		t.Errorf("dialled %d times", n)
	}
}

func TestSlowHeaderIsEnded(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")), func(o *Options) { o.Header = 100 * time.Millisecond })
	c := e.dial(appHost)
	_, _ = io.WriteString(c.Conn, "GET / HTTP/1.1\r\nHost: "+appHost+"\r\nX-")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
	plain, err := net.Dial("tcp", e.https) // no TLS handshake at all
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(raw(t, plain)); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
}
