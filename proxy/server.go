package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	defaultHeader         = 10 * time.Second
	defaultIdle           = 180 * time.Second
	defaultBodyIdle       = 60 * time.Second
	defaultMaxHeaderBytes = 64 << 10
	defaultLinger         = time.Second
	defaultShutdownGrace  = 30 * time.Second

	h2Streams      = 100
	h2FrameSize    = 16 << 10
	h2PingAfter    = 30 * time.Second
	h2PingTimeout  = 15 * time.Second
	redirectAnswer = 10 * time.Second
)

// Options describes a Server. The zero value of every duration and size
// selects its default.
type Options struct {
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
	// HTTP serves ACME challenges and redirects to HTTPS; nil serves none.
	HTTP net.Listener
	// HTTPS serves the hosts of the table; nil serves none.
	HTTPS net.Listener
	// HTTP3 serves the hosts of the table over QUIC, and the responses of HTTPS
	// name it; nil serves none. The server closes it.
	HTTP3 net.PacketConn
	// Generation marks the QUIC connection IDs of this process: byte 0 of each.
	// A process that takes the socket over from another gives it the next
	// number; 0 chooses one at random.
	Generation byte
	// TLS is the configuration of HTTPS and HTTP3: certificates, versions, suites.
	// Required with them.
	TLS *tls.Config
	// Challenge wraps the redirect of the HTTP listener so that HTTP-01
	// challenges (RFC 8555 §8.3) are answered first; nil wraps nothing.
	Challenge func(http.Handler) http.Handler
	// Table is the first host table; nil knows no host.
	Table *Table
	// ProbeSecret authenticates probes; empty accepts none.
	ProbeSecret string
	// HTTPSPort is the port that redirects name; 0 and 443 name none.
	HTTPSPort int

	// Header limits the TLS handshake and the request header. Default 10 s.
	Header time.Duration
	// Idle limits how long a keep-alive connection waits for its next
	// request. Default 180 s.
	Idle time.Duration
	// BodyIdle limits how long a client may send nothing of a body it owes,
	// or read nothing of a response. Default 60 s. Server-sent events and
	// WebSockets are exempt.
	BodyIdle time.Duration
	// MaxHeaderBytes limits the request header. Default 64 KiB.
	MaxHeaderBytes int

	// Linger is how long, at the end, every response still asks its client
	// to connect anew (Connection: close, GOAWAY) before connections are
	// closed. Default 1 s.
	Linger time.Duration
	// ShutdownGrace limits the wait for requests and WebSockets after that.
	// Event streams are ended at its beginning. Default 30 s.
	ShutdownGrace time.Duration
}

// Server accepts connections and serves the hosts of its table.
type Server struct {
	log         *slog.Logger
	http, https net.Listener
	http3       net.PacketConn
	generation  byte
	altService  []string // the value of Alt-Svc; nil sends none
	tls         *tls.Config
	challenge   func(http.Handler) http.Handler
	probeSecret string
	httpsPort   int

	header, idle, bodyIdle time.Duration
	maxHeaderBytes         int
	linger, shutdownGrace  time.Duration

	table    atomic.Pointer[Table]
	stopping atomic.Bool
	halt     chan struct{} // closed when nothing is accepted any more
	reverse  *httputil.ReverseProxy
	relays   relays
	streams  streams
	serving  atomic.Int64 // requests on all listeners
	ended    atomic.Int64 // requests of HTTP/3 that outlived the grace
	clients  *connections

	farewells farewells
	encoders  atomic.Int64 // of responses that are being compressed

	headerless seldom // when a missing PROXY header was last told
}

