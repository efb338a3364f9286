package dashboard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/admin"
)

// withDoor serves at example.com, which the certificate of httptest names.
func withDoor(t *testing.T) (s *site, v *visitor) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	borrowed := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(borrowed.Close)
	s = start(t, func(o *Options) {
		o.Door = &Door{
			Listener: ln, Host: "example.com", TLS: &tls.Config{Certificates: borrowed.TLS.Certificates},
			Scopes: map[string]admin.Scope{"maria": admin.ScopeOperate, "jose": admin.ScopeRead},
			Check: func(_ context.Context, _ netip.Addr, user, password string) error {
				switch password {
				case "secret of " + user:
					return nil
				case "again":
					return ErrTooMany
				case "crowd":
					return ErrCrowd
				}
				return ErrPassword
			},
		}
	})
	v = newVisitor(t, "https://example.com")
	roots := x509.NewCertPool()
	roots.AddCert(borrowed.Certificate())
	transport := v.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
	}
	return s, v
}

func credentials(user, password, next string) url.Values {
	return url.Values{"user": {user}, "password": {password}, "next": {next}}
}

func TestSignInOpensASession(t *testing.T) {
	s, v := withDoor(t)
	s.Deploy(t, "one")
	answer, _ := v.get("/apps/chat?range=1h")
	if where := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || where != "/sign-in?next=%2Fapps%2Fchat%3Frange%3D1h" {
		t.Fatalf("answered %s to %q", answer.Status, where)
	}
	if answer, text := v.get("/sign-in"); answer.StatusCode != http.StatusOK || strings.Contains(text, "chat") {
		t.Errorf("the form is answered %s, or tells of the app", answer.Status)
	}
	answer, _ = v.post("/sign-in", credentials("maria", "secret of maria", "/apps/chat?range=1h"))
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/apps/chat?range=1h" {
		t.Fatalf("signing in is answered %s", answer.Status)
	}
	cookie := answer.Cookies()[0]
	if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Domain != "" {
		t.Errorf("the session's cookie is %v", cookie)
	}
	if answer, text := v.get("/apps/chat"); answer.StatusCode != http.StatusOK || !strings.Contains(text, "<strong>maria</strong>") {
		t.Errorf("inside: %s", answer.Status)
	}
	if answer.Header.Get("Strict-Transport-Security") == "" {
		t.Error("the browser is not told to come back by TLS only")
	}
	v.post("/sign-out", nil)
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %s", answer.Status)
	}
}

// What is told of a failure says nothing of who exists.
func TestFailedSignInTellsNothing(t *testing.T) {
	_, v := withDoor(t)
	known, knownText := v.post("/sign-in", credentials("maria", "guess", "/"))
	unknown, unknownText := v.post("/sign-in", credentials("mario", "guess", "/"))
	if known.StatusCode != http.StatusForbidden || unknown.StatusCode != http.StatusForbidden ||
		strings.ReplaceAll(knownText, "maria", "") != strings.ReplaceAll(unknownText, "mario", "") {
		t.Errorf("a known user is answered %s, an unknown one %s, or with other words", known.Status, unknown.Status)
	}
	if strings.Contains(knownText, "guess") || len(known.Cookies()) > 0 {
		t.Error("the answer repeats the password or opens a session")
	}
	for password, status := range map[string]int{"again": http.StatusTooManyRequests, "crowd": http.StatusServiceUnavailable} {
		if answer, _ := v.post("/sign-in", credentials("maria", password, "/")); answer.StatusCode != status {
			t.Errorf("answered %s, want %d", answer.Status, status)
		}
	}
	if answer, _ := v.post("/sign-in", credentials("maria", "secret of maria", "/"), "Sec-Fetch-Site", "cross-site"); answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
		t.Errorf("signed in by another site: %s", answer.Status)
	}
	if answer, _ := v.get("/healthz"); answer.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", answer.Status)
	}
	for _, path := range []string{"/v1/apps", "/open?key=x"} { // neither the API nor links are here
		if answer, _ := v.get(path); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	if answer, _ := v.get("/sign-in", "Host", "127.0.0.1"); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host: %s", answer.Status)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	_, v := withDoor(t)
	for next, want := range map[string]string{
		"/apps/chat": "/apps/chat", "": "/", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/", "/\t/evil.example": "/",
		"javascript:alert(1)": "/",
	} {
		answer, _ := v.post("/sign-in", credentials("maria", "secret of maria", next))
		if got := answer.Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

// A cookie of one entrance is worth nothing at the other.
func TestSessionsStayAtTheirEntrance(t *testing.T) {
	s, v := withDoor(t)
	answer, _ := v.post("/sign-in", credentials("maria", "secret of maria", "/"))
	stolen := answer.Cookies()[0].Value
	loop := newVisitor(t, "http://"+s.link(t, "jose@host", admin.ScopeRead).Address)
	for _, name := range []string{"bluegreen", "__Host-bluegreen"} {
		if answer, _ := loop.get("/apps/chat", "Cookie", name+"="+stolen); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("as %s it is answered %s", name, answer.Status)
		}
	}
}
