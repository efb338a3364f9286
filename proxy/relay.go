package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// An idle direction holds the small buffer; a borrowed one serves only
	// while more is waiting than fits.
	relayBuffer  = 512
	relayBorrow  = 16 << 10
	closeGrace   = 2 * time.Second
	halfOpenWait = 30 * time.Second
)

// relay joins a client and a backend after a WebSocket handshake. It owns both
// connections and the flight, which counts as upgraded until the relay ends.
type relay struct {
	client, backend net.Conn
	flight          *flight
	set             *relays

	// ready is closed once the handshake's answer is written.
	ready chan struct{}
	// parties counts the goroutines; the last one to leave clears up.
	parties           atomic.Int32
	ending            atomic.Bool
	bytesIn, bytesOut atomic.Int64

	// mu guards writing to the client, so that a close frame stands between
	// two frames of the backend.
	mu        sync.Mutex
	toClient  frameScanner
	pending   uint16 // a close code waits for the end of the current frame
	closeSent bool
	deadline  *time.Timer
}

// newRelay returns the relay of f; run starts it. It can be ended before.
func newRelay(f *flight, client, backend net.Conn) *relay {
	r := &relay{client: client, backend: backend, flight: f, set: &f.server.relays, ready: make(chan struct{})}
	r.parties.Store(2)
	return r
}

// run starts both directions: to the client the handshake's answer and what
// the backend sent with it, to the backend what the client sent early.
func (r *relay) run(head, early, replied []byte) {
	go func() {
		defer r.leave()
		_, err := r.client.Write(head)
		close(r.ready)
		if err != nil {
			r.abort()
			return
		}
		r.copyToClient(replied)
	}()
	go func() {
		defer r.leave()
		r.copyToBackend(early)
	}()
}

func (r *relay) copyToClient(first []byte) {
	r.pump(r.client, r.backend, first, func(p []byte) (bool, error) {
		return true, r.forward(p)
	})
}

func (r *relay) copyToBackend(first []byte) {
	var frames frameScanner
	r.pump(r.backend, r.client, first, func(p []byte) (bool, error) {
		n, err := r.backend.Write(p)
		r.bytesIn.Add(int64(n))
		frames.scanAll(p)
		// The client has answered our close frame: all is said.
		return !(frames.closed && r.isClosing()), err
	})
}

// pump moves bytes from src until it ends or deliver has had enough. At its
// end the other side is told by a half-close and has a moment to say the rest;
// an error ends both directions.
func (r *relay) pump(dst, src net.Conn, first []byte, deliver func([]byte) (more bool, err error)) {
	more, err := true, error(nil)
	if len(first) > 0 {
		more, err = deliver(first)
	}
	var own [relayBuffer]byte
	var borrowed *[relayBorrow]byte
	for more && err == nil {
		buf := own[:]
		if borrowed != nil {
			buf = borrowed[:]
		}
		var n int
		n, err = src.Read(buf)
		if n > 0 {
			var failed error
			if more, failed = deliver(buf[:n]); failed != nil {
				err = failed
			}
		}
		borrowed = r.set.resize(borrowed, n)
	}
	r.set.giveBack(borrowed)
	switch {
	case !more:
		r.abort()
	case err == io.EOF && halfClose(dst):
		_ = dst.SetReadDeadline(time.Now().Add(halfOpenWait))
	default:
		r.abort()
	}
}

// forward writes what the backend sent to the client. When a close is pending
// it ends with the current frame, and the rest is dropped.
func (r *relay) forward(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closeSent {
		return nil
	}
	if r.pending == 0 {
		r.toClient.scanAll(p)
	} else {
		p = p[:r.toClient.scan(p)]
	}
	n, err := r.client.Write(p)
	r.bytesOut.Add(int64(n))
	if err == nil {
		err = r.sendPending()
	}
	return err
}

// sendPending writes the pending close frame if a frame has just ended. The
// caller holds mu.
func (r *relay) sendPending() error {
	if r.pending == 0 || !r.toClient.atBoundary() || r.toClient.closed {
		return nil
	}
	r.closeSent = true
	_, err := r.client.Write(closeFrame(r.pending))
	return err
}

