package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func withContent(r *http.Request, content string) *http.Request {
	r.Body = io.NopCloser(strings.NewReader(content))
	r.ContentLength = int64(len(content))
	return r
}

// repeats answers every request on a connection with its body.
func repeats(_ int, c streamConn, requests *bufio.Reader) {
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		response := http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body)))}
		_ = response.Write(c)
	}
}

func TestSmallBodiesPassWholeOnOneConnection(t *testing.T) {
	s := startScripted(t, repeats)
	b := s.backend(t)
	for _, size := range []int{1, 4095, 4096, 10 << 10, smallBody} {
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		response, err := b.transport.RoundTrip(withContent(request(t, t.Context(), http.MethodPost), content))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		if _ = response.Body.Close(); err != nil || string(got) != content {
			t.Errorf("%d bytes of %d came back: %v", len(got), size, err)
		}
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestSmallBodyIsSentAgainWithItsRequest(t *testing.T) {
	var bodies atomic.Int32
	s := startScripted(t, func(n int, c streamConn, requests *bufio.Reader) {
		if n == 0 {
			_ = skipRequest(requests)
			_, _ = io.WriteString(c, answer)
			_ = skipRequest(requests) // and hangs up without a word
			return
		}
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		if body, _ := io.ReadAll(r.Body); string(body) == "content" {
			bodies.Add(1)
		}
		_, _ = io.WriteString(c, answer)
	})
	b := s.backend(t)
	mustAsk(t, b, http.MethodGet)
	r := withContent(request(t, t.Context(), http.MethodPost), "content")
	r.Header.Set("Idempotency-Key", "1")
	response, err := b.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if bodies.Load() != 1 {
		t.Error("the body did not come with the request")
	}
}

// brokenBody ends with an error after a part of the body.
type brokenBody struct {
	io.Reader
	closed bool
}

func (b *brokenBody) Close() error {
	b.closed = true
	return nil
}

func TestBackendIsNotAskedForASmallBodyThatDoesNotArrive(t *testing.T) {
	s := startScripted(t, repeats)
	b := s.backend(t)
	broken := errors.New("the client has gone")
	for name, body := range map[string]io.Reader{
		"broken": io.MultiReader(strings.NewReader("con"), errorReader{broken}),
		"short":  strings.NewReader("con"),
		"long":   strings.NewReader("content and more"),
	} {
		r := request(t, t.Context(), http.MethodPost)
		closing := &brokenBody{Reader: body}
		r.Body, r.ContentLength = closing, int64(len("content"))
		if _, err := b.transport.RoundTrip(r); err == nil || name == "broken" && !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
		if !closing.closed {
			t.Errorf("%s: the body is not closed", name)
		}
	}
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("the backend got %d connections", n)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestClientThatSendsASmallBodySlowlyHoldsNoConnectionOfTheBackend(t *testing.T) {
	s := startScripted(t, repeats)
	e := startEdge(t, s.backend(t))
	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 7", "", "con")
	eventually(t, "the request is in flight", func() bool { return e.service.Route().Backend.InFlight() == 1 })
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("the backend got %d connections before the body was there", n)
	}
	c.send("nt") // and a line break
	if response, body := c.response(); response.StatusCode != 200 || body != "con\r\nnt" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}
