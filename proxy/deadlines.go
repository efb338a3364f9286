package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Bodies have no limit in time, but neither side of a client may stand still
// for longer than the idle time. On HTTP/1 that is a deadline of the connection,
// which matters only to a call that waits; it is moved when a quarter of it has
// passed. On HTTP/2 a deadline ends the stream whether or not anybody waits for
// the client, so it is set by a watchdog over the call that does, as on HTTP/3;
// see watch.go.

// armWrite sets the write deadline before a write.
//
// The deadline stays when the handler returns, since the server writes the
// rest of its buffer after that; net/http clears it before the connection waits
// for its next request.
func (f *flight) armWrite() {
	if f.multiplexed {
		return
	}
	idle := f.server.bodyIdle
	now := time.Now()
	if now.Sub(f.writeArmed) < idle/4 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.severed || f.over {
		return
	}
	deadline := now.Add(idle)
	if f.streaming {
		deadline = time.Time{}
	}
	f.writeArmed = now
	_ = http.NewResponseController(f.ResponseWriter).SetWriteDeadline(deadline)
}

// armRead sets the read deadline before a read of the body. Without a body, or
// after its end, the server itself reads the connection to notice that the
// client leaves; a deadline would then cancel the request.
func (f *flight) armRead() error {
	idle := f.server.bodyIdle
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return http.ErrBodyReadAfterClose
	}
	if f.severed || f.multiplexed || now.Sub(f.readArmed) < idle/4 {
		return nil
	}
	f.readArmed = now
	_ = http.NewResponseController(f.ResponseWriter).SetReadDeadline(now.Add(idle))
	return nil
}

// endRead notes how the body ended and, at its end, clears the deadline.
func (f *flight) endRead(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != io.EOF {
		f.bodyErr = err
		return
	}
	f.bodyDone = true
	if !f.over && !f.severed && !f.multiplexed {
		_ = http.NewResponseController(f.ResponseWriter).SetReadDeadline(time.Time{})
	}
}

// leaveBody bounds how long the server may read what the backend did not want
// of an HTTP/1 body, which it does after the handler to keep the connection.
// It does so too before it closes the connection of a response that broke off;
// a client that sends nothing until it has the response would learn of that at
// the deadline only. The caller holds mu.
func (f *flight) leaveBody() {
	if !f.hasBody || f.bodyDone || f.multiplexed || f.severed {
		return
	}
	deadline := time.Unix(1, 0)
	if !f.broken {
		deadline = time.Now().Add(f.server.bodyIdle)
	}
	_ = http.NewResponseController(f.ResponseWriter).SetReadDeadline(deadline)
}

// clientBody is the body of a client's request under the idle deadline.
type clientBody struct {
	io.ReadCloser
	flight *flight
	end    error
	// mayRest says that the client may send nothing for as long as it likes:
	// a gRPC stream is often quiet in one direction.
	mayRest bool
	// trailer is what the backend gets after the body: of the announced
	// fields, what the server has put into received at the end.
	trailer, received http.Header
}

// Read repeats the end once it has been reached: the transport looks for bytes
// beyond the announced length, and no deadline may be set any more by then.
func (b *clientBody) Read(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	if err := b.flight.armRead(); err != nil {
		return 0, err
	}
	if !b.mayRest {
		b.flight.reading.begin(b.flight)
	}
	n, err := b.ReadCloser.Read(p)
	b.flight.reading.end()
	b.flight.received.Add(int64(n))
	if over := b.flight.withinLimit(); over != nil {
		n, err = 0, over
	}
	if err != nil {
		b.end = err
		for name := range b.trailer {
			b.trailer[name] = b.received[name]
		}
		b.flight.endRead(err)
	}
	return n, err
}

// guard puts the idle deadlines on a request that is answered by the edge
// itself: its body, which the server may want to skip, and the answer.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	deadline := time.Now().Add(s.bodyIdle)
	_ = control.SetWriteDeadline(deadline)
	if r.Body != nil && r.Body != http.NoBody {
		_ = control.SetReadDeadline(deadline)
	}
}

// isTimeout reports whether err is a deadline that passed.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// isGRPC reports whether a request's content type is that of gRPC.
func isGRPC(h http.Header) bool {
	const grpc = "application/grpc"
	contentType := h.Get("Content-Type")
	return len(contentType) >= len(grpc) && strings.EqualFold(contentType[:len(grpc)], grpc)
}

// isEventStream reports whether a content type is that of server-sent events.
func isEventStream(contentType string) bool {
	const events = "text/event-stream"
	if len(contentType) < len(events) || !strings.EqualFold(contentType[:len(events)], events) {
		return false
	}
	rest := strings.TrimLeft(contentType[len(events):], " \t")
	return rest == "" || rest[0] == ';'
}
