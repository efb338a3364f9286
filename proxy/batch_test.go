package proxy

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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
	c := newBatchConn(socket, idle)
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
	c := newBatchConn(socket, patience)
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
