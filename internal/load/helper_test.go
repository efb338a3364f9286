package load

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/internal/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startChat runs a chat and returns a proxy to it.
func startChat(t *testing.T, release string) http.Handler {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- chat.Run(ctx, chat.Options{Listener: listener, Release: release}) }()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listener.Addr().String()})
	transport := &http.Transport{}
	proxy.Transport, proxy.FlushInterval = transport, -1
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return proxy
}

// edge is a TLS server in front of a handler that can be replaced.
type edge struct {
	*httptest.Server
	handler atomic.Pointer[http.Handler]
}

func (e *edge) route(to http.Handler) { e.handler.Store(&to) }

func startEdge(t *testing.T, to http.Handler, adjust ...func(*http.Server)) *edge {
	t.Helper()
	e := &edge{}
	e.route(to)
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*e.handler.Load()).ServeHTTP(w, r)
	}))
	e.EnableHTTP2 = true
	for _, f := range adjust {
		f(e.Config)
	}
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

// put starts a load of the kinds, one worker each, and returns it with a
// function that ends it.
func put(t *testing.T, e *edge, options Options, kinds ...Kind) (*Load, func()) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(e.Certificate())
	options.Address, options.Host, options.RootCAs = e.Listener.Addr().String(), "example.com:8443", roots
	options.Workers = make(map[Kind]int)
	for _, kind := range kinds {
		options.Workers[kind] = 1
	}
	if options.TransferBytes == 0 {
		options.TransferBytes, options.TransferRate = 40_000, 400_000
	}
	options.SocketPause = time.Millisecond
	l := New(options)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stopped := false
	stop := func() {
		cancel()
		if !stopped {
			stopped = true
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return l, stop
}

func eventually(t *testing.T, l *Load, what string, ok func(Stats) bool) Stats {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ; ; time.Sleep(5 * time.Millisecond) {
		stats := l.Snapshot()
		if ok(stats) {
			return stats
		}
		if time.Now().After(deadline) {
			t.Fatalf("never: %s: %+v", what, stats)
		}
	}
}

func done(kind Kind, n int64) func(Stats) bool {
	return func(s Stats) bool { return s.Kinds[kind].Done >= n }
}

func wantNoFailure(t *testing.T, stats Stats) {
	t.Helper()
	if stats.Failed() != 0 || stats.Stale() != 0 {
		t.Errorf("%d failed, %d stale: %q", stats.Failed(), stats.Stale(), stats.Errors())
	}
}
