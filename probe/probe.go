package probe

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// The headers between a probe and the public listener.
const (
	// HeaderSecret carries the secret by which the listener knows a probe.
	HeaderSecret = "X-Bluegreen-Probe"
	// HeaderRoute carries the listener's answer: what served the probe.
	HeaderRoute = "X-Bluegreen-Route"
)

// UserAgent is how probes introduce themselves.
const UserAgent = "bluegreen-probe"

// ErrListener marks failures of the public listener itself: it could not be
// reached, or the TLS handshake failed. They say nothing about the backend.
var ErrListener = errors.New("the public listener does not answer")

const (
	defaultTimeout = 5 * time.Second
	maxHeader      = 64 << 10
	maxBody        = 64 << 10 // read of an answer; longer ones are fine
)

// Target says what to ask for.
type Target struct {
	// Address is where to connect, host:port.
	Address string
	// Host is the host asked for: the Host header, and the name in the TLS handshake.
	Host string
	// Path is the request target, with its query if any; empty means "/".
	Path string
	// Timeout bounds the whole probe; 0 means 5s.
	Timeout time.Duration
	// Announcers are the peers of which the public listener demands a PROXY
	// header. Where this machine is one, a probe of it sends one.
	Announcers []netip.Prefix
	// H2C says that the backend speaks HTTP/2 without TLS.
	H2C bool
}

// Prober sends probes. The zero value is ready to use.
type Prober struct{}

// Backend asks the backend at t.Address without TLS. Only a complete answer
// with a 2xx status (RFC 9110 section 15.3) is healthy; if the path is
// GRPCHealth, only one that says SERVING.
func (p *Prober) Backend(ctx context.Context, t Target) error {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return t.explain(ctx, err)
	}
	ask := t.ask
	if t.H2C {
		ask = t.askHTTP2
	}
	answer, err := ask(ctx, conn, http.Header{})
	if err != nil {
		return t.explain(ctx, err)
	}
	return t.judge(answer)
}

// Public asks the public listener at t.Address over TLS, with the secret that
// marks the request as a probe. The label is what the listener says served it;
// it is returned also with an error, if the answer came that far. An error
// that wraps ErrListener is the listener's fault, not the backend's.
func (p *Prober) Public(ctx context.Context, t Target, secret string) (label string, err error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	config := &tls.Config{
		ServerName: t.Host,
		NextProtos: []string{"http/1.1"},
		// This is our own listener, reached at an address that we chose, and only
		// it can answer the secret with a label. A certificate that is expired or
		// not issued yet must not look like a backend that fails.
		InsecureSkipVerify: true,
	}
	if t.isGRPC() {
		config.NextProtos = []string{"h2"}
	}
	conn, err := t.handshake(ctx, config)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrListener, t.explain(ctx, err))
	}
	ask := t.ask
	if t.isGRPC() {
		ask = t.askHTTP2
	}
	answer, err := ask(ctx, conn, http.Header{HeaderSecret: {secret}})
	if err != nil {
		return "", t.explain(ctx, err)
	}
	label = answer.Header.Get(HeaderRoute)
	if err := t.judge(answer); err != nil {
		return label, err
	}
	if label == "" {
		return "", fmt.Errorf("the answer to %s does not say what served it", t.path())
	}
	return label, nil
}

// handshake connects to the public listener.
func (t Target) handshake(ctx context.Context, config *tls.Config) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err = t.announce(conn); err == nil {
		err = secure.HandshakeContext(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// announce sends the PROXY header that announces nobody (version 1), if the
// listener demands one of this machine.
func (t Target) announce(conn net.Conn) error {
	self, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	for _, r := range t.Announcers {
		if r.Contains(self.AddrPort().Addr().Unmap()) {
			_, err := io.WriteString(conn, "PROXY UNKNOWN\r\n")
			return err
		}
	}
	return nil
}

// bound ends ctx with the timeout.
func (t Target) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, t.timeout(), errTimeout)
}

var errTimeout = errors.New("timeout of the probe")

func (t Target) timeout() time.Duration { return cmp.Or(max(t.Timeout, 0), defaultTimeout) }

// path is the path to show: a query may hold secrets.
func (t Target) path() string {
	path, _, _ := strings.Cut(cmp.Or(t.Path, "/"), "?")
	return path
}

// ask sends one request over conn, reads the whole answer and closes conn.
func (t Target) ask(ctx context.Context, conn net.Conn, header http.Header) (*http.Response, error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	uri, err := url.ParseRequestURI(cmp.Or(t.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("%q is no path to ask for", t.path())
	}
	header.Set("User-Agent", UserAgent)
	request := &http.Request{
		Method: http.MethodGet, URL: uri, Host: t.Host, Header: header,
		ProtoMajor: 1, ProtoMinor: 1, Close: true,
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	answer, err := readFinal(bufio.NewReader(limited), request)
	if err != nil {
		if limited.N <= 0 {
			return nil, errors.New("the header of the answer is too large")
		}
		return nil, err
	}
	defer answer.Body.Close()
	limited.N = maxBody + maxHeader
	if _, err := io.CopyN(io.Discard, answer.Body, maxBody); err != nil && err != io.EOF {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return answer, nil
}

// readFinal skips interim answers (RFC 9110 section 15.2).
func readFinal(from *bufio.Reader, request *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(from, request)
		if err != nil || answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, err
		}
	}
}

func (t Target) judge(answer *http.Response) error {
	if t.isGRPC() {
		return judgeGRPC(answer)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %d", t.path(), answer.StatusCode)
	}
	return nil
}

// explain puts a failed connection into the words of an operator.
func (t Target) explain(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == errTimeout, cause == nil && errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer within %v", t.timeout())
	case cause != nil:
		return cause
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("connection reset")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the connection was closed before the answer was complete")
	}
	return err
}
