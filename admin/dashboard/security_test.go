package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestLinkOpensOnceAndKeepsItsKeyToItself(t *testing.T) {
	s := start(t)
	link := s.link(t, "maria@host", admin.ScopeOperate)
	path := strings.TrimPrefix(link.URL, "http://"+link.Address)
	v := newVisitor(t, "http://"+link.Address)

	if answer, _ := v.get(path, "Sec-Purpose", "prefetch"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a browser that looks ahead is answered %s", answer.Status)
	}
	answer, _ := v.get(path)
	if where := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || where != "/apps/chat" {
		t.Fatalf("answered %s to %q, want a redirect to the app without the key", answer.Status, where)
	}
	cookie := answer.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || len(cookie.Value) < 50 {
		t.Errorf("the session's cookie is %v", cookie)
	}
	if answer, text := v.get("/apps/chat"); answer.StatusCode != http.StatusOK || !strings.Contains(text, "maria@host") {
		t.Errorf("the page is answered %s", answer.Status)
	}
	for _, again := range []string{path, "/open?key=", "/open?key=guess", "/open"} {
		if answer, _ := newVisitor(t, v.base).get(again); answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
			t.Errorf("%s opens once more: %s", again, answer.Status)
		}
	}
}

func TestLinksAndSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sessions
		late, _ := s.invite(session{actor: "maria"})
		time.Sleep(linkFor)
		if _, good := s.redeem(late); good {
			t.Error("a link is good after a minute")
		}

		idle := s.begin(session{actor: "maria"})
		time.Sleep(idleFor - time.Second)
		if _, known := s.find(idle, false); !known {
			t.Fatal("a session ends before its time")
		}
		time.Sleep(time.Second)
		if _, known := s.find(idle, true); known {
			t.Error("a session is kept alive by a page that looks for news by itself")
		}

		busy := s.begin(session{actor: "maria"})
		for range 23 {
			time.Sleep(idleFor / 2)
			if _, known := s.find(busy, true); !known {
				t.Fatal("a session that is used ends")
			}
		}
		time.Sleep(idleFor / 2)
		if _, known := s.find(busy, true); known {
			t.Error("a session lasts longer than twelve hours")
		}
	})
}

// What the script asks by itself is no sign of somebody in front of the page.
func TestLookingForNewsKeepsNoSessionAlive(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeRead)
	used := func() (at time.Time) {
		s.server.sessions.mu.Lock()
		defer s.server.sessions.mu.Unlock()
		for _, who := range s.server.sessions.open {
			at = who.used
		}
		return at
	}
	began := used()
	if answer, _ := v.get("/apps/chat/live", headerLive, "1"); answer.StatusCode != http.StatusOK || !used().Equal(began) {
		t.Errorf("answered %s, used at %v, want still %v", answer.Status, used(), began)
	}
	if v.get("/apps/chat"); !used().After(began) {
		t.Error("opening a page does not count")
	}
}

func TestNobodyIsAnsweredWithoutASession(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	v := newVisitor(t, "http://"+s.link(t, "maria@host", admin.ScopeAdmin).Address)
	for _, path := range []string{"/", "/live", "/apps/chat", "/apps/chat/live", "/apps/chat/switch", "/apps/none"} {
		if answer, text := v.get(path); answer.StatusCode != http.StatusUnauthorized || strings.Contains(text, "one") {
			t.Errorf("%s is answered %s", path, answer.Status)
		}
	}
	if answer, _ := v.post("/apps/chat/cleanup", s.confirmation(switcher.KindCleanup)); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a POST is answered %s", answer.Status)
	}
	v = s.enter(t, "maria@host", admin.ScopeAdmin)
	v.post("/sign-out", nil)
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("after signing out a page is answered %s", answer.Status)
	}
}

