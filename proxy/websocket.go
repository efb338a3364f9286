package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// WebSockets are relayed here rather than by httputil.ReverseProxy, whose
// upgraded connections cost about 80 KB each and cannot be closed between two
// frames. Other upgrades are ignored: the request is answered as an ordinary
// one (RFC 9110 §7.8).

const (
	handshakeBuffer = 4 << 10
)

// isWebSocket reports whether r is an opening handshake (RFC 6455 §4.1).
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0 &&
		hasToken(r.Header["Upgrade"], "websocket") && hasToken(r.Header["Connection"], "upgrade")
}

func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(field), token) {
				return true
			}
		}
	}
	return false
}

// upgrade performs the opening handshake with the backend and relays the
// connection when both agree. A refusal is passed on as an ordinary response.
func (s *Server) upgrade(f *flight, r *http.Request) {
	h, err := f.handshake(r)
	if err != nil {
		s.unanswered(f, r, err)
		return
	}
	if h.response.StatusCode != http.StatusSwitchingProtocols {
		h.pass(f, r)
		return
	}
	if !hasToken(h.response.Header["Upgrade"], "websocket") {
		h.abandon()
		s.unanswered(f, r, fmt.Errorf("backend switched to protocol %q instead of websocket", h.response.Header.Get("Upgrade")))
		return
	}
	if !h.keep() {
		s.unanswered(f, r, context.Cause(&f.ctx))
		return
	}
	s.establish(f, h)
}

// handshake is an opening handshake that the backend has answered.
type handshake struct {
	conn     net.Conn
	reader   *bufio.Reader
	response *http.Response
	// unwatch stops the watch on the request's context.
	unwatch func() bool
}

// handshake sends the request on a connection of its own and reads the
// response. A cut and a client that leaves end it through the context.
func (f *flight) handshake(r *http.Request) (*handshake, error) {
	b := f.backend
	f.traceAsked()
	conn, err := b.dialer.dial(&f.ctx)
	if err != nil {
		return nil, err
	}
	h := &handshake{conn: conn, reader: bufio.NewReaderSize(conn, handshakeBuffer)}
	_ = conn.SetDeadline(time.Now().Add(b.headerTimeout))
	h.watch(&f.ctx)
	out := f.handshakeRequest(r)
	if err := out.Write(conn); err != nil {
		h.abandon()
		return nil, fmt.Errorf("sending websocket handshake: %w", err)
	}
	if err := h.read(out); err != nil {
		h.abandon()
		return nil, fmt.Errorf("reading websocket handshake: %w", err)
	}
	f.traceAnswered()
	return h, nil
}

func (f *flight) handshakeRequest(r *http.Request) *http.Request {
	out := r.Clone(&f.ctx)
	out.Body, out.Close = nil, false
	removeHopByHop(out.Header)
	f.address(out, r)
	out.Header["Connection"] = []string{"Upgrade"}
	out.Header["Upgrade"] = []string{"websocket"}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""}
	}
	return out
}

// read reads the final response, after any informational ones. The reader
// limits nothing by itself, so the header is.
func (h *handshake) read(out *http.Request) error {
	limited := &io.LimitedReader{R: h.conn, N: backendHeaderBytes}
	h.reader.Reset(limited)
	for range maxInformations {
		response, err := http.ReadResponse(h.reader, out)
		if err != nil {
			return err
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			h.response = response
			limited.N = 1<<63 - 1
			return nil
		}
	}
	return fmt.Errorf("more than %d informational responses", maxInformations)
}

func (h *handshake) watch(ctx context.Context) {
	h.unwatch = context.AfterFunc(ctx, func() { _ = h.conn.SetDeadline(time.Unix(1, 0)) })
}

// keep frees the connection from the request's context; false means that the
// context ended first.
func (h *handshake) keep() bool {
	if !h.unwatch() {
		_ = h.conn.Close()
		return false
	}
	_ = h.conn.SetDeadline(time.Time{})
	return true
}

func (h *handshake) abandon() {
	h.unwatch()
	_ = h.conn.Close()
}

// pass relays the response of a backend that refused the handshake.
func (h *handshake) pass(f *flight, r *http.Request) {
	defer h.abandon()
	if h.unwatch() {
		_ = h.conn.SetDeadline(time.Time{})
		h.watch(&f.ctx)
	}
	removeHopByHop(h.response.Header)
	_ = received(h.response)
	for name, values := range h.response.Header {
		f.Header()[name] = values
	}
	f.WriteHeader(h.response.StatusCode)
	if _, err := io.Copy(struct{ io.Writer }{f}, h.response.Body); err != nil {
		f.failure, f.broken = f.brokenOff(r), true
		panic(http.ErrAbortHandler)
	}
}

// establish takes the client's connection over from the HTTP server and starts
// the relay, which outlives the handler: a WebSocket then holds two small
// goroutines and none of the server's buffers.
func (s *Server) establish(f *flight, h *handshake) {
	client, buffered, err := http.NewResponseController(f.ResponseWriter).Hijack()
	if err != nil {
		_ = h.conn.Close()
		s.unanswered(f, h.response.Request, fmt.Errorf("taking over the connection: %w", err))
		return
	}
	_ = client.SetDeadline(time.Time{})
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	replied, _ := h.reader.Peek(h.reader.Buffered())
	r := newRelay(f, client, h.conn)
	head := f.switchingProtocols(h.response.Header)
	if !f.handOver(r) {
		f.failure = FailureDrained
		_, _ = io.WriteString(client, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: "+retryAfterSeconds+"\r\n\r\n")
		_ = client.Close()
		_ = h.conn.Close()
		return
	}
	f.recordTrace(f.observe(f.firstByte))
	f.trace.keep()
	s.relays.start(r, head, bytes.Clone(early), bytes.Clone(replied))
}

// switchingProtocols renders the response that ends the handshake.
func (f *flight) switchingProtocols(h http.Header) []byte {
	removeHopByHop(h)
	h.Del(LabelHeader)
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	f.sign(h)
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(&head)
	head.WriteString("\r\n")
	return head.Bytes()
}

// handOver makes r the owner of the flight and counts it as upgraded; false
// means that a drain has cut it. What only the request needed is let go.
func (f *flight) handOver(r *relay) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.severed {
		return false
	}
	f.relay = r
	f.ResponseWriter = nil
	f.status = http.StatusSwitchingProtocols
	f.firstByte = time.Since(f.start)
	f.logged.keep()
	f.backend.upgrade()
	return true
}
