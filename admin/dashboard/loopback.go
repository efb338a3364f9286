package dashboard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

const (
	// sweepEvery is how often the server looks whether anybody is left on loopback.
	sweepEvery = 15 * time.Second

	// loopbackLimit is how many connections it takes there at a time: other
	// users of the machine must not use up the edge's files.
	loopbackLimit = 128
)

// Open returns a link to the dashboard that is good once, within a minute, on
// this machine or through a tunnel to it. Whoever opens it acts as the actor,
// with the scope.
func (s *Server) Open(actor switcher.Actor, scope admin.Scope, app string) (admin.DashboardLink, error) {
	if app != "" && s.find(app) == nil {
		return admin.DashboardLink{}, &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("there is no app %q", app)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.listen(); err != nil {
		return admin.DashboardLink{}, err
	}
	key, expires := s.sessions.invite(session{actor: actor, scope: scope, app: app, at: s.loopback})
	address := s.listening.Addr().String()
	return admin.DashboardLink{URL: "http://" + address + "/open?key=" + key, Address: address, Expires: expires}, nil
}

// listen opens the listener on loopback unless it is open. Called with s.mu
// held.
func (s *Server) listen() error {
	if s.listening != nil {
		return nil
	}
	if s.life == nil || s.life.Err() != nil {
		return &switcher.Error{Code: switcher.CodeUnreachable, What: "the edge is starting or stopping", Hint: "try again in a moment"}
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening the dashboard on loopback: %w", err)
	}
	ln = netutil.LimitListener(ln, loopbackLimit)
	s.listening = ln
	s.running.Go(func() error { return s.loopback.serve(s.life, ln) })
	s.log.Info("dashboard: open on loopback", "address", ln.Addr())
	return nil
}

// closeWhenLeft closes the listener on loopback when nobody has a session
// there any more.
func (s *Server) closeWhenLeft(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.closeIfLeft()
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) closeIfLeft() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening == nil || s.sessions.anybody(s.loopback) {
		return
	}
	_ = s.listening.Close()
	s.listening = nil
	s.log.Info("dashboard: closed on loopback, nobody is signed in there")
}

func (s *Server) find(name string) *switcher.App {
	for _, app := range s.options.Apps() {
		if app.Name() == name {
			return app
		}
	}
	return nil
}

// exchange trades the key of a link for a session, and leads on to an address
// without it. Who only looks ahead, or asks for no more than the header, does
// not use the key up.
func (e *entrance) exchange(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") {
		e.server.fail(w, r, http.StatusForbidden, "error.link")
		return
	}
	who, good := e.server.sessions.redeem(r.URL.Query().Get("key"))
	if !good {
		e.server.fail(w, r, http.StatusForbidden, "error.link")
		return
	}
	e.begin(w, r, who)
	e.server.log.Info("dashboard: session begun on loopback", "actor", who.actor, "scope", who.scope.String())
	target := "/"
	if who.app != "" {
		target = "/apps/" + url.PathEscape(who.app)
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// turnAway shows somebody without a session how to get one.
func (e *entrance) turnAway(w http.ResponseWriter, r *http.Request) {
	switch {
	case fromElsewhere(r):
		words := e.server.speak(r)
		f := e.server.frame(words, words.t("entering"))
		f.Again = true
		e.server.show(w, words, http.StatusOK, "message", message{f, "", ""})
	case r.Header.Get(headerLive) != "":
		http.Error(w, "sign in again", http.StatusUnauthorized)
	case e.door == nil:
		e.server.fail(w, r, http.StatusUnauthorized, "error.session")
	case r.Method == http.MethodGet:
		http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	}
}

// fromElsewhere reports whether a page was opened from another site. The browser
// then sends no cookie (SameSite=Strict), but does so when our own page asks
// for the same once more.
func fromElsewhere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && (site == "cross-site" || site == "same-site")
}
