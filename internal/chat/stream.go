package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// The types of Frame.
const (
	FrameHello   = "hello"   // first from the chat: who answers
	FrameEcho    = "echo"    // to the chat, and back to the sender alone
	FrameMessage = "message" // to the chat, and to everybody
)

// Frame is a message on a WebSocket, in both directions.
type Frame struct {
	Type string `json:"type"`
	Identity
	Author string `json:"author,omitempty"`
	Text   string `json:"text,omitempty"`
}

// socket serves a WebSocket (RFC 6455).
func (c *chat) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	said, leave := c.room.enter()
	defer leave()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.write(ctx, conn, Frame{Type: FrameHello}) != nil {
		return
	}
	received := make(chan Frame)
	go read(ctx, conn, received)
	defer func() {
		conn.CloseNow()
		cancel()
		for range received { // until the reader has ended
		}
	}()
	for {
		select {
		case <-c.stopping.Done():
			conn.Close(websocket.StatusGoingAway, "the chat is stopping")
			return
		case m := <-said:
			err = c.write(ctx, conn, Frame{Type: FrameMessage, Author: m.Author, Text: m.Text})
		case frame, ok := <-received:
			if !ok {
				return
			}
			err = c.take(ctx, conn, frame)
		}
		if err != nil {
			return
		}
	}
}

// read hands on what the client sends, until it cannot.
func read(ctx context.Context, conn *websocket.Conn, received chan<- Frame) {
	defer close(received)
	for {
		var frame Frame
		if err := wsjson.Read(ctx, conn, &frame); err != nil {
			return
		}
		select {
		case received <- frame:
		case <-ctx.Done():
			return
		}
	}
}

func (c *chat) take(ctx context.Context, conn *websocket.Conn, frame Frame) error {
	switch {
	case frame.Type == FrameEcho:
		return c.write(ctx, conn, frame)
	case frame.Type == FrameMessage && valid(Message{Author: frame.Author, Text: frame.Text}):
		c.say(frame.Author, frame.Text)
	}
	return nil
}

func (c *chat) write(ctx context.Context, conn *websocket.Conn, frame Frame) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	frame.Identity = c.identity()
	return wsjson.Write(ctx, conn, frame)
}

// events streams who answers, then a tick every ?every=DURATION (default 1s),
// as server-sent events.
func (c *chat) events(w http.ResponseWriter, r *http.Request) {
	every := duration(r, "every", time.Second)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	identity, _ := json.Marshal(c.identity())
	stream := http.NewResponseController(w)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	fmt.Fprintf(w, "event: release\ndata: %s\n\n", identity)
	for n := 1; ; n++ {
		if stream.Flush() != nil {
			return
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-c.stopping.Done():
			io.WriteString(w, "event: bye\ndata: {}\n\n")
			return
		}
		fmt.Fprintf(w, "event: tick\ndata: {\"n\":%d}\n\n", n)
	}
}

// duration reads a query parameter between 1ms and 1min.
func duration(r *http.Request, name string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(r.URL.Query().Get(name))
	if err != nil {
		return otherwise
	}
	return min(max(d, time.Millisecond), time.Minute)
}
