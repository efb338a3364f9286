package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchMost is how much may wait to be written; a writer of more waits.
	batchMost = 64 << 10
	// farewellPoll is how often a stop looks whether the last bytes are out.
	farewellPoll = 10 * time.Millisecond
)

// batchConn is a connection whose small writes are gathered. net/http writes
// the header and the body of an HTTP/2 response apart and flushes after each,
// though both are there at once and so are the responses of other streams. A
// write to a socket is the most expensive thing that a small response costs.
//
// Once gather was called, Write only takes the bytes. They are written when
// everything that can run now has run, so that nothing waits for anything but
// the processor. An error comes with a later call; the client is gone then.
//
// Close does not wait either: a connection that still has bytes to write stays
// open until they are written, and the farewells know it meanwhile.
type batchConn struct {
	net.Conn
	idle      time.Duration // limits one write to the socket
	farewells *farewells
	gathering atomic.Bool

	mu       sync.Mutex
	room     sync.Cond // bytes were written, or never will be
	pending  *batch
	flushing bool // a goroutine writes, or is about to
	closing  bool
	armed    time.Time // when the socket's write deadline was set
	err      error
}

type batch struct{ bytes []byte }

var batches = sync.Pool{New: func() any { return &batch{make([]byte, 0, batchMost)} }}

func newBatchConn(c net.Conn, idle time.Duration, f *farewells) *batchConn {
	b := &batchConn{Conn: c, idle: idle, farewells: f}
	b.room.L = &b.mu
	return b
}

// gather has writes gathered from now on. It is called when the protocol is
// known to be HTTP/2.
func (c *batchConn) gather() {
	if !c.gathering.Load() {
		c.gathering.Store(true)
	}
}

// NetConn returns the connection underneath.
func (c *batchConn) NetConn() net.Conn { return c.Conn }

// Write implements net.Conn. The connection's write deadline does not apply to
// gathered bytes: each write to the socket has the idle time.
func (c *batchConn) Write(p []byte) (int, error) {
	if !c.gathering.Load() {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := 0
	for {
		if c.err != nil {
			return taken, c.err
		}
		if c.closing {
			return taken, net.ErrClosed
		}
		if c.pending == nil {
			c.pending = batches.Get().(*batch)
		}
		n := min(len(p)-taken, batchMost-len(c.pending.bytes))
		c.pending.bytes = append(c.pending.bytes, p[taken:taken+n]...)
		taken += n
		if !c.flushing {
			c.flushing = true
			go c.flush()
		}
		if taken == len(p) {
			return taken, nil
		}
		c.room.Wait()
	}
}

// flush writes until nothing is pending.
func (c *batchConn) flush() {
	runtime.Gosched() // what can run now may have more to say
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending != nil && c.err == nil {
		b := c.pending
		c.pending = nil
		c.arm()
		c.room.Broadcast()
		c.mu.Unlock()
		_, err := c.Conn.Write(b.bytes)
		b.bytes = b.bytes[:0]
		batches.Put(b)
		c.mu.Lock()
		if err != nil {
			c.err = err
			_ = c.Conn.Close() // the reader must notice
		}
	}
	c.flushing = false
	c.room.Broadcast()
	if c.closing {
		_ = c.Conn.Close()
		c.farewells.remove(c)
	}
}

// arm moves the socket's deadline on when a quarter of it has passed. The
// caller holds mu.
func (c *batchConn) arm() {
	now := time.Now()
	if now.Sub(c.armed) >= c.idle/4 {
		c.armed = now
		_ = c.Conn.SetWriteDeadline(now.Add(c.idle))
	}
}

// SetWriteDeadline implements net.Conn. Gathered bytes have deadlines of their
// own.
func (c *batchConn) SetWriteDeadline(t time.Time) error {
	if c.gathering.Load() {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *batchConn) SetDeadline(t time.Time) error {
	if c.gathering.Load() {
		return c.Conn.SetReadDeadline(t)
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn. Nothing is read any more, and what is pending is
// still written.
func (c *batchConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing && c.flushing {
		return nil
	}
	c.closing = true
	if !c.flushing || !c.farewells.add(c) {
		return c.Conn.Close()
	}
	c.room.Broadcast() // a writer that waits is late
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	return nil
}

// farewells are the closed connections that still have something to write.
type farewells struct {
	mu   sync.Mutex
	open map[*batchConn]struct{}
	over bool
}

// add reports whether there is still time to write.
func (f *farewells) add(c *batchConn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return false
	}
	if f.open == nil {
		f.open = make(map[*batchConn]struct{})
	}
	f.open[c] = struct{}{}
	return true
}

func (f *farewells) remove(c *batchConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, c)
}

func (f *farewells) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

// stop waits until everything is written. At the end of ctx it closes what is
// left, as every connection that is closed from then on, and returns how many
// those were.
func (f *farewells) stop(ctx context.Context) (cut int) {
	poll := time.NewTicker(farewellPoll)
	defer poll.Stop()
	for ctx.Err() == nil && f.count() > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for c := range f.open {
		_ = c.Conn.Close() // ends the write, and then the connection
	}
	return len(f.open)
}

// batchListener gathers the writes of the connections that it accepts.
type batchListener struct {
	net.Listener
	idle      time.Duration
	farewells *farewells
}

func (l batchListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newBatchConn(c, l.idle, l.farewells), nil
}

// gatherWrites has the responses of the HTTP/2 connection of r gathered.
func gatherWrites(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*tls.Conn); ok {
		if b, ok := c.NetConn().(*batchConn); ok {
			b.gather()
		}
	}
}
