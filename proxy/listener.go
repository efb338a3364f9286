package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
)

// headerBuffer holds a header of version 1 whole (PROXY protocol §2.1), as its
// parser demands, and one of version 2 without a long tail of extensions.
const headerBuffer = 256

// errCrowded is the end of a connection that is one too many of its client.
var errCrowded = errors.New("the client has too many connections open")

// accepting counts the connections of a listener by client address and lets
// trusted peers announce clients by a PROXY header.
type accepting struct {
	net.Listener
	server *Server
}

// Accept never waits for a client: a header is read by the goroutine that
// serves the connection.
func (l accepting) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := addressOf(conn.RemoteAddr())
		if contains(l.server.table.Load().announcers, peer) {
			return l.server.announced(conn), nil
		}
		taken, ok := l.server.admit(peer)
		if !ok {
			_ = conn.Close()
			continue
		}
		if taken == (place{}) {
			return conn, nil
		}
		return &counted{Conn: conn, place: taken}, nil
	}
}

// counted is a connection that has a place until it is closed.
type counted struct {
	net.Conn

	mu     sync.Mutex
	closed bool
	place  place
}

// Close serves net.Conn.
func (c *counted) Close() error {
	c.mu.Lock()
	held := c.place
	c.closed, c.place = true, place{}
	c.mu.Unlock()
	held.leave()
	return c.Conn.Close()
}

// NetConn serves who has to look at the connection itself.
func (c *counted) NetConn() net.Conn { return c.Conn }

// CloseWrite lets the HTTP server end a connection without losing the response
// when the client still sends.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// announced is a connection that begins with a PROXY header (version 1 or 2),
// which is read before anything else is done with it. The client that it
// announces is the one whose connection is counted.
type announced struct {
	counted
	server *Server
	once   sync.Once
	reader *bufio.Reader // nil once what came with the header has been read
	client net.Addr
	err    error
}

func (s *Server) announced(conn net.Conn) *announced {
	return &announced{counted: counted{Conn: conn}, server: s, reader: bufio.NewReaderSize(conn, headerBuffer)}
}

// settle reads the header and counts the connection.
func (c *announced) settle() error {
	c.once.Do(func() {
		c.client = c.Conn.RemoteAddr()
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.server.header))
		header, err := proxyproto.Read(c.reader)
		if err != nil {
			c.err = fmt.Errorf("reading the PROXY header: %w", err)
			c.server.badHeader(c.client, c.reader.Buffered() > 0, err)
			return
		}
		_ = c.Conn.SetReadDeadline(time.Time{})
		// A header may tell nothing (LOCAL, UNKNOWN), or the path of a socket.
		if !header.Command.IsLocal() && addressOf(header.SourceAddr).IsValid() {
			c.client = header.SourceAddr
		}
		c.err = c.sit(addressOf(c.client))
	})
	return c.err
}

// sit counts the connection unless it was closed meanwhile.
func (c *announced) sit(client netip.Addr) error {
	taken, ok := c.server.admit(client)
	if !ok {
		_ = c.Close()
		return errCrowded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		taken.leave()
		return net.ErrClosed
	}
	c.place = taken
	return nil
}

// RemoteAddr returns the announced client, or the peer if it announces none. It
// waits for the header.
func (c *announced) RemoteAddr() net.Addr {
	_ = c.settle()
	return c.client
}

// Read serves net.Conn.
func (c *announced) Read(p []byte) (int, error) {
	if err := c.settle(); err != nil {
		return 0, err
	}
	if c.reader == nil {
		return c.Conn.Read(p)
	}
	if c.reader.Buffered() == 0 {
		c.reader = nil
		return c.Conn.Read(p)
	}
	return c.reader.Read(p)
}

// Write serves net.Conn.
func (c *announced) Write(p []byte) (int, error) {
	if err := c.settle(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// badHeader tells that a peer that must announce its clients does not. One that
// sends nothing may be a health check.
func (s *Server) badHeader(peer net.Addr, sent bool, err error) {
	level := slog.LevelDebug
	if sent && s.headerless.due() {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "a connection does not begin with the PROXY header that its peer has to send",
		"peer", peer, "error", err, "hint", "let the balancer send one, or take its address out of edge.proxy_protocol")
}

// seldom says when something that happens often is worth a line again.
type seldom struct{ last atomic.Int64 }

func (s *seldom) due() bool {
	now := time.Now().UnixNano()
	last := s.last.Load()
	return (last == 0 || now-last >= int64(refusalsEvery)) && s.last.CompareAndSwap(last, now)
}