// A foreign page can send requests to loopback, and by a name of its own
// (DNS rebinding) even read the answers.
func TestForeignPagesReachNothing(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	v := s.enter(t, "maria@host", admin.ScopeAdmin)
	form := s.confirmation(switcher.KindSwitch)
	for name, header := range map[string][]string{
		"another site":       {"Sec-Fetch-Site", "cross-site"},
		"another host":       {"Sec-Fetch-Site", "same-site"},
		"an old browser":     {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"no origin at all":   {"Sec-Fetch-Site", "", "Origin", "null"},
		"a name of its own":  {"Host", "evil.example"},
		"one with our ports": {"Host", "evil.example:" + v.base[strings.LastIndex(v.base, ":")+1:]},
	} {
		answer, text := v.post("/apps/chat/switch", form, header...)
		if answer.StatusCode != http.StatusForbidden && answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("a request of %s is answered %s", name, answer.Status)
		}
		if strings.Contains(text, "two") {
			t.Errorf("a request of %s is told of the app", name)
		}
	}
	if answer, _ := v.get("/apps/chat", "Host", "evil.example"); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a page for another host is answered %s", answer.Status)
	}
	for _, host := range []string{"localhost:1234", "127.0.0.1", "[::1]:80"} { // through a tunnel
		if answer, _ := v.get("/healthz", "Host", host); answer.StatusCode != http.StatusOK {
			t.Errorf("host %s is answered %s", host, answer.Status)
		}
	}
	if st := s.App.Status(); st.Active != switcher.Blue {
		t.Errorf("%s is active", st.Active)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeAdmin)
	for _, path := range []string{"/", "/apps/chat", "/apps/chat/live", "/apps/chat/switch", "/nothing", "/open?key=x", "/assets/style.css", "/assets/nothing", "/healthz"} {
		answer, text := v.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for _, inline := range []string{"<style", " style=", " onclick=", " onload=", "<script>"} {
			if strings.Contains(text, inline) {
				t.Errorf("%s has %q in it, which the policy forbids", path, inline)
			}
		}
	}
}

func TestGetChangesNothing(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	v := s.enter(t, "maria@host", admin.ScopeAdmin)
	before := s.App.Status().Generation
	for _, kind := range offered() {
		v.get("/apps/chat/" + string(kind) + "?" + s.confirmation(kind).Encode())
	}
	if answer, _ := v.get("/sign-out"); answer.StatusCode != http.StatusMethodNotAllowed && answer.StatusCode != http.StatusNotFound {
		t.Errorf("GET /sign-out is answered %s", answer.Status)
	}
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusOK {
		t.Errorf("a GET has ended the session")
	}
	if now := s.App.Status().Generation; now != before {
		t.Errorf("the state went from generation %d to %d", before, now)
	}
}

func TestScopeSaysWhatIsOffered(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	s.Deploy(t, "two") // by maria@host
	for _, c := range []struct {
		who    switcher.Actor
		scope  admin.Scope
		offers []switcher.Kind
	}{
		{"maria@host", admin.ScopeRead, nil},
		{"maria@host", admin.ScopeDeploy, []switcher.Kind{switcher.KindDiscard}},
		{"ci@host", admin.ScopeDeploy, nil},
		{"jose@host", admin.ScopeOperate, []switcher.Kind{switcher.KindSwitch, switcher.KindDiscard}},
	} {
		v := s.enter(t, c.who, c.scope)
		_, text := v.get("/apps/chat")
		for _, kind := range offered() {
			wanted := false
			for _, k := range c.offers {
				wanted = wanted || k == kind
			}
			if got := strings.Contains(text, fmt.Sprintf(`href="/apps/chat/%s"`, kind)); got != wanted {
				t.Errorf("%s with scope %s: %s is offered: %t", c.who, c.scope, kind, got)
			}
			if c.scope == admin.ScopeRead && strings.Contains(text, fmt.Sprintf(`id="do-%s"`, kind)) {
				t.Errorf("who may only look is shown the button %s", kind)
			}
			if wanted {
				continue
			}
			if answer, _ := v.post("/apps/chat/"+string(kind), s.confirmation(kind)); answer.StatusCode != http.StatusForbidden && answer.StatusCode != http.StatusConflict {
				t.Errorf("%s with scope %s: POST %s is answered %s", c.who, c.scope, kind, answer.Status)
			}
		}
	}
	v := s.enter(t, "maria@host", admin.ScopeRead)
	for _, kind := range offered() {
		if answer, _ := v.post("/apps/chat/"+string(kind), s.confirmation(kind)); answer.StatusCode != http.StatusForbidden {
			t.Errorf("who may only look: %s is answered %s, want 403", kind, answer.Status)
		}
	}
	if st := s.App.Status(); st.Active != switcher.Blue || st.Phase != switcher.PhaseTesting {
		t.Errorf("%s is active in phase %s", st.Active, st.Phase)
	}
}

