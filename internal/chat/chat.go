package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// HeaderRelease names in every answer the release that gave it.
const HeaderRelease = "X-Chat-Release"

// ErrFault is why a release that was told to fail ended.
var ErrFault = errors.New("chat: ended by its fault")

// Options say what a chat serves and how it is to fail.
type Options struct {
	// Address to listen on, host:port. Listener, if not nil, is used instead.
	Address  string
	Listener net.Listener
	// Release, Colour and Instance are shown and told in answers.
	Release, Colour, Instance string
	// Fault is how it fails: "" (not at all), "exit" (Run logs why and returns
	// ErrFault), "never-healthy" (/health answers 503), "hang" (accepts, and never
	// answers), "sick-after=DURATION" or "sick-after-requests=N" (from then on
	// everything is answered with 500; requests for /health do not count), or
	// "failing-after-requests=N" (the same, but only /health fails), or
	// "erring-after=DURATION" (that long after its first request everything but
	// /health is answered with 500).
	Fault string
	// Output takes the log; nil means silence.
	Output io.Writer
	// Grace is the longest wait for requests in flight at the end; 0 means 5s.
	Grace time.Duration
}

// Run serves until ctx ends, then stops accepting, tells WebSockets and event
// streams to go, and finishes what is in flight.
func Run(ctx context.Context, options Options) error {
	fault, err := parseFault(options.Fault)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmp.Or[io.Writer](options.Output, io.Discard), nil))
	log = log.With("release", options.Release, "colour", options.Colour)
	if fault.exit {
		log.Info("starting")
		log.Error("the schema is newer than this release knows", "have", 12, "want", 11)
		log.Error("cannot start")
		return ErrFault
	}
	listener := options.Listener
	if listener == nil {
		if listener, err = net.Listen("tcp", options.Address); err != nil {
			return fmt.Errorf("starting the chat: %w", err)
		}
	}
	log.Info("listening", "address", listener.Addr().String())
	if err := newChat(options, fault).serve(ctx, listener); err != nil {
		return fmt.Errorf("serving the chat: %w", err)
	}
	log.Info("stopped")
	return nil
}

// chat is one running release.
type chat struct {
	options  Options
	faults   *faults
	room     *room
	stopping context.Context // ends when the chat begins to stop
	stop     context.CancelFunc
}

func newChat(options Options, fault fault) *chat {
	c := &chat{options: options, faults: newFaults(fault), room: newRoom()}
	c.stopping, c.stop = context.WithCancel(context.Background())
	return c
}

func (c *chat) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than a proxy keeps its connections, so that the proxy closes first.
		IdleTimeout: 2 * time.Minute,
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		c.stop()
		grace, cancel := context.WithTimeout(context.Background(), cmp.Or(c.options.Grace, 5*time.Second))
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			server.Close()
		}
		c.room.wait() // for WebSockets, which the server does not know
		return nil
	})
	return group.Wait()
}

func (c *chat) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.page)
	mux.HandleFunc("GET /health", c.health)
	mux.HandleFunc("GET /release", c.release)
	mux.HandleFunc("GET /api/messages", c.listMessages)
	mux.HandleFunc("POST /api/messages", c.postMessage)
	mux.HandleFunc("GET /ws", c.socket)
	mux.HandleFunc("GET /events", c.events)
	mux.HandleFunc("GET /download", c.download)
	mux.HandleFunc("POST /upload", c.upload)
	mux.HandleFunc("GET /slow", c.slow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(HeaderRelease, c.options.Release)
		if c.faults.strike(w, r, c.stopping) {
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Identity is who answers: the body of /release, and the first message of a
// WebSocket and of an event stream.
type Identity struct {
	Release  string `json:"release"`
	Colour   string `json:"colour"`
	Instance string `json:"instance"`
}

func (c *chat) identity() Identity {
	return Identity{Release: c.options.Release, Colour: c.options.Colour, Instance: c.options.Instance}
}

func (c *chat) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (c *chat) release(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, c.identity())
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}