// end asks the client to leave with code and closes both connections when it
// has not within closeGrace. It does not block: writing the close frame may
// have to wait for a client that does not read.
func (r *relay) end(code uint16) {
	if !r.ending.CompareAndSwap(false, true) || !r.enter() {
		return
	}
	_ = r.client.SetWriteDeadline(time.Now().Add(closeGrace / 2))
	go func() {
		defer r.leave()
		<-r.ready
		r.mu.Lock()
		defer r.mu.Unlock()
		r.deadline = time.AfterFunc(closeGrace, r.abort)
		r.pending = code
		if r.sendPending() != nil {
			r.abort()
		}
	}()
}

// isClosing reports whether our close frame went out.
func (r *relay) isClosing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closeSent
}

// abort closes both connections, which ends both directions.
func (r *relay) abort() {
	_ = r.backend.Close()
	_ = r.client.Close()
}

// enter adds a goroutine unless the relay is over.
func (r *relay) enter() bool {
	for {
		n := r.parties.Load()
		if n == 0 {
			return false
		}
		if r.parties.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (r *relay) leave() {
	if r.parties.Add(-1) == 0 {
		r.over()
	}
}

func (r *relay) over() {
	r.abort()
	r.mu.Lock()
	if r.deadline != nil {
		r.deadline.Stop()
	}
	r.mu.Unlock()
	f := r.flight
	duration := time.Since(f.start)
	f.logAccess(duration, r.bytesIn.Load(), r.bytesOut.Load())
	if rec := f.route.Recorder; rec != nil {
		rec.UpgradeEnd(UpgradeObservation{
			Duration: duration,
			BytesIn:  r.bytesIn.Load(),
			BytesOut: r.bytesOut.Load(),
			Path:     f.path.name(),
			Cut:      r.ending.Load(),
		})
	}
	f.slot.Store(nil)
	f.backend.releaseUpgraded()
	r.set.remove(r)
}

func halfClose(c net.Conn) bool {
	half, ok := c.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// relays are the WebSockets of a server.
type relays struct {
	buffers sync.Pool // of *[relayBorrow]byte

	mu      sync.Mutex
	open    map[*relay]struct{}
	stopped bool
	empty   chan struct{} // made by stop, closed when the last one has ended
}

func (s *relays) start(r *relay, head, early, replied []byte) {
	s.mu.Lock()
	if s.open == nil {
		s.open = make(map[*relay]struct{})
	}
	s.open[r] = struct{}{}
	stopped := s.stopped
	s.mu.Unlock()
	if rec := r.flight.route.Recorder; rec != nil {
		rec.UpgradeBegin(r.flight.path.name())
	}
	r.run(head, early, replied)
	if stopped {
		r.end(closeServiceRestart)
	}
}

func (s *relays) remove(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, r)
	s.signal()
}

// signal closes empty when a stop waits and nothing is left.
func (s *relays) signal() {
	if s.empty != nil && len(s.open) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// stop ends every relay with close code 1012 and waits for them; those that
// outlive ctx are closed at once. It returns how many those were.
func (s *relays) stop(ctx context.Context) int {
	empty := make(chan struct{})
	s.mu.Lock()
	s.stopped = true
	s.empty = empty
	for r := range s.open {
		r.end(closeServiceRestart)
	}
	s.signal()
	s.mu.Unlock()
	select {
	case <-empty:
		return 0
	case <-ctx.Done():
	}
	s.mu.Lock()
	late := len(s.open)
	for r := range s.open {
		r.abort()
	}
	s.mu.Unlock()
	<-empty
	return late
}

// resize borrows a buffer when a read filled the relay's own one, and gives it
// back when little came.
func (s *relays) resize(held *[relayBorrow]byte, read int) *[relayBorrow]byte {
	switch {
	case held == nil && read == relayBuffer:
		if b, ok := s.buffers.Get().(*[relayBorrow]byte); ok {
			return b
		}
		return new([relayBorrow]byte)
	case held != nil && read < relayBuffer:
		s.giveBack(held)
		return nil
	default:
		return held
	}
}

func (s *relays) giveBack(b *[relayBorrow]byte) {
	if b != nil {
		s.buffers.Put(b)
	}
}
