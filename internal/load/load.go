package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/internal/chat"
)

// Kind is one sort of traffic.
type Kind string

const (
	Get       Kind = "get"                // HTTP/1.1, kept alive
	GetNew    Kind = "get-new-connection" // HTTP/1.1, a connection for each request
	Post      Kind = "post"               // HTTP/1.1, kept alive; the hash of the body comes back
	H2Get     Kind = "h2-get"             // HTTP/2, all workers on one connection
	H2Post    Kind = "h2-post"            // HTTP/2, all workers on one connection
	Events    Kind = "events"             // a server-sent event stream of some ticks
	WebSocket Kind = "websocket"          // round trips on a socket that stays open
	Download  Kind = "download"           // slow; every byte is checked
	Upload    Kind = "upload"             // slow; the hash of the body comes back
)

// Kinds lists all kinds in the order in which they are shown.
func Kinds() []Kind {
	return []Kind{Get, GetNew, Post, H2Get, H2Post, Events, WebSocket, Download, Upload}
}

// Options say where the load goes and how much of it.
type Options struct {
	// Address is where to connect, host:port.
	Address string
	// Host is the host asked for, with its port if it is not 443; it is also
	// the name in the TLS handshake.
	Host string
	// RootCAs verify the certificate; nil means those of the system.
	RootCAs *x509.CertPool
	// Workers is the number of simultaneous clients of each kind; nil means a
	// few of each. A WebSocket worker holds one socket.
	Workers map[Kind]int
	// Pause is the time between two requests of a worker; 0 means 10ms.
	Pause time.Duration
	// SocketPause is the time between two round trips of a WebSocket; 0 means 100ms.
	SocketPause time.Duration
	// Timeout bounds one request, or round trip; 0 means 30s.
	Timeout time.Duration
	// TransferBytes is the size of downloads and uploads, TransferRate their
	// speed in bytes a second; 0 means 128 KiB each, thus one second.
	TransferBytes, TransferRate int64
	// ReleaseOf tells from the header of an answer which release gave it; nil
	// means what the built-in chat sends.
	ReleaseOf func(http.Header) string
}

// Load is one run of the load.
type Load struct {
	options Options
	tls     *tls.Config
	fence   atomic.Pointer[fence]
	counts  map[Kind]*counter
	sockets socketCounter
	seeds   atomic.Uint64
}

// fence says which release alone may answer what starts from now on.
type fence struct{ release string }

// New prepares a load.
func New(options Options) *Load {
	o := options
	if o.Workers == nil {
		o.Workers = map[Kind]int{Get: 4, GetNew: 2, Post: 2, H2Get: 4, H2Post: 2, Events: 2, WebSocket: 4, Download: 1, Upload: 1}
	} else {
		o.Workers = maps.Clone(o.Workers)
	}
	o.Pause = cmp.Or(o.Pause, 10*time.Millisecond)
	o.SocketPause = cmp.Or(o.SocketPause, 100*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.TransferBytes = cmp.Or(o.TransferBytes, 128<<10)
	o.TransferRate = cmp.Or(o.TransferRate, 128<<10)
	if o.ReleaseOf == nil {
		o.ReleaseOf = func(h http.Header) string { return h.Get(chat.HeaderRelease) }
	}
	name := o.Host
	if host, _, err := net.SplitHostPort(o.Host); err == nil {
		name = host
	}
	l := &Load{
		options: o,
		tls:     &tls.Config{RootCAs: o.RootCAs, ServerName: name},
		counts:  make(map[Kind]*counter),
	}
	for _, kind := range Kinds() {
		l.counts[kind] = newCounter()
	}
	return l
}

// Run keeps the load up until ctx ends, then lets each worker finish the
// request it is in, so that the end of the load fails nothing.
func (l *Load) Run(ctx context.Context) error {
	for kind := range l.options.Workers {
		if l.counts[kind] == nil {
			return fmt.Errorf("there is no load of kind %q", kind)
		}
	}
	var group errgroup.Group
	h2 := newHTTP2(l)
	defer h2.close()
	for kind, workers := range l.options.Workers {
		for range workers {
			group.Go(func() error {
				l.work(ctx, kind, h2)
				return nil
			})
		}
	}
	return group.Wait()
}

// work is one worker of a kind.
func (l *Load) work(ctx context.Context, kind Kind, h2 *http2Client) {
	switch kind {
	case Get:
		l.repeat(ctx, kind, &http1Client{load: l, keep: true}, l.get)
	case GetNew:
		l.repeat(ctx, kind, &http1Client{load: l}, l.get)
	case Post:
		l.repeat(ctx, kind, &http1Client{load: l, keep: true}, l.post)
	case H2Get:
		l.repeat(ctx, kind, sharedClient{h2}, l.get)
	case H2Post:
		l.repeat(ctx, kind, sharedClient{h2}, l.post)
	case Events:
		l.repeat(ctx, kind, &http1Client{load: l}, l.events)
	case Download:
		l.repeat(ctx, kind, &http1Client{load: l, keep: true}, l.download)
	case Upload:
		l.repeat(ctx, kind, &http1Client{load: l, keep: true}, l.upload)
	case WebSocket:
		l.repeatSockets(ctx)
	}
}

// task sends one request over c and checks its answer.
type task func(ctx context.Context, c client) (release string, err error)

func (l *Load) repeat(ctx context.Context, kind Kind, c client, do task) {
	defer c.close()
	for ctx.Err() == nil {
		err := l.measure(ctx, kind, func(ctx context.Context) (string, error) { return do(ctx, c) })
		l.pause(ctx, l.options.Pause, err)
	}
}

// measure runs one request to its end, whatever becomes of ctx, and counts it.
func (l *Load) measure(ctx context.Context, kind Kind, do func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.options.Timeout)
	defer cancel()
	fence := l.fence.Load()
	began := time.Now()
	release, err := do(ctx)
	if err == nil && release == "" {
		err = errors.New("the answer does not tell its release")
	}
	took := time.Since(began)
	l.counts[kind].add(release, took, l.stale(fence, release), err)
	return err
}

// stale reports whether a request that started behind a fence was answered by
// another release. A fence that has moved meanwhile judges nothing: the next
// change of releases may have been on its way.
func (l *Load) stale(at *fence, release string) bool {
	return at != nil && release != at.release && release != "" && l.fence.Load() == at
}

// Fence has every request that starts after it returns be counted as stale if
// another release than this one answers. It is to be lifted, with an empty
// release, before the next change is asked for.
func (l *Load) Fence(release string) {
	if release == "" {
		l.fence.Store(nil)
		return
	}
	l.fence.Store(&fence{release})
}

// pause waits between two requests, a little longer after a failure.
func (l *Load) pause(ctx context.Context, d time.Duration, err error) {
	if err != nil {
		d = max(d, 50*time.Millisecond)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dial opens a TLS connection that speaks exactly this protocol.
func (l *Load) dial(ctx context.Context, protocol string) (*tls.Conn, error) {
	config := l.tls.Clone()
	config.NextProtos = []string{protocol}
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", l.options.Address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	secure := conn.(*tls.Conn)
	if got := secure.ConnectionState().NegotiatedProtocol; got != protocol && (got != "" || protocol == "h2") {
		secure.Close()
		return nil, fmt.Errorf("connecting: the server speaks %q, not %s", got, protocol)
	}
	return secure, nil
}