// New returns a server that begins to accept with Run.
func New(o Options) *Server {
	s := &Server{
		log:            o.Logger,
		http3:          o.HTTP3,
		generation:     o.Generation,
		clients:        newConnections(),
		tls:            o.TLS,
		challenge:      o.Challenge,
		probeSecret:    o.ProbeSecret,
		httpsPort:      o.HTTPSPort,
		header:         cmp.Or(o.Header, defaultHeader),
		idle:           cmp.Or(o.Idle, defaultIdle),
		bodyIdle:       cmp.Or(o.BodyIdle, defaultBodyIdle),
		maxHeaderBytes: cmp.Or(o.MaxHeaderBytes, defaultMaxHeaderBytes),
		linger:         cmp.Or(o.Linger, defaultLinger),
		shutdownGrace:  cmp.Or(o.ShutdownGrace, defaultShutdownGrace),
		halt:           make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP != nil {
		s.http = accepting{o.HTTP, s}
	}
	if o.HTTPS != nil {
		s.https = accepting{o.HTTPS, s}
	}
	if o.HTTP3 != nil {
		s.altService = altService(o.HTTP3)
	}
	s.SetTable(o.Table)
	s.reverse = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      dispatch{},
		BufferPool:     new(buffers),
		ModifyResponse: received,
		ErrorHandler:   s.unanswered,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s
}

// SetTable replaces the host table whole; requests that have found their
// service already are not affected. A nil table knows no host.
func (s *Server) SetTable(t *Table) {
	if t == nil {
		t = &Table{connections: defaultConnections}
	}
	s.table.Store(t)
}

// Run serves until ctx ends, then stops in order: for a moment every response
// asks its client to connect anew, so that no client meets a closed connection
// with its next request; then nothing is accepted any more, WebSockets (close
// code 1012), event streams (the end of the body) and held requests (503) are
// asked to come back, what is in flight gets the grace to end, and what is left
// is closed, which is logged as a warning. The requests do not derive from ctx.
//
// Run returns nil after an ordered stop, and an error when a listener failed.
// It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if (s.https != nil || s.http3 != nil) && s.tls == nil {
		return errors.New("serving https: no TLS configuration given")
	}
	servers, err := s.servers()
	if err != nil {
		return err
	}
	group, failed := errgroup.WithContext(ctx)
	for _, srv := range servers {
		group.Go(func() error {
			if err := srv.serve(); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving %s on %s: %w", srv.name, srv.address, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-failed.Done()
		return s.stop(servers, ctx.Err() != nil)
	})
	return group.Wait()
}

// stop ends the servers in order. Without a graceful beginning (a listener
// failed) nobody is asked to connect anew.
func (s *Server) stop(servers []*listening, graceful bool) error {
	s.stopping.Store(true)
	if graceful {
		time.Sleep(s.linger)
	}
	s.streams.stop()
	close(s.halt)
	grace, cancel := context.WithTimeout(context.Background(), s.shutdownGrace)
	defer cancel()
	var aborted int
	var late atomic.Bool
	var group errgroup.Group
	group.Go(func() error {
		aborted = s.relays.stop(grace)
		return nil
	})
	for _, srv := range servers {
		group.Go(func() error {
			err := srv.Shutdown(grace)
			if errors.Is(err, context.DeadlineExceeded) {
				late.Store(true)
				return nil
			}
			if err != nil {
				return fmt.Errorf("stopping %s: %w", srv.name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	requests := s.serving.Load() + s.ended.Load()
	unread := s.farewells.stop(grace)
	if late.Load() || aborted > 0 || unread > 0 {
		s.log.Warn("the shutdown grace was not enough; what was still in flight is cut",
			"grace", s.shutdownGrace, "requests", requests, "websockets", aborted, "unread", unread)
	}
	for _, srv := range servers {
		_ = srv.Close()
	}
	return err
}

// listening is a server with what it listens on.
type listening struct {
	server
	name    string
	address net.Addr
	serve   func() error // until the server is stopped: http.ErrServerClosed
}

// server is what *http.Server and *quicServer have in common.
type server interface {
	Shutdown(context.Context) error
	Close() error
}

func (s *Server) servers() ([]*listening, error) {
	var all []*listening
	if s.http != nil {
		handler := http.Handler(http.HandlerFunc(s.redirect))
		if s.challenge != nil {
			handler = s.challenge(handler)
		}
		srv := s.newServer(handler)
		srv.WriteTimeout = redirectAnswer
		srv.ReadTimeout = redirectAnswer
		all = append(all, &listening{srv, "http", s.http.Addr(), func() error { return srv.Serve(s.http) }})
	}
	if s.https != nil {
		srv := s.newServer(s)
		srv.TLSConfig = s.tls
		l := batchListener{s.https, s.bodyIdle, &s.farewells}
		all = append(all, &listening{srv, "https", l.Addr(), func() error { return srv.ServeTLS(l, "", "") }})
	}
	if s.http3 != nil {
		q, err := s.newQUIC(s.http3, s.tls)
		if err != nil {
			return nil, fmt.Errorf("serving http3 on %s: %w", s.http3.LocalAddr(), err)
		}
		all = append(all, &listening{q, "http3", s.http3.LocalAddr(), q.serve})
	}
	return all, nil
}

func (s *Server) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           s.counted(h),
		ReadHeaderTimeout: s.header,
		// ServeHTTP answers OPTIONS *, as it answers everything else.
		DisableGeneralOptionsHandler: true,
		IdleTimeout:                  s.idle,
		MaxHeaderBytes:               s.maxHeaderBytes,
		ErrorLog:                     serverErrors(s.log),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: h2Streams,
			MaxReadFrameSize:     h2FrameSize,
			SendPingTimeout:      h2PingAfter,
			PingTimeout:          h2PingTimeout,
		},
	}
}

// counted counts the requests that h serves, so that a stop can tell how many
// it had to cut.
func (s *Server) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serving.Add(1)
		defer s.serving.Add(-1)
		h.ServeHTTP(w, r)
	})
}
