package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// client is one HTTP/1.1 connection over TLS. It never retries and never
// connects anew by itself: what fails is seen.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	host string
}

// answer is what matters of a response.
type answer struct {
	status int
	colour string
	last   bool // the connection ends with it
}

// connect opens a connection to a contender from a local address; nil is any.
func (c *contender) connect(ctx context.Context, local net.Addr, host string) (*client, error) {
	conn, err := dialFrom(ctx, local, c.site.Address, host)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), host: host}, nil
}

func (c *client) close() { c.conn.Close() }

// get asks for a path and reads the answer to its end.
func (c *client) get(path string) (answer, error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + c.host + "\r\nUser-Agent: bench\r\n\r\n"
	if _, err := io.WriteString(c.conn, request); err != nil {
		return answer{}, err
	}
	return c.read()
}

var errNoLength = errors.New("the answer has no Content-Length")

func (c *client) read() (a answer, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return a, errMalformed
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, errMalformed
	}
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if line[0]|0x20 != 'c' {
			continue
		}
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(value); err != nil {
				return a, errMalformed
			}
		case strings.EqualFold(name, colourHeader):
			a.colour = value
		case strings.EqualFold(name, "Connection"):
			a.last = strings.EqualFold(value, "close")
		}
	}
	if a.status == 101 {
		return a, nil
	}
	if length < 0 {
		return a, errNoLength
	}
	_, err = c.in.Discard(length)
	return a, err
}

// fetch is get for who wants the usual answer.
func (c *client) fetch(path string) error {
	a, err := c.get(path)
	if err == nil && a.status != 200 {
		err = fmt.Errorf("status %d", a.status)
	}
	return err
}

// openSocket turns the connection into a WebSocket (RFC 6455 section 4.1).
func (c *client) openSocket() error {
	request := "GET " + pathSocket + " HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(c.conn, request); err != nil {
		return err
	}
	a, err := c.read()
	if err == nil && a.status != 101 {
		err = fmt.Errorf("status %d instead of a WebSocket", a.status)
	}
	return err
}

// say sends a message over the WebSocket and waits for its echo. buf has room
// for maxFrame.
func (c *client) say(message, buf []byte) error {
	sent := appendFrame(buf[:0], frame{opText, message}, true)
	if _, err := c.conn.Write(sent); err != nil {
		return err
	}
	got, err := readFrame(c.in, buf[:maxFrame])
	if err != nil {
		return err
	}
	if got.op != opText || !bytes.Equal(got.payload, message) {
		return fmt.Errorf("the echo is another message: %q", got.payload)
	}
	return nil
}