// What a backend or a deploy brings in is text, and never part of the page.
func TestHostileTextIsText(t *testing.T) {
	const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	s := start(t, func(o *Options) {
		o.Lines = func(context.Context, string, switcher.Colour, int) ([]Line, error) {
			return []Line{{Stream: "stdout", Text: hostile}}, fmt.Errorf("reading: %s", hostile)
		}
		o.Certificates = func(string) []admin.Certificate {
			return []admin.Certificate{{Host: hostile, Issuer: hostile, Error: hostile}}
		}
	})
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	s.Switch(t)
	op, err := s.App.Rollback(hostile, switcher.RollbackRequest{Reason: hostile})
	if err == nil {
		err = op.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	v := s.enter(t, hostile, admin.ScopeAdmin)
	for _, path := range []string{"/apps/chat", "/apps/chat/live?operation=" + url.QueryEscape(op.ID), "/apps/chat/switch", "/apps/chat/discard"} {
		_, text := v.get(path)
		if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") {
			t.Errorf("%s holds it as markup", path)
		}
		if !strings.Contains(text, "&lt;script&gt;") {
			t.Errorf("%s does not show it at all", path)
		}
	}
}

func TestLoopbackClosesWhenNobodyIsLeft(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeRead)
	s.server.closeIfLeft()
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusOK {
		t.Fatalf("closed under somebody's feet: %s", answer.Status)
	}
	v.post("/sign-out", nil)
	s.server.closeIfLeft()
	if _, err := http.Get(v.base + "/healthz"); err == nil {
		t.Error("the listener is open although nobody is signed in")
	}
	v = s.enter(t, "maria@host", admin.ScopeRead)
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusOK {
		t.Errorf("it does not open again: %s", answer.Status)
	}
}

func TestLookingAheadDoesNotUseALinkUp(t *testing.T) {
	s := start(t)
	link := s.link(t, "maria@host", admin.ScopeRead)
	path := strings.TrimPrefix(link.URL, "http://"+link.Address)
	v := newVisitor(t, "http://"+link.Address)
	if answer, _ := v.ask(http.MethodHead, path, ""); answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
		t.Errorf("HEAD is answered %s", answer.Status)
	}
	if answer, _ := v.get(path); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("the link is used up: %s", answer.Status)
	}
}

// Two servers may be open in one browser, through two tunnels to the same
// loopback.
func TestSessionsOfTwoServersStandBesideEachOther(t *testing.T) {
	one, other := start(t), start(t)
	v := one.enter(t, "maria@host", admin.ScopeRead)
	link := other.link(t, "maria@host", admin.ScopeRead)
	if answer, _ := (&visitor{t, "http://" + link.Address, v.client}).get(strings.TrimPrefix(link.URL, "http://"+link.Address)); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("opening the other server's link: %s", answer.Status)
	}
	if answer, _ := v.get("/apps/chat"); answer.StatusCode != http.StatusOK {
		t.Errorf("the first server's session has ended: %s", answer.Status)
	}
}

func TestANewSessionEndsTheOneBefore(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeRead)
	link := s.link(t, "maria@host", admin.ScopeOperate)
	v.get(strings.TrimPrefix(link.URL, v.base))
	s.server.sessions.mu.Lock()
	defer s.server.sessions.mu.Unlock()
	if n := len(s.server.sessions.open); n != 1 {
		t.Errorf("%d sessions are open", n)
	}
}

// From a link on another site the browser sends no cookie; our own page asks
// once more, and tells nothing before.
func TestALinkFromElsewhereLeadsInOnceTheBrowserSendsItsCookie(t *testing.T) {
	s := start(t)
	v := newVisitor(t, "http://"+s.link(t, "maria@host", admin.ScopeRead).Address)
	answer, text := v.get("/apps/chat", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if answer.StatusCode != http.StatusOK || !strings.Contains(text, `http-equiv="refresh"`) || strings.Contains(text, "slot-blue") {
		t.Errorf("answered %s\n%s", answer.Status, text)
	}
	if answer, _ := v.get("/apps/chat", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("asked once more by who has no session: %s", answer.Status)
	}
}
