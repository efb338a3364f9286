package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
)

// The paths that the backend knows, by the size of what they answer.
const (
	pathSmall  = "/12"
	pathMedium = "/10k"
	pathLarge  = "/1m"
	pathPost   = "/post"
	pathSocket = "/ws"
)

// colourHeader tells a client which slot has answered.
const colourHeader = "Colour"

// backend answers with bytes made beforehand and looks at no more of a request
// than it must, so that it takes little of the core it shares with the client.
type backend struct {
	answers  map[string][]byte
	notFound []byte
}

func newBackend(colour string) *backend {
	answer := func(status string, size int) []byte {
		head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n%s: %s\r\nContent-Length: %d\r\n\r\n",
			status, colourHeader, colour, size)
		return append([]byte(head), bytes.Repeat([]byte("x"), size)...)
	}
	const ok = "200 OK"
	return &backend{
		answers: map[string][]byte{
			pathSmall: answer(ok, 12), pathMedium: answer(ok, 10<<10), pathLarge: answer(ok, 1<<20),
			pathPost: answer(ok, 12), "/health": answer(ok, 12),
		},
		notFound: answer("404 Not Found", 12),
	}
}

// serve answers until ctx ends.
func (b *backend) serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting: %w", err)
		}
		go b.converse(conn)
	}
}

func (b *backend) converse(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	for {
		head, err := readHead(in)
		if err != nil {
			return
		}
		if head.key != "" && head.path == pathSocket {
			if _, err := io.WriteString(conn, switching(head.key)); err == nil {
				_ = echo(conn, in)
			}
			return
		}
		if head.discardBody(in) != nil {
			return
		}
		answer, ok := b.answers[head.path]
		if !ok {
			answer = b.notFound
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// requestHead is what the backend wants to know of a request.
type requestHead struct {
	path    string
	length  int64
	chunked bool
	key     string // of a WebSocket handshake
}

var errMalformed = errors.New("malformed request")

func readHead(in *bufio.Reader) (head requestHead, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return head, err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return head, errMalformed
	}
	head.path = string(path)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return head, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return head, nil
		}
		if err := head.field(line); err != nil {
			return head, err
		}
	}
}

// field takes a header field in. Most of them do not matter, and are told by
// their first letter.
func (h *requestHead) field(line []byte) error {
	switch line[0] | 0x20 {
	case 'c', 't', 's':
	default:
		return nil
	}
	name, value, _ := strings.Cut(string(line), ":")
	value = strings.TrimSpace(value)
	var err error
	switch {
	case strings.EqualFold(name, "Content-Length"):
		h.length, err = strconv.ParseInt(value, 10, 64)
	case strings.EqualFold(name, "Transfer-Encoding"):
		h.chunked = strings.EqualFold(value, "chunked")
	case strings.EqualFold(name, "Sec-WebSocket-Key"):
		h.key = value
	}
	return err
}

func (h *requestHead) discardBody(in *bufio.Reader) error {
	if !h.chunked {
		_, err := io.CopyN(io.Discard, in, h.length)
		return err
	}
	if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
		return err
	}
	_, err := in.ReadSlice('\n') // the end of an empty trailer section
	return err
}

// switching is the answer to a WebSocket handshake (RFC 6455 section 4.2.2).
func switching(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}
