package dashboard

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// signInPage asks for a user and a password.
type signInPage struct {
	frame
	Next    string
	User    string
	Problem string
}

func (e *entrance) showSignIn(w http.ResponseWriter, r *http.Request) {
	if _, known := e.session(r); known {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	words := e.server.speak(r)
	e.server.show(w, words, http.StatusOK, "sign-in", signInPage{
		frame: e.server.frame(words, words.t("signin.title")), Next: local(r.URL.Query().Get("next")),
	})
}

// signIn opens a session for who knows a password. What is told of a failure
// is the same for a user whom nobody knows.
func (e *entrance) signIn(w http.ResponseWriter, r *http.Request) {
	words := e.server.speak(r)
	user, password := r.PostFormValue("user"), r.PostFormValue("password")
	client := clientOf(r)
	err := e.door.Check(r.Context(), client, user, password)
	scope, known := e.door.Scopes[user]
	if err == nil && known {
		e.begin(w, r, session{actor: switcher.Actor(user), scope: scope})
		e.server.log.Info("dashboard: signed in", "actor", user, "scope", scope.String(), "client", client)
		http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther)
		return
	}
	status, key := http.StatusForbidden, "signin.wrong"
	switch {
	case errors.Is(err, ErrTooMany):
		status, key = http.StatusTooManyRequests, "signin.toomany"
	case errors.Is(err, ErrCrowd):
		status, key = http.StatusServiceUnavailable, "signin.busy"
	}
	e.server.log.Warn("dashboard: nobody signed in", "client", client, "reason", key)
	e.server.show(w, words, status, "sign-in", signInPage{
		frame: e.server.frame(words, words.t("signin.title")), Next: local(r.PostFormValue("next")), User: user, Problem: words.t(key),
	})
}

func clientOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// local is a path of this server, whatever was asked for.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
