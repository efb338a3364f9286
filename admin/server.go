package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// DefaultGroup is the group whose members may operate the edge.
const DefaultGroup = "bluegreen"

// DefaultSocket is where the edge listens unless configured otherwise.
const DefaultSocket = "/run/bluegreen/admin.sock"

// Options make a Server. What names no default is required.
type Options struct {
	// Apps returns the apps, sorted by name.
	Apps func() []*switcher.App
	// Certificates returns the state of all certificates; default none.
	Certificates func() []Certificate
	// Link makes a signed link to an internal host of an app.
	Link func(app string, r LinkRequest) (Link, error)
	// TestAlerts sends a test message to every service of an app.
	TestAlerts func(ctx context.Context, app string) AlertTest
	// Alerts returns the alerts of an app.
	Alerts func(app string) Alerts
	// Dashboard makes a link to the dashboard for somebody.
	Dashboard func(who switcher.Actor, scope Scope, app string) (DashboardLink, error)
	// Compare puts that much of both slots' traffic side by side.
	Compare func(app *switcher.App, span time.Duration) (Comparison, error)
	// Reload applies the configuration file anew.
	Reload func(context.Context) error
	// Metrics answers what Prometheus asks.
	Metrics http.Handler
	// Logs answers a query for the log lines of an app, until the context ends if it
	// is to follow.
	Logs func(ctx context.Context, app string, q LogQuery, a LogAnswer) error
	// Backups lists the backups of an app's database, newest first.
	Backups func(ctx context.Context, app string) ([]Backup, error)
	// Ready returns why the edge does not serve yet; default: it does.
	Ready func() error
	// Hostname is the second half of an actor; default the machine's.
	Hostname string
	// Version of the edge, as told to clients; default none.
	Version string
	// Group whose members may operate; default DefaultGroup.
	Group string
	// Logger; default none.
	Logger *slog.Logger
}

// Server answers the admin API.
type Server struct {
	options Options
	log     *slog.Logger
	handler http.Handler
	keys    keys
}

// New returns a Server that serves nothing yet.
func New(options Options) *Server {
	options.Group = cmp.Or(options.Group, DefaultGroup)
	if options.Hostname == "" {
		options.Hostname, _ = os.Hostname()
	}
	s := &Server{options: options, log: options.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.handler = s.mux()
	return s
}

// Handler returns the API without any listener. It trusts the identity that
// Serve put into the request's context, and gives a request without one
// ScopeNone.
func (s *Server) Handler() http.Handler { return s.handler }

var errStopping = errors.New("the edge is stopping")

// Serve answers on ln, a listener of Listen, until ctx ends. Clients that
// follow an operation are then cut off; the operation itself is not ours.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	server := &http.Server{
		Handler:           localOnly(s.handler),
		ConnContext:       s.identifyPeer,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving the admin socket: %w", err)
	case <-ctx.Done():
	}
	cut(errStopping)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close() // somebody does not read; they are told by the reset
	}
	<-served
	return nil
}

// localOnly refuses what a browser could be made to send to a local service:
// requests from a page, and requests to a name that somebody else may own.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != clientHost && r.Host != "localhost":
			writeProblem(w, forbidden("over the socket, ask for host "+clientHost+" or localhost",
				fmt.Sprintf("host %q is not this API's", r.Host)))
		case r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Sec-Fetch-Site") != "":
			writeProblem(w, forbidden("", "requests from web pages are not answered here"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// clientHost is the Host that our client sends; there is nothing to resolve.
const clientHost = "bluegreen"
