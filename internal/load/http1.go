package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// client sends a request once and hands its answer to use, which reads what it
// wants of the body.
type client interface {
	exchange(ctx context.Context, request *http.Request, use func(*http.Response) error) error
	close()
}

// http1Client is one connection at a time, used by one worker. The standard
// library's transport is not used because it sends again what it believes a
// server has not seen.
type http1Client struct {
	load *Load
	keep bool // the connection, for the next request

	conn net.Conn
	from *bufio.Reader
}

func (c *http1Client) exchange(ctx context.Context, request *http.Request, use func(*http.Response) error) error {
	if c.conn == nil {
		conn, err := c.load.dial(ctx, "http/1.1")
		if err != nil {
			return err
		}
		c.conn, c.from = conn, bufio.NewReader(conn)
	}
	reusable, err := c.once(ctx, request, use)
	if err != nil || !reusable {
		c.close()
	}
	return err
}

// once reports whether the connection may be used again. An answer that says
// "Connection: close" ends it in good order (RFC 9112 section 9.6); a server
// that closes without a word fails the next request.
func (c *http1Client) once(ctx context.Context, request *http.Request, use func(*http.Response) error) (reusable bool, err error) {
	deadline, _ := ctx.Deadline()
	c.conn.SetDeadline(deadline)
	if err := request.Write(c.conn); err != nil {
		return false, fmt.Errorf("sending: %w", err)
	}
	answer, err := c.answer(request)
	if err != nil {
		return false, fmt.Errorf("waiting for the answer: %w", named(err))
	}
	// The body is never closed: that would read an endless stream to its end.
	if err := use(answer); err != nil {
		return false, err
	}
	if !c.keep {
		return false, nil
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return false, fmt.Errorf("reading the answer: %w", named(err))
	}
	return !answer.Close, nil
}

func (c *http1Client) answer(request *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(c.from, request)
		if err != nil || answer.StatusCode >= 200 {
			return answer, err
		}
	}
}

func (c *http1Client) close() {
	if c.conn == nil {
		return
	}
	c.conn.SetDeadline(time.Now().Add(time.Second)) // for the TLS close_notify
	c.conn.Close()
	c.conn, c.from = nil, nil
}

// named says what an end of file means here.
func named(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed")
	}
	return err
}
