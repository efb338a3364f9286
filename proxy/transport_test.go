package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// scripted is a backend whose connections do what a test says. It counts them.
type scripted struct {
	address        string
	accepted, open atomic.Int32
}

// streamConn is what TCP and Unix connections have in common.
type streamConn interface {
	net.Conn
	CloseWrite() error
}

// startScripted serves the nth connection, from 0 on, with serve.
func startScripted(t testing.TB, serve func(n int, c streamConn, requests *bufio.Reader)) *scripted {
	t.Helper()
	return startScriptedOn(t, listen(t), serve)
}

func startScriptedOn(t testing.TB, l net.Listener, serve func(n int, c streamConn, requests *bufio.Reader)) *scripted {
	t.Helper()
	s := &scripted{address: l.Addr().String()}
	if l.Addr().Network() == "unix" {
		s.address = unixPrefix + s.address
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			serving.Go(func() {
				defer s.open.Add(-1)
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(patience))
				serve(n, c.(streamConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return s
}

func (s *scripted) backend(t testing.TB, adjust ...func(*BackendOptions)) *Backend {
	o := BackendOptions{Address: s.address}
	for _, f := range adjust {
		f(&o)
	}
	b := NewBackend(o)
	t.Cleanup(b.Close)
	return b
}

// answers answers every request on a connection with text.
func answers(text string) func(int, streamConn, *bufio.Reader) {
	return func(_ int, c streamConn, requests *bufio.Reader) {
		for skipRequest(requests) {
			_, _ = io.WriteString(c, text)
		}
	}
}

func skipRequest(requests *bufio.Reader) bool {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

func request(t testing.TB, ctx context.Context, method string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://backend.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ask sends a request without a body and reads the whole response.
func ask(t *testing.T, b *Backend, method string) (*http.Response, string, error) {
	t.Helper()
	response, err := b.transport.RoundTrip(request(t, t.Context(), method))
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func mustAsk(t *testing.T, b *Backend, method string) string {
	t.Helper()
	_, body, err := ask(t, b, method)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return body
}

// reset ends a connection with a reset rather than in good order.
func reset(c streamConn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func TestConnectionIsUsedAgainAndClosedWithTheBackend(t *testing.T) {
	s := startScripted(t, answers(answer))
	b := s.backend(t)
	for range 5 {
		if body := mustAsk(t, b, http.MethodGet); body != "ok" {
			t.Fatalf("body %q", body)
		}
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections for 5 requests", n)
	}
	b.Close()
	eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
	for range 2 {
		mustAsk(t, b, http.MethodGet)
	}
	if n := s.accepted.Load(); n != 2 {
		t.Errorf("%d connections: a closed backend is not used again as before", n)
	}
}

func TestConnectionInUseWhenTheBackendIsClosedIsNotKept(t *testing.T) {
	s := startScripted(t, answers(answer))
	b := s.backend(t, func(o *BackendOptions) { o.IdleTimeout = time.Hour })
	response, err := b.transport.RoundTrip(request(t, t.Context(), http.MethodGet))
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "ok" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
}

func TestIdleConnectionIsClosedInTime(t *testing.T) {
	s := startScripted(t, answers(answer))
	b := s.backend(t, func(o *BackendOptions) { o.IdleTimeout = 20 * time.Millisecond })
	for range 2 {
		mustAsk(t, b, http.MethodGet)
		eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
	}
	if n := s.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// two returns responses on two connections, their bodies not yet read.
func two(t *testing.T, b *Backend) (first, second *http.Response) {
	t.Helper()
	for _, r := range []**http.Response{&first, &second} {
		response, err := b.transport.RoundTrip(request(t, t.Context(), http.MethodGet))
		if err != nil {
			t.Fatal(err)
		}
		*r = response
	}
	return first, second
}

func TestConnectionsBecomeTooOldOneAfterTheOther(t *testing.T) {
	s := startScripted(t, answers(answer))
	b := s.backend(t, func(o *BackendOptions) { o.IdleTimeout = 40 * time.Millisecond })
	first, second := two(t, b)
	_, _ = io.Copy(io.Discard, first.Body)
	time.Sleep(20 * time.Millisecond)
	_, _ = io.Copy(io.Discard, second.Body)
	eventually(t, "both connections are closed", func() bool { return s.open.Load() == 0 })
}

// Taking turns would keep for ever what only a burst has needed.
func TestConnectionsThatABurstHasLeftEnd(t *testing.T) {
	s := startScripted(t, answers(answer))
	b := s.backend(t, func(o *BackendOptions) { o.IdleTimeout = 500 * time.Millisecond })
	first, second := two(t, b)
	_, _ = io.Copy(io.Discard, first.Body)
	_, _ = io.Copy(io.Discard, second.Body)
	eventually(t, "only one connection is left", func() bool {
		mustAsk(t, b, http.MethodGet)
		return s.open.Load() == 1
	})
	b.Close()
}

func TestIdleConnectionsAreLimitedInNumber(t *testing.T) {
	p := idlePool{timeout: time.Hour}
	defer p.close()
	for n := range idleConnsPerBackend + 1 {
		ours, theirs := net.Pipe()
		p.put(newUpstreamConn(nil, ours), time.Now())
		_ = theirs.SetReadDeadline(time.Now())
		_, err := theirs.Read(make([]byte, 1))
		if closed := err == io.EOF; closed != (n == idleConnsPerBackend) {
			t.Fatalf("connection %d of %d: closed %v", n+1, idleConnsPerBackend, closed)
		}
	}
}

// What a backend sends beyond its response, at once or later, must never be
// the response to the next request.
func TestBytesBeyondAResponseAreNeverTheNextOne(t *testing.T) {
	const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	for name, c := range map[string]struct{ response, later string }{
		"at once":          {answer + forged, ""},
		"later":            {answer, forged},
		"after no content": {"HTTP/1.1 204 No Content\r\n\r\n" + forged, ""},
	} {
		t.Run(name, func(t *testing.T) {
			read, sent := make(chan struct{}), make(chan struct{})
			s := startScripted(t, func(_ int, conn streamConn, requests *bufio.Reader) {
				skipRequest(requests)
				_, _ = io.WriteString(conn, c.response)
				<-read
				_, _ = io.WriteString(conn, c.later)
				sent <- struct{}{}
				skipRequest(requests)
			})
			b := s.backend(t)
			for range 3 {
				if body := mustAsk(t, b, http.MethodGet); body == "forged" {
					t.Error("a response that nobody asked for was handed out")
				}
				read <- struct{}{}
				receive(t, "all is sent", sent)
			}
			b.Close()
		})
	}
}

func TestClosedIdleConnectionCostsNoRequest(t *testing.T) {
	s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
		skipRequest(requests)
		_, _ = io.WriteString(c, answer)
	})
	b := s.backend(t)
	for range 20 {
		mustAsk(t, b, http.MethodPost)
		eventually(t, "the backend has closed", func() bool { return s.open.Load() == 0 })
	}
}

// A backend that was restarted has closed every connection at once.
func TestManyStaleConnectionsEndInAFreshOne(t *testing.T) {
	const connections = 8
	var together sync.WaitGroup
	together.Add(connections)
	var seen atomic.Int32
	s := startScripted(t, func(n int, c streamConn, requests *bufio.Reader) {
		skipRequest(requests)
		if n < connections {
			together.Done()
			together.Wait()
		}
		_, _ = io.WriteString(c, answer)
		if skipRequest(requests) {
			seen.Add(1)
			reset(c) // as a process that dies with the request in its hands
		}
	})
	b := s.backend(t)
	var asked sync.WaitGroup
	for range connections {
		asked.Go(func() { mustAsk(t, b, http.MethodGet) })
	}
	asked.Wait()
	if body := mustAsk(t, b, http.MethodGet); body != "ok" || seen.Load() != 1 {
		t.Errorf("body %q after %d attempts, want one", body, seen.Load())
	}
}

func TestRequestIsRepeatedOnlyWhereItIsSafe(t *testing.T) {
	for _, c := range []struct {
		method, header string
		repeated       bool
	}{
		{http.MethodGet, "", true}, {http.MethodHead, "", true}, {http.MethodOptions, "", true},
		{http.MethodPost, "", false}, {http.MethodPut, "", false}, {http.MethodPatch, "", false}, {http.MethodDelete, "", false},
		{http.MethodPost, "Idempotency-Key", true}, {http.MethodDelete, "X-Idempotency-Key", true},
	} {
		t.Run(c.method+c.header, func(t *testing.T) {
			var second atomic.Int32
			s := startScripted(t, func(n int, conn streamConn, requests *bufio.Reader) {
				for i := 0; skipRequest(requests); i++ {
					if i == 1 {
						second.Add(1)
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			b := s.backend(t)
			mustAsk(t, b, c.method)
			r := request(t, t.Context(), c.method)
			if c.header != "" {
				r.Header.Set(c.header, "1")
			}
			response, err := b.transport.RoundTrip(r)
			if err == nil {
				_ = response.Body.Close()
			}
			if repeated := err == nil; repeated != c.repeated || second.Load() != 1 {
				t.Errorf("repeated %v (%v), want %v", repeated, err, c.repeated)
			}
		})
	}
}

func TestNothingIsRepeatedOnceAByteCameBack(t *testing.T) {
	s := startScripted(t, func(n int, c streamConn, requests *bufio.Reader) {
		skipRequest(requests)
		_, _ = io.WriteString(c, answer)
		skipRequest(requests)
		_, _ = io.WriteString(c, "H")
	})
	b := s.backend(t)
	mustAsk(t, b, http.MethodGet)
	if _, _, err := ask(t, b, http.MethodGet); err == nil {
		t.Error("no error")
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections: the request was sent again", n)
	}
}

// Docker's proxy accepts for a container that does not listen, and resets.
func TestResetOfANewConnectionIsRepeatedOnceAndOnlyWhereItIsSafe(t *testing.T) {
	for _, c := range []struct {
		method   string
		resets   int
		answered bool
	}{
		{http.MethodGet, 1, true}, {http.MethodGet, 2, false}, {http.MethodPost, 1, false}, {http.MethodDelete, 1, false},
	} {
		t.Run(c.method, func(t *testing.T) {
			s := startScripted(t, func(n int, conn streamConn, requests *bufio.Reader) {
				if skipRequest(requests); n < c.resets {
					reset(conn)
					return
				}
				_, _ = io.WriteString(conn, answer)
			})
			_, _, err := ask(t, s.backend(t), c.method)
			if answered := err == nil; answered != c.answered {
				t.Errorf("%d resets: answered %v (%v), want %v", c.resets, answered, err, c.answered)
			}
		})
	}
}

func TestBackendThatJustStartsIsAwaitedForAMoment(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		free := listen(t)
		address := free.Addr().String()
		_ = free.Close()
		late := make(chan net.Listener, 1)
		timer := time.AfterFunc(firstDialPause, func() {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Error(err)
			}
			late <- l
		})
		defer timer.Stop()
		b := backendAt(t, address)
		b.dialer.pause = patience / 20
		answered := make(chan error, 1)
		go func() {
			_, _, err := ask(t, b, method)
			answered <- err
		}()
		l := receive(t, "the backend listens", late)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		skipRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, answer)
		if err := receive(t, "the answer", answered); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		_, _ = c.Close(), l.Close()
	}
}

func TestRefusedBackendIsGivenUp(t *testing.T) {
	b := backendAt(t, refusing(t))
	_, _, err := ask(t, b, http.MethodGet)
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("%v", err)
	}
}

func TestHeaderThatDoesNotComeTimesOut(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":          "",
		"half a header":    "HTTP/1.1 200 OK\r\nX: ",
		"only information": "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		for _, timeout := range []time.Duration{watchAfter / 5, watchAfter * 2} {
			t.Run(name, func(t *testing.T) {
				s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
					skipRequest(requests)
					_, _ = io.WriteString(c, answer)
					skipRequest(requests)
					_, _ = io.WriteString(c, sent)
					skipRequest(requests)
				})
				b := s.backend(t)
				mustAsk(t, b, http.MethodGet)
				b.transport.headerTimeout = timeout
				if _, _, err := ask(t, b, http.MethodGet); !isTimeout(err) {
					t.Errorf("%v is no timeout", err)
				}
				eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
				if n := s.accepted.Load(); n != 1 {
					t.Errorf("%d connections: a request that timed out was sent again", n)
				}
			})
		}
	}
}

func TestBodyMayTakeLongerThanTheHeader(t *testing.T) {
	const timeout = time.Second // a busy machine may stand still for a while
	for name, beforeHeader := range map[string]time.Duration{"quick header": 0, "watched header": watchAfter + 5*time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
				skipRequest(requests)
				time.Sleep(beforeHeader)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
				time.Sleep(timeout + timeout/4)
				_, _ = io.WriteString(c, "ow")
				skipRequest(requests)
				_, _ = io.WriteString(c, answer)
			})
			b := s.backend(t, func(o *BackendOptions) { o.HeaderTimeout = timeout })
			for _, want := range []string{"slow", "ok"} {
				if body := mustAsk(t, b, http.MethodGet); body != want {
					t.Errorf("body %q", body)
				}
			}
			if n := s.accepted.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// The call to the backend ends with the request, wherever it waits, and its
// connection is not used again.
func TestEndOfTheRequestEndsTheExchange(t *testing.T) {
	cause := errors.New("the client left")
	for name, sent := range map[string]string{
		"before the header": "",
		"in the header":     "HTTP/1.1 200 OK\r\nX: ",
		"in the body":       "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
	} {
		for _, after := range []time.Duration{0, watchAfter * 2} {
			t.Run(name, func(t *testing.T) {
				arrived := make(chan struct{})
				s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
					skipRequest(requests)
					_, _ = io.WriteString(c, sent)
					close(arrived)
					skipRequest(requests)
				})
				b := s.backend(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				go func() {
					<-arrived
					time.Sleep(after)
					cancel(cause)
				}()
				response, err := b.transport.RoundTrip(request(t, ctx, http.MethodGet))
				if err == nil {
					_, err = io.ReadAll(response.Body)
					_ = response.Body.Close()
				}
				if !errors.Is(err, cause) {
					t.Errorf("%v, want the cause", err)
				}
				eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
			})
		}
	}
}

func TestEndOfARequestDoesNotTouchTheNextOnItsConnection(t *testing.T) {
	next := make(chan struct{})
	s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
		skipRequest(requests)
		time.Sleep(watchAfter + 5*time.Millisecond)
		_, _ = io.WriteString(c, answer)
		skipRequest(requests)
		close(next)
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(c, answer)
	})
	b := s.backend(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	response, err := b.transport.RoundTrip(request(t, ctx, http.MethodGet))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	go func() {
		<-next
		cancel()
	}()
	if body := mustAsk(t, b, http.MethodPost); body != "ok" {
		t.Errorf("body %q", body)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestRequestThatHasEndedIsNotSent(t *testing.T) {
	s := startScripted(t, answers(answer))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.backend(t).transport.RoundTrip(request(t, ctx, http.MethodGet)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := s.accepted.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestBodyClosedEarlyClosesTheConnection(t *testing.T) {
	s := startScripted(t, answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"))
	b := s.backend(t)
	response, err := b.transport.RoundTrip(request(t, t.Context(), http.MethodGet))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if _, err := response.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("read after close: %v", err)
	}
	eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
}

// Another goroutine may close the body while it is being read.
func TestCloseEndsAReadThatWaits(t *testing.T) {
	s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
		skipRequest(requests)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		skipRequest(requests)
	})
	response, err := s.backend(t).transport.RoundTrip(request(t, t.Context(), http.MethodGet))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2*watchAfter, func() { _ = response.Body.Close() })
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("half a body was whole")
	}
}

func TestHeaderOfTheBackendIsLimited(t *testing.T) {
	line := "X: " + strings.Repeat("x", 1000) + "\r\n"
	s := startScripted(t, answers("HTTP/1.1 200 OK\r\n"+strings.Repeat(line, backendHeaderBytes/len(line)+1)+"\r\n"))
	if _, _, err := ask(t, s.backend(t), http.MethodGet); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
}

func TestAnswerBeforeTheWholeRequestIsPassedOn(t *testing.T) {
	s := startScripted(t, func(_ int, c streamConn, requests *bufio.Reader) {
		_, _ = requests.Peek(1)
		_, _ = io.WriteString(c, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, requests)
	})
	r := request(t, t.Context(), http.MethodGet)
	r.Header.Set("X-Long", strings.Repeat("x", 1<<20))
	response, err := s.backend(t).transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

// A backend that accepts and never reads holds a long request up; the limits
// are those of the wait for its header.
func TestBackendThatDoesNotReadTimesOut(t *testing.T) {
	given := make(chan struct{})
	s := startScripted(t, func(int, streamConn, *bufio.Reader) { <-given })
	defer close(given)
	r := request(t, t.Context(), http.MethodGet)
	r.Header.Set("X-Long", strings.Repeat("x", 32<<20))
	_, err := s.backend(t, func(o *BackendOptions) { o.HeaderTimeout = 2 * watchAfter }).transport.RoundTrip(r)
	if !isTimeout(err) {
		t.Errorf("%v is no timeout", err)
	}
}
