package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// watchAfter is how long an exchange may wait before it begins to watch for the
// end of its request. Watching costs a registration and several allocations,
// which an exchange that is quick enough never pays.
const watchAfter = 50 * time.Millisecond

// upstreamConn is a connection to a backend. It serves one exchange at a time,
// and is used by one goroutine at a time.
type upstreamConn struct {
	net.Conn
	transport *transport
	raw       syscall.RawConn
	reader    *bufio.Reader // of the exchange, for its end is the end of what was buffered
	idleSince time.Time

	// deadline is what the connection's is, for reading and writing: first
	// the time at which watching begins, then that of the response header.
	deadline time.Time

	// of the exchange:
	ctx            context.Context
	unwatch        func() bool // nil until the wait has become long
	headerDeadline time.Time   // zero once there is a header
	limit          int64       // bytes that may still be read
	sent, received int64
	late           bool // the header did not come in time
	ended          bool // the backend has closed its side

	peek    func(fd uintptr)
	peeked  [1]byte
	peekErr error
}

func newUpstreamConn(t *transport, conn net.Conn) *upstreamConn {
	c := &upstreamConn{Conn: conn, transport: t}
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.peek = func(fd uintptr) { _, c.peekErr = syscall.Read(int(fd), c.peeked[:]) }
	return c
}

// isQuiet reports whether the idle connection is open and the backend has sent
// nothing on it. What it sent unasked must never become the response to
// somebody's request.
func (c *upstreamConn) isQuiet() bool {
	return c.raw != nil && c.raw.Control(c.peek) == nil && c.peekErr == syscall.EAGAIN
}

func (c *upstreamConn) begin(ctx context.Context, now time.Time) {
	c.ctx, c.unwatch = ctx, nil
	c.headerDeadline = now.Add(c.transport.headerTimeout)
	c.limit = backendHeaderBytes
	c.sent, c.received, c.late, c.ended = 0, 0, false, false
	if left := c.deadline.Sub(now); left < watchAfter/2 || left > watchAfter {
		c.setDeadline(now.Add(watchAfter))
	}
	reader, ok := c.transport.readers.Get().(*bufio.Reader)
	if ok {
		reader.Reset(c)
	} else {
		reader = bufio.NewReaderSize(c, upstreamBuffer)
	}
	c.reader = reader
}

func (c *upstreamConn) setDeadline(d time.Time) {
	c.deadline = d
	_ = c.SetDeadline(d)
}

// watch is called when the deadline has passed and reports whether to go on:
// the first time it has only become worth while to notice the end of the
// request.
func (c *upstreamConn) watch() bool {
	if c.unwatch != nil {
		c.late = true
		return false
	}
	c.setDeadline(c.headerDeadline)
	// Closing, unlike a deadline, is not undone by a later one.
	c.unwatch = context.AfterFunc(c.ctx, func() { _ = c.Close() })
	return true
}

// answered begins the body, which may take as long as it likes.
func (c *upstreamConn) answered() {
	c.limit = math.MaxInt64
	c.headerDeadline = time.Time{}
	if c.unwatch != nil {
		c.setDeadline(time.Time{})
	}
}

// Read implements net.Conn, within the limit of a header.
func (c *upstreamConn) Read(p []byte) (int, error) {
	if c.limit <= 0 {
		return 0, fmt.Errorf("response header of the backend is longer than %d bytes", backendHeaderBytes)
	}
	if int64(len(p)) > c.limit {
		p = p[:c.limit]
	}
	for {
		n, err := c.Conn.Read(p)
		c.received += int64(n)
		c.limit -= int64(n)
		if err == nil || n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.watch() {
			if err == nil {
				return n, nil
			}
			continue
		}
		c.ended = err == io.EOF
		return n, err
	}
}

// Write implements net.Conn.
func (c *upstreamConn) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		c.sent += int64(n)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.watch() {
			return written, err
		}
	}
}

// finish ends an exchange whose response was read whole. The connection is
// kept for the next one if nobody wants it closed and the backend has said
// nothing beyond the response.
func (c *upstreamConn) finish(reusable bool) {
	reusable = reusable && !c.ended && c.reader.Buffered() == 0
	if c.unwatch != nil && !c.unwatch() {
		reusable = false
	}
	c.reader.Reset(nil)
	c.transport.readers.Put(c.reader)
	c.reader, c.ctx, c.unwatch = nil, nil, nil
	if !reusable {
		_ = c.Close()
		return
	}
	c.transport.idle.put(c, time.Now())
}

// abandon ends an exchange that failed, and returns why it did. The reader is
// not put back, since another goroutine may still be reading.
func (c *upstreamConn) abandon(err error) error {
	if c.unwatch != nil {
		c.unwatch()
	}
	_ = c.Close()
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// upstreamBody is the body of a response. The end of the body is the end of
// the exchange.
type upstreamBody struct {
	source   io.Reader
	reusable bool
	end      error
	conn     atomic.Pointer[upstreamConn] // nil after the end
}

// Read implements io.Reader.
func (b *upstreamBody) Read(p []byte) (int, error) {
	c := b.conn.Load()
	if c == nil {
		if b.end == nil {
			return 0, http.ErrBodyReadAfterClose
		}
		return 0, b.end
	}
	n, err := b.source.Read(p)
	if err == nil {
		return n, nil
	}
	if !b.conn.CompareAndSwap(c, nil) {
		return n, http.ErrBodyReadAfterClose
	}
	if err == io.EOF {
		c.finish(b.reusable)
	} else {
		err = c.abandon(err)
	}
	b.end = err
	return n, err
}

// Close implements io.Closer. Before the end it closes the connection: to read
// the rest would cost more than to connect anew.
func (b *upstreamBody) Close() error {
	if c := b.conn.Swap(nil); c != nil {
		return c.Close()
	}
	return nil
}
