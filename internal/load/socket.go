package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"sofiacall.com/bluegreen/internal/chat"
)

// errByEdge is why a socket ended that was told to connect again (RFC 6455
// close code 1012, "service restart"): an announced end, and no failure.
var errByEdge = errors.New("closed by the edge with 1012")

// socket is one open WebSocket. It remembers the release it started on, which
// alone may answer on it.
type socket struct {
	load    *Load
	conn    *websocket.Conn
	release string
	frames  chan chat.Frame // closed when reading has ended
	ended   error           // why; to be read after frames was closed
}

func (l *Load) repeatSockets(ctx context.Context) {
	for ctx.Err() == nil {
		var s *socket
		err := l.measure(ctx, WebSocket, func(ctx context.Context) (release string, err error) {
			if s, err = l.openSocket(ctx); err != nil {
				return "", err
			}
			return s.release, nil
		})
		if err == nil {
			l.sockets.opened(s.release)
			err = s.live(ctx)
			l.sockets.closed(s.release, err)
		}
		l.pause(ctx, l.options.Pause, err)
	}
}

func (l *Load) openSocket(ctx context.Context) (*socket, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx, "http/1.1") },
	}
	conn, _, err := websocket.Dial(ctx, "https://"+l.options.Host+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil {
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	var hello chat.Frame
	if err := wsjson.Read(ctx, conn, &hello); err != nil {
		conn.CloseNow()
		return nil, fmt.Errorf("opening a WebSocket: waiting for the greeting: %w", named(err))
	}
	return &socket{load: l, conn: conn, release: hello.Release, frames: make(chan chat.Frame)}, nil
}

// live makes round trips until the socket or ctx ends, and returns why the
// socket ended, nil if it was us.
func (s *socket) live(ctx context.Context) error {
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	go s.read(reading)
	defer func() {
		s.conn.CloseNow()
		stop()
		for range s.frames { // until the reader has ended
		}
	}()
	for n := 0; ; n++ {
		err := s.roundTrip(ctx, n)
		if err != nil {
			return err
		}
		if err := s.wait(ctx); err != nil {
			return s.fail(err)
		}
		if ctx.Err() != nil {
			s.conn.Close(websocket.StatusNormalClosure, "")
			return nil
		}
	}
}

func (s *socket) read(ctx context.Context) {
	defer close(s.frames)
	for {
		var frame chat.Frame
		if s.ended = wsjson.Read(ctx, s.conn, &frame); s.ended != nil {
			return
		}
		select {
		case s.frames <- frame:
		case <-ctx.Done():
			s.ended = ctx.Err()
			return
		}
	}
}

// roundTrip sends a frame and waits for it to come back.
func (s *socket) roundTrip(ctx context.Context, n int) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.load.options.Timeout)
	defer cancel()
	err := s.echo(ctx, fmt.Sprint(n))
	if errors.Is(err, errByEdge) {
		return err
	}
	s.load.counts[WebSocket].add(s.release, time.Since(began), false, err)
	return err
}

func (s *socket) echo(ctx context.Context, text string) error {
	if err := wsjson.Write(ctx, s.conn, chat.Frame{Type: chat.FrameEcho, Text: text}); err != nil {
		return s.reason(ctx, err)
	}
	for {
		select {
		case frame, ok := <-s.frames:
			switch {
			case !ok:
				return s.reason(ctx, s.ended)
			case frame.Type != chat.FrameEcho:
				continue // somebody says something
			case frame.Release != s.release:
				return fmt.Errorf("a WebSocket opened on release %s was answered by %s", s.release, frame.Release)
			case frame.Text != text:
				return fmt.Errorf("a WebSocket sent %q and got %q back", text, frame.Text)
			}
			return nil
		case <-ctx.Done():
			return errors.New("no answer on a WebSocket in time")
		}
	}
}

// wait is the pause between two round trips; what arrives meanwhile is read.
func (s *socket) wait(ctx context.Context) error {
	timer := time.NewTimer(s.load.options.SocketPause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		case _, ok := <-s.frames:
			if !ok {
				return s.reason(ctx, s.ended)
			}
		}
	}
}

// fail counts the end of a socket that came between two round trips.
func (s *socket) fail(err error) error {
	if !errors.Is(err, errByEdge) {
		s.load.counts[WebSocket].add(s.release, 0, false, err)
	}
	return err
}

// reason says why a socket ended. The close frame that was read counts more
// than the write that failed because of it.
func (s *socket) reason(ctx context.Context, err error) error {
	for open := true; open; {
		select {
		case _, open = <-s.frames:
		case <-ctx.Done():
			return err
		}
	}
	if status := websocket.CloseStatus(s.ended); status == websocket.StatusServiceRestart {
		return errByEdge
	} else if status >= 0 {
		return fmt.Errorf("a WebSocket was closed with %d", status)
	}
	return fmt.Errorf("a WebSocket broke: %w", named(err))
}
