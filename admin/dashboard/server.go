package dashboard

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/switcher"
)

// Server answers the pages.
type Server struct {
	options   Options
	log       *slog.Logger
	pages     map[string]*template.Template // by language
	assets    assets
	sessions  sessions
	loopback  *entrance
	signed    *entrance // nil: there is no Door
	mu        sync.Mutex
	listening net.Listener // on loopback; nil: not now
	running   *errgroup.Group
	life      context.Context // nil before Run
}

// New returns a Server that serves nothing yet.
func New(o Options) *Server {
	s := &Server{options: o, log: o.Logger, assets: loadAssets()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pages = parsePages(s.assets)
	// Cookies know no ports: by its name those of two servers that are open
	// through tunnels do not replace each other.
	s.loopback = &entrance{server: s, cookie: "bluegreen-" + rand.Text()[:8]}
	if o.Door != nil {
		s.signed = &entrance{server: s, cookie: "__Host-bluegreen", door: o.Door}
	}
	return s
}

// Run serves until ctx ends: the Door's listener all the time, the one on
// loopback from Open on for as long as somebody has a session there.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	s.mu.Lock()
	s.running, s.life = group, ctx
	s.mu.Unlock()
	if s.signed != nil {
		group.Go(func() error { return s.signed.serve(ctx, s.options.Door.Listener) })
	}
	group.Go(func() error { return s.closeWhenLeft(ctx) })
	err := group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// entrance is one way in, with the cookie of its sessions.
type entrance struct {
	server *Server
	cookie string
	door   *Door // nil: loopback, by a one-time link
}

func (e *entrance) serve(ctx context.Context, ln net.Listener) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	server := &http.Server{
		Handler:           e.handler(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(e.server.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if e.door != nil {
			server.TLSConfig = e.door.TLS
			served <- server.ServeTLS(ln, "", "")
			return
		}
		served <- server.Serve(ln)
	}()
	select {
	case err := <-served:
		if errors.Is(err, net.ErrClosed) { // by closeWhenLeft
			return nil
		}
		return fmt.Errorf("serving the dashboard: %w", err)
	case <-ctx.Done():
	}
	cut(errors.New("the edge is stopping"))
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(patience) != nil {
		_ = server.Close()
	}
	<-served
	return nil
}

// policy forbids a page everything but our own files, forms and fetches.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// handler is everything that is answered at this entrance. Nothing is changed
// by a request from another site, by one for another host, or by a GET.
func (e *entrance) handler() http.Handler {
	protect := http.NewCrossOriginProtection()
	protect.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.server.fail(w, r, http.StatusForbidden, "error.origin")
	}))
	inside := protect.Handler(e.mux())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if e.door != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !e.answersFor(r.Host) {
			e.server.fail(w, r, http.StatusMisdirectedRequest, "error.host")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		inside.ServeHTTP(w, r)
	})
}

// answersFor refuses names that somebody else may own: by such a one a foreign
// page could read what is on this machine's loopback (DNS rebinding). The port
// is free, for a tunnel may have another.
func (e *entrance) answersFor(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if e.door != nil {
		return name == e.door.Host
	}
	return name == "127.0.0.1" || name == "localhost" || name == "[::1]" || name == "::1"
}

func (e *entrance) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("GET /assets/", e.server.assets)
	if e.door != nil {
		mux.HandleFunc("GET /sign-in", e.showSignIn)
		mux.HandleFunc("POST /sign-in", e.signIn)
	} else {
		mux.HandleFunc("GET /open", e.exchange)
	}
	mux.HandleFunc("POST /sign-out", e.signOut)
	mux.HandleFunc("GET /{$}", e.inside(e.server.showOverview))
	mux.HandleFunc("GET /live", e.inside(e.server.showOverview))
	mux.HandleFunc("GET /apps/{app}", e.inside(withApp(e.server.showApp)))
	mux.HandleFunc("GET /apps/{app}/live", e.inside(withApp(e.server.showApp)))
	mux.HandleFunc("GET /apps/{app}/{action}", e.inside(withApp(e.server.showPlan)))
	mux.HandleFunc("POST /apps/{app}/{action}", e.inside(withApp(e.server.act)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		e.server.fail(w, r, http.StatusNotFound, "error.missing")
	})
	return mux
}

// visit is one request by somebody who is known.
type visit struct {
	*entrance
	who   session
	words words
}

type page func(v *visit, w http.ResponseWriter, r *http.Request)

// inside lets in who has a session, and shows all others where to get one.
func (e *entrance) inside(next page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, known := e.session(r)
		if !known {
			e.turnAway(w, r)
			return
		}
		next(&visit{e, who, e.server.speak(r)}, w, r)
	}
}

func withApp(next func(v *visit, app *switcher.App, w http.ResponseWriter, r *http.Request)) page {
	return func(v *visit, w http.ResponseWriter, r *http.Request) {
		for _, app := range v.server.options.Apps() {
			if app.Name() == r.PathValue("app") {
				next(v, app, w, r)
				return
			}
		}
		v.server.fail(w, r, http.StatusNotFound, "error.missing")
	}
}

// show writes a page, whole or not at all.
func (s *Server) show(w http.ResponseWriter, words words, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages[words.Code()].ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("dashboard: a page cannot be shown", "page", name, "error", err)
		http.Error(w, "this page cannot be shown; the log of the edge says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", words.Code())
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser is gone
}

// message is a page that has only something to say.
type message struct {
	frame
	Text, Hint string
}

// fail shows an error to whoever asked. It tells nothing of the edge.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, key string) {
	words := s.speak(r)
	f := s.frame(words, words.t(key+".title"))
	s.show(w, words, status, "message", message{f, words.t(key), words.t(key + ".hint")})
}
