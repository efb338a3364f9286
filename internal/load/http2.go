package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// http2Client is one connection at a time, shared by many workers.
type http2Client struct {
	load      *Load
	transport *http.Transport

	mu      sync.Mutex
	current *http2Conn
}

// http2Conn is a connection and those who use it. It is closed when it is no
// longer current and the last of them is done.
type http2Conn struct {
	*http.ClientConn
	watch *goAwayWatch
	users int
}

// sharedClient is a worker's view of the connection, which it may not close.
type sharedClient struct{ *http2Client }

func (sharedClient) close() {}

func newHTTP2(l *Load) *http2Client {
	c := &http2Client{load: l}
	// To the transport the connection is one without TLS, so that ours can be
	// seen through for the GOAWAY that tells an orderly end from a broken one.
	c.transport = &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	c.transport.Protocols.SetUnencryptedHTTP2(true)
	return c
}

func (c *http2Client) exchange(ctx context.Context, request *http.Request, use func(*http.Response) error) error {
	for {
		sent, err := c.once(ctx, request, use)
		if err == nil || sent {
			return err
		}
	}
}

// once reports as not sent only a request of which nothing was written,
// because the server's GOAWAY came first: that one is still to be sent once.
func (c *http2Client) once(ctx context.Context, request *http.Request, use func(*http.Response) error) (sent bool, err error) {
	conn, err := c.acquire(ctx)
	if err != nil {
		return true, err
	}
	defer c.release(conn)
	var wrote atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { wrote.Store(true) },
	})
	answer, err := conn.RoundTrip(request.WithContext(traced))
	if err != nil {
		sent = wrote.Load() || !conn.watch.leaving.Load() || ctx.Err() != nil
		return sent, fmt.Errorf("waiting for the answer: %w", err)
	}
	defer answer.Body.Close()
	return true, use(answer)
}

// acquire returns the connection with room for one request reserved, a new one
// if the server has said that it takes no more (RFC 9113 section 6.8). One
// that broke without that word fails this request.
func (c *http2Client) acquire(ctx context.Context) (*http2Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.current; old != nil {
		if old.Reserve() == nil {
			old.users++
			return old, nil
		}
		c.retire()
		if !old.watch.leaving.Load() {
			return nil, errors.New("the connection broke between two requests")
		}
	}
	conn, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := conn.Reserve(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("using a new connection: %w", err)
	}
	conn.users = 1
	c.current = conn
	return conn, nil
}

func (c *http2Client) open(ctx context.Context) (*http2Conn, error) {
	secure, err := c.load.dial(ctx, "h2")
	if err != nil {
		return nil, err
	}
	watch := &goAwayWatch{Conn: secure}
	transport := c.transport.Clone()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return watch, nil }
	conn, err := transport.NewClientConn(ctx, "http", c.load.options.Address)
	if err != nil {
		secure.Close()
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &http2Conn{ClientConn: conn, watch: watch}, nil
}

// retire takes the current connection out of use; the caller holds the lock.
func (c *http2Client) retire() {
	if old := c.current; old != nil && old.users == 0 {
		old.Close()
	}
	c.current = nil
}

func (c *http2Client) release(conn *http2Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.users--
	if conn.users == 0 && conn != c.current {
		conn.Close()
	}
}

func (c *http2Client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retire()
}

// goAwayWatch follows the frames that are read (RFC 9113 section 4.1) and
// remembers whether the server announced the end of the connection without an
// error. Only the transport's reading goroutine calls Read.
type goAwayWatch struct {
	net.Conn
	leaving atomic.Bool

	head    []byte // of the current frame: header, and of a GOAWAY the error code
	skip    int    // bytes of the current frame that do not matter
	payload int    // length of the current frame's payload
}

const (
	frameHeader  = 9
	frameGoAway  = 0x7
	goAwayFields = 8 // last stream id, error code
)

func (w *goAwayWatch) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.follow(p[:n])
	return n, err
}

func (w *goAwayWatch) follow(p []byte) {
	for len(p) > 0 {
		if w.skip > 0 {
			n := min(w.skip, len(p))
			w.skip, p = w.skip-n, p[n:]
			continue
		}
		w.head, p = append(w.head, p[0]), p[1:]
		if len(w.head) < frameHeader {
			continue
		}
		if len(w.head) == frameHeader {
			w.payload = int(w.head[0])<<16 | int(w.head[1])<<8 | int(w.head[2])
			if w.head[3] != frameGoAway || w.payload < goAwayFields {
				w.head, w.skip = w.head[:0], w.payload
			}
			continue
		}
		if len(w.head) == frameHeader+goAwayFields {
			w.leaving.Store(binary.BigEndian.Uint32(w.head[frameHeader+4:]) == 0)
			w.head, w.skip = w.head[:0], w.payload-goAwayFields
		}
	}
}
