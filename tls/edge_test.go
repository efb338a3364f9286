package edgetls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/internal/pebbletest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// certmagic keeps one limiter for each ACME directory and account for the life of the
		// process and offers no way to end it.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
	)
}

const (
	production = "app.example.test"
	internal   = "internal.app.example.test"
)

// patience bounds every wait for something that happens in the background.
const patience = 40 * time.Second

// edge is the two listeners of an edge with their certificates, as the program would open them.
type edge struct {
	*Certificates
	httpPort, tlsPort int
	tlsAddr           string

	t         testing.TB
	httpSrv   *http.Server
	tlsSrv    *http.Server
	httpLn    net.Listener
	tlsLn     net.Listener
	stop      context.CancelFunc
	ended     chan struct{}
	runResult error
}

// listen opens the listeners of an edge that does not serve yet.
func listen(t testing.TB) *edge {
	t.Helper()
	e := &edge{t: t}
	e.httpLn, e.httpPort = listenLoopback(t)
	e.tlsLn, e.tlsPort = listenLoopback(t)
	e.tlsAddr = e.tlsLn.Addr().String()
	return e
}

func listenLoopback(t testing.TB) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// serve loads the certificates and serves, managing nothing yet.
func (e *edge) serve(opts Options) *edge {
	e.t.Helper()
	if opts.Issuer == IssuerACME && opts.HTTPPort == 0 && opts.TLSPort == 0 {
		opts.HTTPPort, opts.TLSPort = e.httpPort, e.tlsPort
	}
	c, err := New(opts)
	if err != nil {
		e.t.Fatal(err)
	}
	e.Certificates = c
	plain := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	e.httpSrv = &http.Server{Handler: c.Challenge(plain), ErrorLog: quiet}
	e.tlsSrv = &http.Server{Handler: plain, TLSConfig: c.Config(), ErrorLog: quiet}
	var serving sync.WaitGroup
	serving.Go(func() { _ = e.httpSrv.Serve(e.httpLn) })
	serving.Go(func() { _ = e.tlsSrv.ServeTLS(e.tlsLn, "", "") })
	e.t.Cleanup(func() {
		e.stopRun()
		_ = e.httpSrv.Close()
		_ = e.tlsSrv.Close()
		serving.Wait()
	})
	return e
}

func (e *edge) run() *edge {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop, e.ended = cancel, make(chan struct{})
	go func() {
		defer close(e.ended)
		e.runResult = e.Run(ctx)
	}()
	return e
}

func (e *edge) stopRun() {
	if e.stop == nil {
		return
	}
	e.stop()
	<-e.ended
	e.stop = nil
	if e.runResult != nil {
		e.t.Errorf("Run ended with an error: %v", e.runResult)
	}
}

// start is an edge that uses the ACME server, listening, serving and managing.
func start(t testing.TB, e *edge, ca *pebbletest.Server, state string, hosts ...string) *edge {
	t.Helper()
	return e.serve(acmeOptions(ca, state, hosts...)).run()
}

func acmeOptions(ca *pebbletest.Server, state string, hosts ...string) Options {
	return Options{
		Issuer: IssuerACME, Email: "ops@example.test", Directory: ca.Directory, Root: ca.Root,
		StateDir: state, Hosts: hosts,
		pace: pace{retry: 200 * time.Millisecond, retryMax: time.Second, watch: 50 * time.Millisecond},
	}
}

// shown is the leaf that a client is shown for host.
func (e *edge) shown(host string) (*x509.Certificate, error) {
	return e.handshake(&tls.Config{ServerName: host, InsecureSkipVerify: true})
}

func (e *edge) handshake(config *tls.Config) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", e.tlsAddr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// verified is shown for a client that checks the chain and the name.
func (e *edge) verified(host string, roots *x509.CertPool) *x509.Certificate {
	e.t.Helper()
	leaf, err := e.handshake(&tls.Config{ServerName: host, RootCAs: roots})
	if err != nil {
		e.t.Fatalf("a client that trusts the issuer could not connect to %s: %v", host, err)
	}
	return leaf
}

func (e *edge) statusOf(host string) Status {
	e.t.Helper()
	for _, s := range e.Status() {
		if s.Host == host {
			return s
		}
	}
	e.t.Fatalf("no status for %s in %+v", host, e.Status())
	return Status{}
}

func (e *edge) awaitOK(hosts ...string) {
	e.t.Helper()
	for _, host := range hosts {
		eventually(e.t, "a certificate for "+host, func() bool { return e.statusOf(host).OK })
	}
}

// eventually polls until it holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// unrecognized tells whether the handshake was refused for its name.
func unrecognized(err error) bool {
	return err != nil && strings.Contains(err.Error(), "tls: unrecognized name") // crypto/tls exports no type for it
}

func filesBelow(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func get(t testing.TB, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Close = host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
