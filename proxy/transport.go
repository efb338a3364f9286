package proxy

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"syscall"
	"time"
)

const (
	// upstreamBuffer is http.Transport's own: the longest trailer that is
	// accepted depends on it.
	upstreamBuffer = 4 << 10
	// requestBuffer holds a small body and most headers, for one write.
	requestBuffer   = smallBody + upstreamBuffer
	resetPause      = 50 * time.Millisecond
	maxInformations = 8

	expectContinueTimeout = time.Second
)

// transport takes requests to one backend. Over HTTP/1.1 requests without a
// body or with a small one, which are most, are written and their responses
// read on the calling goroutine; http.Transport, which has two goroutines for each connection and
// hands every request and response between three, takes the others. Writing
// and parsing are net/http's in both cases.
type transport struct {
	dialer        *dialer
	headerTimeout time.Duration
	idle          idlePool
	readers       sync.Pool // of *bufio.Reader
	writers       sync.Pool // of *bufio.Writer
	general       *http.Transport
	h2c           bool
}

func newTransport(d *dialer, idle, header time.Duration, h2c bool) *transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2c)
	protocols.SetUnencryptedHTTP2(h2c)
	return &transport{
		dialer:        d,
		h2c:           h2c,
		headerTimeout: header,
		idle:          idlePool{timeout: idle},
		general: &http.Transport{
			Proxy:                  nil, // the environment must not decide where requests go
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
			Protocols:              protocols,
			DisableCompression:     true,
			MaxIdleConns:           idleConnsPerBackend,
			MaxIdleConnsPerHost:    idleConnsPerBackend,
			IdleConnTimeout:        idle,
			ResponseHeaderTimeout:  header,
			ExpectContinueTimeout:  expectContinueTimeout,
			MaxResponseHeaderBytes: backendHeaderBytes,
		},
	}
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case t.h2c:
		return t.general.RoundTrip(r)
	case isPlain(r):
		return t.exchange(r, nil)
	case isSmall(r):
		return t.small(r)
	default:
		return t.general.RoundTrip(r)
	}
}

// exchange performs r, whose body, if it has one, is read from body each time
// that r is sent.
func (t *transport) exchange(r *http.Request, body *bytes.Reader) (*http.Response, error) {
	ctx := r.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	now := time.Now()
	if c := t.idle.take(now); c != nil {
		response, err := c.exchange(r, now)
		if err == nil || !c.mayRepeat(r) {
			return response, err
		}
		retried(ctx)
	}
	rewind(body)
	response, c, err := t.first(r)
	if err == nil || c == nil || !c.wasReset(err) || c.sent > 0 && !isSafe(r.Method) || !sleep(ctx, resetPause) {
		return response, err
	}
	retried(ctx)
	rewind(body)
	response, _, err = t.first(r)
	return response, err
}

func rewind(body *bytes.Reader) {
	if body != nil {
		_, _ = body.Seek(0, io.SeekStart) // never fails
	}
}

// first performs an exchange on a new connection, which it also returns unless
// there is none.
func (t *transport) first(r *http.Request) (*http.Response, *upstreamConn, error) {
	conn, err := t.dialer.dial(r.Context())
	if err != nil {
		return nil, nil, err
	}
	c := newUpstreamConn(t, conn)
	response, err := c.exchange(r, time.Now())
	return response, c, err
}

func (t *transport) close() {
	t.idle.close()
	t.general.CloseIdleConnections()
}

// isPlain reports whether a request has neither a body nor an upgrade.
func isPlain(r *http.Request) bool {
	if r.ContentLength != 0 || r.Body != nil && r.Body != http.NoBody || len(r.TransferEncoding) != 0 || len(r.Header["Upgrade"]) != 0 {
		return false
	}
	return isUsual(r.Method)
}

// isUsual reports whether a method is one that needs no check. Others are left to
// http.Transport, which sees whether they are tokens.
func isUsual(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions,
		http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// isSafe reports whether a method asks for no change (RFC 9110 §9.2.1).
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isRepeatable reports whether a request may be sent again without knowing
// what became of the first. It is net/http's rule, stricter than idempotence:
// a DELETE that is repeated can be answered 404.
func isRepeatable(r *http.Request) bool {
	return isSafe(r.Method) || len(r.Header["Idempotency-Key"]) != 0 || len(r.Header["X-Idempotency-Key"]) != 0
}

// mayRepeat reports whether a request that failed on a connection used before
// may go out again: nothing came back, and nothing was sent or sending it twice
// does no harm. The backend has most likely just closed the connection.
func (c *upstreamConn) mayRepeat(r *http.Request) bool {
	return c.received == 0 && !c.late && r.Context().Err() == nil && (c.sent == 0 || isRepeatable(r))
}

// wasReset reports whether the backend ended a new connection before it
// answered. Docker's proxy does so while the container does not listen: it
// accepts first and finds nobody afterwards.
func (c *upstreamConn) wasReset(err error) bool {
	return c.received == 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// exchange sends r and reads the header of its response. On an error the
// connection is closed; otherwise it is put back at the end of the body.
func (c *upstreamConn) exchange(r *http.Request, now time.Time) (*http.Response, error) {
	c.begin(r.Context(), now)
	sendErr := c.send(r)
	if sendErr != nil && c.sent == 0 {
		return nil, c.abandon(sendErr)
	}
	// A backend that reads no further may have answered all the same.
	response, err := c.receive(r)
	if err != nil {
		return nil, c.abandon(cmp.Or(sendErr, err))
	}
	c.answered()
	reusable := sendErr == nil && !response.Close && !r.Close && response.StatusCode > 199
	if response.Body == http.NoBody {
		c.finish(reusable)
		return response, nil
	}
	body := &upstreamBody{source: response.Body, reusable: reusable}
	body.conn.Store(c)
	response.Body = body
	return response, nil
}

func (c *upstreamConn) send(r *http.Request) error {
	w, ok := c.transport.writers.Get().(*bufio.Writer)
	if ok {
		w.Reset(c)
	} else {
		w = bufio.NewWriterSize(c, requestBuffer)
	}
	err := r.Write(w)
	if err == nil {
		err = w.Flush()
	}
	w.Reset(nil)
	c.transport.writers.Put(w)
	return err
}

// receive reads the final response; informational ones before it go to the
// request's trace, as http.Transport does it.
func (c *upstreamConn) receive(r *http.Request) (*http.Response, error) {
	for range maxInformations + 1 {
		response, err := http.ReadResponse(c.reader, r)
		switch {
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("backend switched protocols without being asked to")
		case response.StatusCode < 100 || response.StatusCode > 199:
			return response, nil
		}
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(response.StatusCode, textproto.MIMEHeader(response.Header)); err != nil {
				return nil, err
			}
			c.limit = backendHeaderBytes
		}
	}
	return nil, errors.New("backend sent too many informational responses")
}
