package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend serves handler and returns a target that asks it for /health.
func backend(t *testing.T, handler http.HandlerFunc) Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Target{Address: server.Listener.Addr().String(), Host: "chat.example.com", Path: "/health", Timeout: 20 * time.Second}
}

// raw serves each connection by hand.
func raw(t *testing.T, serve func(net.Conn)) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return Target{Address: l.Addr().String(), Host: "chat.example.com", Path: "/health?key=hunter2", Timeout: 20 * time.Second}
}

func readRequest(conn net.Conn) { http.ReadRequest(bufio.NewReader(conn)) }

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("got %v, want %q", err, text)
	}
}

func TestBackendIsAskedByItsProductionHost(t *testing.T) {
	var asked *http.Request
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) { asked = r })
	target.Path = "/health?deep=1"
	if err := new(Prober).Backend(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if asked.Method != "GET" || asked.Host != "chat.example.com" || asked.RequestURI != "/health?deep=1" || asked.UserAgent() != UserAgent {
		t.Errorf("asked %s %s of %s as %s", asked.Method, asked.RequestURI, asked.Host, asked.UserAgent())
	}
	if !asked.Close || asked.Header.Get(HeaderSecret) != "" {
		t.Error("the connection was to be kept, or the secret was sent")
	}
}

func TestOnly2xxIsHealthy(t *testing.T) {
	for status, healthy := range map[int]bool{200: true, 204: true, 301: false, 404: false, 500: false, 503: false} {
		followed := false
		target := backend(t, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/health"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		err := new(Prober).Backend(t.Context(), target)
		if (err == nil) != healthy || followed {
			t.Errorf("%d: %v, redirect followed: %v", status, err, followed)
		}
		if status == 503 {
			wantError(t, err, "/health answered 503")
		}
	}
}

func TestInterimAnswersAreSkipped(t *testing.T) {
	target := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	wantError(t, new(Prober).Backend(t.Context(), target), "/health answered 503")
}

func TestConnectionFailuresAreToldInFewWords(t *testing.T) {
	closed := raw(t, func(conn net.Conn) { readRequest(conn) })
	wantError(t, new(Prober).Backend(t.Context(), closed), "the connection was closed before the answer was complete")

	short := raw(t, func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	})
	wantError(t, new(Prober).Backend(t.Context(), short), "the connection was closed before the answer was complete")

	reset := raw(t, func(conn net.Conn) {
		readRequest(conn)
		conn.(*net.TCPConn).SetLinger(0)
	})
	wantError(t, new(Prober).Backend(t.Context(), reset), "connection reset")

	huge := raw(t, func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxHeader))
	})
	wantError(t, new(Prober).Backend(t.Context(), huge), "the header of the answer is too large")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := Target{Address: l.Addr().String()}
	l.Close()
	wantError(t, new(Prober).Backend(t.Context(), nobody), "connection refused")
}

func TestSilentBackendTimesOut(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	target.Timeout = 50 * time.Millisecond
	wantError(t, new(Prober).Backend(t.Context(), target), "no answer within 50ms")
}

func TestEndlessBodyIsNotReadToItsEnd(t *testing.T) {
	target := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 4096); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if err := new(Prober).Backend(t.Context(), target); err != nil {
		t.Error(err)
	}
}

func TestCancelledProbeReturnsItsCause(t *testing.T) {
	why := errors.New("the operation was interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	target := backend(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(why)
		<-r.Context().Done()
	})
	if err := new(Prober).Backend(ctx, target); err != why {
		t.Errorf("got %v", err)
	}
}

// listener is a public listener that labels its answers, like the edge does.
func listener(t *testing.T, status int, label string) (Target, *atomic.Int32) {
	t.Helper()
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(HeaderSecret) == "nonce" && r.TLS.ServerName == "chat.example.com" && r.Host == "chat.example.com" && label != "" {
			w.Header().Set(HeaderRoute, label)
		}
		w.WriteHeader(status)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return Target{Address: server.Listener.Addr().String(), Host: "chat.example.com", Path: "/health"}, &conns
}

func TestPublicReturnsWhatServedEachOnANewConnection(t *testing.T) {
	target, conns := listener(t, 200, "green r2")
	for range 3 {
		if label, err := new(Prober).Public(t.Context(), target, "nonce"); err != nil || label != "green r2" {
			t.Fatalf("%q, %v", label, err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections for 3 probes", n)
	}
}

func TestPublicNamesTheLabelOfAFailure(t *testing.T) {
	target, _ := listener(t, 502, "green r2")
	label, err := new(Prober).Public(t.Context(), target, "nonce")
	wantError(t, err, "/health answered 502")
	if label != "green r2" || errors.Is(err, ErrListener) {
		t.Errorf("label %q, %v", label, err)
	}
}

func TestPublicAnnouncesItselfWhereItMust(t *testing.T) {
	for about, c := range map[string]struct {
		announcers []netip.Prefix
		want       string
	}{
		"this machine":    {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "PROXY UNKNOWN\r\n"},
		"another machine": {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "\x16"}, // a TLS handshake
	} {
		begun := make(chan string, 1)
		target := raw(t, func(conn net.Conn) {
			first := make([]byte, len(c.want))
			_, _ = io.ReadFull(conn, first)
			begun <- string(first)
		})
		target.Announcers = c.announcers
		if _, err := (&Prober{}).Public(t.Context(), target, "nonce"); !errors.Is(err, ErrListener) {
			t.Errorf("%s: error %v", about, err)
		}
		if got := <-begun; got != c.want {
			t.Errorf("%s: began with %q, want %q", about, got, c.want)
		}
	}
}

func TestPublicWithoutLabelIsAFailure(t *testing.T) {
	target, _ := listener(t, 200, "green r2")
	if label, err := new(Prober).Public(t.Context(), target, "wrong"); err == nil || label != "" {
		t.Errorf("%q, %v", label, err)
	}
}

func TestListenerFaultsAreToldApart(t *testing.T) {
	plain := backend(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := new(Prober).Public(t.Context(), plain, "nonce"); !errors.Is(err, ErrListener) {
		t.Errorf("failed handshake: %v", err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }})
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Address: l.Addr().String(), Host: "chat.example.com"}
	l.Close()
	if _, err := new(Prober).Public(t.Context(), target, "nonce"); !errors.Is(err, ErrListener) || !strings.HasSuffix(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
	silent := raw(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	silent.Timeout = 50 * time.Millisecond
	if _, err := new(Prober).Public(t.Context(), silent, "nonce"); !errors.Is(err, ErrListener) || !strings.HasSuffix(err.Error(), "no answer within 50ms") {
		t.Errorf("silent listener: %v", err)
	}
}

func TestQueryOfThePathIsNotShown(t *testing.T) {
	target := raw(t, func(conn net.Conn) {
		readRequest(conn)
		io.WriteString(conn, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
	})
	wantError(t, new(Prober).Backend(t.Context(), target), "/health answered 500")
}
