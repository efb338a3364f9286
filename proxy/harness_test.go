package proxy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const (
	appHost   = "app.test"
	otherHost = "internal.app.test"
	secret    = "a-probe-secret-of-the-tests"
	patience  = 10 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge is a running server with one service on appHost.
type edge struct {
	*Server
	t        *testing.T
	service  *Service
	recorder *recorder
	https    string
	http     string
	roots    *x509.CertPool
	stop     func() error
}

// startEdge runs a server whose appHost leads to backend; adjust may change
// the options before the start.
func startEdge(t *testing.T, backend *Backend, adjust ...func(*Options)) *edge {
	t.Helper()
	cert, roots := certificate(t)
	e := &edge{t: t, recorder: new(recorder), roots: roots}
	e.service = NewService(e.route(backend, "blue"))
	o := Options{
		HTTP:          listen(t),
		HTTPS:         listen(t),
		TLS:           &tls.Config{Certificates: []tls.Certificate{cert}},
		Table:         mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service}}),
		ProbeSecret:   secret,
		Linger:        time.Millisecond,
		ShutdownGrace: 5 * time.Second,
	}
	for _, f := range adjust {
		f(&o)
	}
	e.https, e.http = o.HTTPS.Addr().String(), o.HTTP.Addr().String()
	e.Server = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	e.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = e.stop() })
	return e
}

// route returns a public route with the edge's recorder.
func (e *edge) route(b *Backend, label string) *Route {
	return &Route{Label: label, Backend: b, Recorder: e.recorder, Policy: Policy{Public: true}}
}

func mustTable(t *testing.T, o TableOptions) *Table {
	t.Helper()
	table, err := NewTable(o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// refusing returns an address at which connections are refused. The port is
// taken, so that nobody else begins to listen there meanwhile.
func refusing(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*unix.SockaddrInet4).Port))
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: appHost},
		DNSNames:              []string{appHost, otherHost, "unknown.test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// startBackend runs h behind a Backend.
func startBackend(t *testing.T, h http.HandlerFunc, adjust ...func(*BackendOptions)) *Backend {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return backendAt(t, srv.Listener.Addr().String(), adjust...)
}

func backendAt(t *testing.T, address string, adjust ...func(*BackendOptions)) *Backend {
	t.Helper()
	o := BackendOptions{Address: address}
	for _, f := range adjust {
		f(&o)
	}
	b := NewBackend(o)
	t.Cleanup(b.Close)
	return b
}

// says answers every request with text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// client returns an HTTP client whose every host is the edge, over HTTP/1.1
// or HTTP/2.
func (e *edge) client(h2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", e.https)
		},
		TLSClientConfig:    &tls.Config{RootCAs: e.roots},
		Protocols:          protocols,
		DisableCompression: true,
	}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get requests https://host/path and returns the response with its body read.
func (e *edge) get(h2 bool, target string, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.do(h2, http.MethodGet, target, nil, header...)
}

func (e *edge) do(h2 bool, method, target string, body io.Reader, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.exchange(e.client(h2).Do, method, target, body, header...)
}

// exchange sends a request by do and reads the whole response.
func (e *edge) exchange(do func(*http.Request) (*http.Response, error), method, target string, body io.Reader, header ...string) (*http.Response, string) {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, target, body)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatalf("reading the response: %v", err)
	}
	return response, string(text)
}

// rawConn is an HTTP/1.1 connection on which the test writes every byte, and
// which never retries.
type rawConn struct {
	net.Conn
	*bufio.Reader
	t *testing.T
}

func (c *rawConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func (e *edge) dial(serverName string) *rawConn {
	e.t.Helper()
	c, err := tls.Dial("tcp", e.https, &tls.Config{RootCAs: e.roots, ServerName: serverName, NextProtos: []string{"http/1.1"}})
	if err != nil {
		e.t.Fatal(err)
	}
	return raw(e.t, c)
}

func raw(t *testing.T, c net.Conn) *rawConn {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &rawConn{Conn: c, Reader: bufio.NewReader(c), t: t}
}

// send writes lines joined by CRLF; an empty last line ends a header.
func (c *rawConn) send(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		c.t.Fatalf("writing the request: %v", err)
	}
}

// response reads one response with its body.
func (c *rawConn) response() (*http.Response, string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.Reader, nil)
	if err != nil {
		c.t.Fatalf("reading the response: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("reading the body: %v", err)
	}
	return response, string(body)
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// receive waits for a value of c.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("never happened: %s", what)
		panic("unreachable")
	}
}

// recorder keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	requests []Observation
	begun    int
	ended    []UpgradeObservation
}

func (r *recorder) Request(o Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, o)
}

func (r *recorder) UpgradeBegin(string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun++
}

func (r *recorder) UpgradeEnd(o UpgradeObservation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, o)
}

// only waits for the single observation and returns it.
func (r *recorder) only(t *testing.T) Observation {
	t.Helper()
	var all []Observation
	eventually(t, "one observation", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		all = append(all[:0], r.requests...)
		return len(all) > 0
	})
	if len(all) != 1 {
		t.Fatalf("got %d observations, want 1: %+v", len(all), all)
	}
	return all[0]
}
