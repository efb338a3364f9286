package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// errStopping is the cause with which the end of the server ends a stream.
var errStopping = errors.New("the edge is stopping")

// Server-sent events are requests that last like WebSockets do, and are
// treated as such: they count as upgraded, have the deadline of the upgraded,
// and are ended in good order, so that their clients connect anew at once.

// beginStream moves the flight to the upgraded ones. It is called before the
// first byte of the response is written.
func (f *flight) beginStream() {
	f.mu.Lock()
	f.streaming = true
	f.mu.Unlock()
	if b := f.backend; b != nil {
		b.upgrade()
	}
	f.server.streams.add(f)
}

func (f *flight) endStream() {
	f.server.streams.remove(f)
	if b := f.backend; b != nil {
		b.releaseUpgraded()
	}
}

// received prepares a backend's response for the client: an event stream gets
// a body that ends in good order when it is cut, and LabelHeader is not
// announced as a trailer. A status that is none is an error, for net/http's
// server panics when it is told to send it.
func received(response *http.Response) error {
	if response.StatusCode < 100 {
		return fmt.Errorf("backend answered with status %q", response.Status)
	}
	delete(response.Trailer, LabelHeader)
	if isEventStream(response.Header.Get("Content-Type")) {
		response.Body = &streamBody{response.Body, flightOf(response.Request.Context())}
	}
	return nil
}

// streamBody is the body of an event stream. The cut of its flight breaks off
// the exchange with the backend; to the client that is the end of the body. A
// part of an event at the end is discarded by clients (HTML §9.2.6).
type streamBody struct {
	io.ReadCloser
	flight *flight
}

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.flight.wasCut() {
		b.flight.failure = FailureDrained
		err = io.EOF
	}
	return n, err
}

// streams are the event streams of a server.
type streams struct {
	mu       sync.Mutex
	open     map[*flight]struct{}
	stopping bool
}

func (s *streams) add(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		f.cut(nil, false, true, errStopping)
	}
	if s.open == nil {
		s.open = make(map[*flight]struct{})
	}
	s.open[f] = struct{}{}
}

func (s *streams) remove(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, f)
}

// stop ends all streams, and those that still begin.
func (s *streams) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for f := range s.open {
		f.cut(nil, false, true, errStopping)
	}
}
