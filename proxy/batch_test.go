package proxy

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// countedConn counts the writes to a socket.
type countedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// batchPair returns a gathering connection over a real socket and its peer.
func batchPair(t *testing.T, idle time.Duration) (*batchConn, *countedConn, net.Conn) {
	t.Helper()
	l := listen(t)
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	socket := &countedConn{Conn: accepted}
	c := newBatchConn(socket, idle, new(farewells))
	c.gather()
	t.Cleanup(func() { _ = c.Close() })
	return c, socket, peer
}

func TestGatheredWritesArriveInOrderAndWhole(t *testing.T) {
	c, _, peer := batchPair(t, patience)
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(3*batchMost/2))
			if m, err := c.Write(rest[:n]); m != n || err != nil {
				t.Error(m, err)
			}
			rest = rest[n:]
		}
		_ = c.Close()
	}()
	if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes, want %d, equal %v: %v", len(got), len(sent), bytes.Equal(got, sent), err)
	}
}

func TestWritesThatComeTogetherAreOne(t *testing.T) {
	c, socket, peer := batchPair(t, patience)
	const parts = 20
	c.mu.Lock() // nothing is written meanwhile
	var writers sync.WaitGroup
	for range parts {
		writers.Go(func() { _, _ = c.Write([]byte("part")) })
	}
	c.mu.Unlock()
	writers.Wait()
	got := make([]byte, parts*len("part"))
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if n := socket.writes.Load(); n >= parts {
		t.Errorf("%d writes for %d parts", n, parts)
	}
}

func TestBeforeGatheringEachWriteIsItsOwn(t *testing.T) {
	_, socket, _ := batchPair(t, patience)
	c := newBatchConn(socket, patience, new(farewells))
	for range 3 {
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if n := socket.writes.Load(); n != 3 {
		t.Errorf("%d writes, want 3", n)
	}
}

// A client that reads nothing ends its connection, not more memory.
func TestAClientThatDoesNotReadEndsItsGatheredWrites(t *testing.T) {
	c, _, peer := batchPair(t, 50*time.Millisecond)
	var err error
	for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
		_, err = c.Write(make([]byte, batchMost))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	_ = peer.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, peer); isTimeout(err) {
		t.Error("the connection is still open")
	}
}

func TestAClientThatIsGoneIsToldToTheWriter(t *testing.T) {
	c, _, peer := batchPair(t, patience)
	_ = peer.(*net.TCPConn).SetLinger(0)
	_ = peer.Close()
	eventually(t, "a write fails", func() bool {
		_, err := c.Write([]byte("anybody there?"))
		return err != nil
	})
}

func TestClosingWritesWhatIsLeftAndEndsAWriterThatWaits(t *testing.T) {
	c, _, peer := batchPair(t, patience)
	if _, err := c.Write([]byte("goodbye")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(peer); string(got) != "goodbye" {
		t.Errorf("%q, %v", got, err)
	}

	c, _, _ = batchPair(t, time.Hour)
	ended := make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, batchMost))
		}
		ended <- err
	}()
	eventually(t, "the writer waits", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.pending != nil && len(c.pending.bytes) == batchMost
	})
	_ = c.Close()
	if err := receive(t, "the writer ends", ended); err == nil {
		t.Error("no error")
	}
}

// shortBuffers keeps the kernel from taking much of what is written.
type shortBuffers struct{ net.Listener }

func (l shortBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// slowReader returns a client of HTTP/2 that has asked for a response and reads
// nothing yet; the edge has all of it. Its buffer is small before it connects,
// for what the kernel has offered once it also takes.
func slowReader(t *testing.T, e *edge) *h2Peer {
	t.Helper()
	p := e.dialFramesBy(t, &net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
		return errors.Join(failed, err)
	}})
	_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	_ = p.WriteWindowUpdate(0, 1<<20)
	p.fields(1, []string{":method=GET", ":scheme=https", ":authority=" + appHost, ":path=/"}, true)
	e.recorder.only(t)
	return p
}

// gatheredResponse is more than both kernels take, and with its framing no more
// than one connection gathers: what a flush has begun with may be little.
const gatheredResponse = 60 << 10

func TestSlowReaderGetsItsResponseWholeFromAServerThatStops(t *testing.T) {
	e := startEdge(t, startBackend(t, says(strings.Repeat("x", gatheredResponse))), func(o *Options) { o.HTTPS = shortBuffers{o.HTTPS} })
	p := slowReader(t, e)
	stopped := make(chan error, 1)
	go func() { stopped <- e.stop() }()
	eventually(t, "the server has closed the connection", func() bool { return e.farewells.count() == 1 })
	got, whole := 0, false
	for !whole {
		frame, err := p.ReadFrame()
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			got += len(data.Data())
			whole = data.StreamEnded()
		}
	}
	if got != gatheredResponse {
		t.Errorf("%d bytes, want %d", got, gatheredResponse)
	}
	if err := receive(t, "the server has stopped", stopped); err != nil {
		t.Error(err)
	}
}

// net/http closes the connection a second after it has sent GOAWAY; what was
// gathered by then has the rest of the grace.
func TestReaderThatDoesNotReadDelaysAStopByTheGraceOnly(t *testing.T) {
	log := new(logText)
	e := startEdge(t, startBackend(t, says(strings.Repeat("x", gatheredResponse))), log.at(slog.LevelInfo),
		func(o *Options) { o.HTTPS, o.ShutdownGrace = shortBuffers{o.HTTPS}, 3*time.Second })
	slowReader(t, e)
	if err := e.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "unread=1") {
		t.Errorf("logged %q", log.String())
	}
}
