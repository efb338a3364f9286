package chat

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxMessages = 200
	maxText     = 2000 // bytes of a message
	maxBody     = 16 << 10
	backlog     = 16 // messages that a slow reader may be behind
)

// Message is one line of the chat.
type Message struct {
	ID      int64     `json:"id"`
	Author  string    `json:"author"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Release string    `json:"release"` // that took it
}

// room holds the last messages, and who is to hear the next ones.
type room struct {
	mu       sync.Mutex
	last     int64
	messages []Message
	readers  map[chan Message]struct{}
	present  sync.WaitGroup
}

func newRoom() *room { return &room{readers: make(map[chan Message]struct{})} }

// say stores a message and hands it to all who listen. One that does not keep
// up misses messages rather than holding up the others.
func (r *room) say(m Message) Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	m.ID, m.At = r.last, time.Now().UTC()
	if r.messages = append(r.messages, m); len(r.messages) > maxMessages {
		r.messages = slices.Delete(r.messages, 0, len(r.messages)-maxMessages)
	}
	for reader := range r.readers {
		select {
		case reader <- m:
		default:
		}
	}
	return m
}

func (r *room) all() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message{}, r.messages...)
}

// enter subscribes to what is said until leave is called.
func (r *room) enter() (said <-chan Message, leave func()) {
	reader := make(chan Message, backlog)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present.Add(1)
	r.readers[reader] = struct{}{}
	return reader, func() {
		r.mu.Lock()
		delete(r.readers, reader)
		r.mu.Unlock()
		r.present.Done()
	}
}

// wait blocks until everybody has left.
func (r *room) wait() { r.present.Wait() }

func (c *chat) listMessages(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, c.room.all())
}

func (c *chat) postMessage(w http.ResponseWriter, r *http.Request) {
	var m Message
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&m); err != nil {
		refuse(w, http.StatusBadRequest, "the body is no message")
		return
	}
	if !valid(m) {
		refuse(w, http.StatusBadRequest, "a message needs a text of at most 2000 bytes")
		return
	}
	answer(w, http.StatusCreated, c.say(m.Author, m.Text))
}

func (c *chat) say(author, text string) Message {
	return c.room.say(Message{Author: author, Text: text, Release: c.options.Release})
}

func valid(m Message) bool {
	return strings.TrimSpace(m.Text) != "" && len(m.Text) <= maxText && len(m.Author) <= 100
}
