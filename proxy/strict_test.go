package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// strictBackend is a backend that takes nothing but what RFC 9112 lets a
// sender send. It shares no code with the edge, and keeps what it was sent.
type strictBackend struct {
	listener net.Listener
	conns    sync.WaitGroup

	mu       sync.Mutex
	requests []*strictRequest
	broken   []string // what was not HTTP, with the reason
	cut      []string // messages that ended early, which harms nobody
}

// strictRequest is a request as it arrived.
type strictRequest struct {
	method, target, host, body string
	fields, trailers           []strictField
}

type strictField struct{ name, value string }

func (r *strictRequest) String() string {
	return strings.TrimSpace(r.method + " " + r.target + " " + r.body)
}

// values returns the values of a field, in order.
func (r *strictRequest) values(name string) (values []string) {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

func startStrictBackend(t *testing.T) *strictBackend {
	b := &strictBackend{listener: listen(t)}
	b.conns.Go(func() {
		for {
			conn, err := b.listener.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() { b.serve(conn) })
		}
	})
	return b
}

// stop waits until everything that was sent has been read.
func (b *strictBackend) stop() {
	_ = b.listener.Close()
	b.conns.Wait()
}

// serve answers every request with its method, target and body, and a broken
// one with 400.
func (b *strictBackend) serve(conn net.Conn) {
	defer conn.Close()
	raw := new(strings.Builder)
	in := bufio.NewReader(io.TeeReader(conn, raw))
	for {
		r, err := readStrict(in, conn)
		b.mu.Lock()
		switch {
		case err == nil:
			b.requests = append(b.requests, r)
		case errors.Is(err, errCut):
			b.cut = append(b.cut, raw.String())
		case err != io.EOF:
			b.broken = append(b.broken, fmt.Sprintf("%v: %q", err, raw))
		}
		b.mu.Unlock()
		if err != nil {
			if !errors.Is(err, errCut) && err != io.EOF {
				_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			}
			return
		}
		if r.target == "/tunnel" && r.values("Upgrade") != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_, _ = io.Copy(io.Discard, in)
			return
		}
		echo := r.String()
		answer := "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(echo)) + "\r\n\r\n"
		if r.method != "HEAD" {
			answer += echo
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// errCut tells of a connection that ended within a message.
var errCut = errors.New("the message ends early")

// readStrict reads one request; io.EOF means that none begins.
func readStrict(in *bufio.Reader, out io.Writer) (*strictRequest, error) {
	if _, err := in.Peek(1); err != nil {
		return nil, io.EOF
	}
	line, err := strictLine(in)
	if err != nil {
		return nil, err
	}
	r := new(strictRequest)
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" || !isToken(parts[0]) {
		return nil, fmt.Errorf("request line %q", line)
	}
	r.method, r.target = parts[0], parts[1]
	if !isOriginForm(r.target) && (r.method != "OPTIONS" || r.target != "*") {
		return nil, fmt.Errorf("request target %q", r.target)
	}
	if r.fields, err = strictFields(in); err != nil {
		return nil, err
	}
	hosts := r.values("Host")
	if len(hosts) != 1 {
		return nil, fmt.Errorf("%d Host fields", len(hosts))
	}
	r.host = hosts[0]
	if err := r.hopByHop(); err != nil {
		return nil, err
	}
	if slices.Contains(r.values("Expect"), "100-continue") {
		_, _ = io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	return r, r.readBody(in)
}

// hopByHop wants only what an upgrade to WebSocket needs.
func (r *strictRequest) hopByHop() error {
	for _, name := range []string{"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "HTTP2-Settings"} {
		if r.values(name) != nil {
			return fmt.Errorf("field %s was forwarded", name)
		}
	}
	connection, upgrade := strings.Join(r.values("Connection"), ", "), strings.Join(r.values("Upgrade"), ", ")
	if upgrade != "" && (upgrade != "websocket" || connection != "Upgrade") || upgrade == "" && connection != "" {
		return fmt.Errorf("connection %q with upgrade %q", connection, upgrade)
	}
	return nil
}

// readBody reads a body that is framed in exactly one way (RFC 9112 §6.3).
func (r *strictRequest) readBody(in *bufio.Reader) error {
	codings, lengths := r.values("Transfer-Encoding"), r.values("Content-Length")
	switch {
	case len(codings) > 0 && len(lengths) > 0:
		return errors.New("both Transfer-Encoding and Content-Length")
	case len(codings) == 1 && codings[0] == "chunked":
		return r.readChunks(in)
	case len(codings) > 0:
		return fmt.Errorf("transfer codings %q", codings)
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 31)
		if err != nil || strings.Trim(lengths[0], "0123456789") != "" {
			return fmt.Errorf("content length %q", lengths[0])
		}
		body := make([]byte, n)
		_, err = io.ReadFull(in, body)
		r.body = string(body)
		return cut(err)
	case len(lengths) > 1:
		return fmt.Errorf("content lengths %q", lengths)
	}
	return nil
}

func (r *strictRequest) readChunks(in *bufio.Reader) error {
	for {
		line, err := strictLine(in)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil || strings.Trim(line, "0123456789abcdefABCDEF") != "" {
			return fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			r.trailers, err = strictFields(in)
			return err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return cut(err)
		}
		if string(chunk[n:]) != "\r\n" {
			return fmt.Errorf("chunk ends in %q", chunk[n:])
		}
		r.body += string(chunk[:n])
	}
}

// strictFields reads a field section (RFC 9112 §5).
func strictFields(in *bufio.Reader) (fields []strictField, err error) {
	for {
		line, err := strictLine(in)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !isToken(name) || strings.ContainsFunc(value, isControl) {
			return nil, fmt.Errorf("field line %q", line)
		}
		fields = append(fields, strictField{name, value})
	}
}

// strictLine reads a line that ends in CRLF and holds neither by itself.
func strictLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", cut(err)
	}
	text, ended := strings.CutSuffix(line, "\r\n")
	if !ended || strings.ContainsAny(text, "\r\n\x00") {
		return "", fmt.Errorf("line %q", line)
	}
	return text, nil
}

func cut(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return nil
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// isOriginForm accepts an absolute path and a query (RFC 9112 §3.2.1) of
// visible ASCII, without a fragment. Like every server it takes the characters
// that RFC 3986 leaves out but browsers send.
func isOriginForm(target string) bool {
	return strings.HasPrefix(target, "/") && !strings.ContainsFunc(target, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == '#'
	})
}
