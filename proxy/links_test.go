package proxy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func linkKey(t *testing.T) *LinkKey {
	t.Helper()
	k, err := NewLinkKey(bytes.Repeat([]byte{7}, LinkKeySize), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, l *Links, host string, valid time.Duration) string {
	t.Helper()
	token, err := l.Sign(host, time.Now().Add(valid))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// echoes answers with what a backend gets to see of links.
func echoes(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.URL.RequestURI()+"|"+strings.Join(r.Header["Cookie"], "|"))
}

// invite makes the edge's host one that only signed links open.
func (e *edge) invite(b *Backend, links *Links) {
	route := e.route(b, "blue")
	route.Policy = Policy{Links: links, Signed: true}
	e.service.Set(route)
}

func TestALinkIsExchangedForACookieThatLetsIn(t *testing.T) {
	backend := startBackend(t, echoes)
	e := startEdge(t, backend)
	links := linkKey(t).Links("chat")
	e.invite(backend, links)
	token := sign(t, links, appHost, time.Hour)
	for _, h2 := range []bool{false, true} {
		if response, _ := e.get(h2, "https://"+appHost+"/"); response.StatusCode != http.StatusForbidden {
			t.Fatalf("without a link: %s", response.Status)
		}
		response, _ := e.get(h2, "https://"+appHost+"//evil.test/a%20b?x=1;y&bluegreen_link="+token+"&z=%zz")
		h := response.Header
		if response.StatusCode != http.StatusSeeOther || h.Get("Location") != "https://"+appHost+"//evil.test/a%20b?x=1;y&z=%zz" {
			t.Fatalf("the link leads to %s: %s", h.Get("Location"), response.Status)
		}
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("the redirect says %v", h)
		}
		cookie := response.Cookies()[0]
		if cookie.Name != LinkCookie || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode ||
			cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge < 3590 || cookie.MaxAge > 3600 {
			t.Errorf("the cookie is %+v", cookie)
		}
		response, body := e.get(h2, "https://"+appHost+"/?q", "Cookie", `a="1"; `+LinkCookie+"="+cookie.Value+"; b=2 3")
		if response.StatusCode != http.StatusOK || body != `/?q|a="1"; b=2 3` {
			t.Errorf("with the cookie: %s, the backend sees %q", response.Status, body)
		}
	}
}

func TestWhatIsNotALinkForTheHostOpensNothing(t *testing.T) {
	backend := startBackend(t, echoes)
	e := startEdge(t, backend)
	key := linkKey(t)
	links := key.Links("chat")
	e.invite(backend, links)
	good := sign(t, links, appHost, time.Hour)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int) string {
		c := bytes.Clone(raw)
		c[at] ^= 1
		return base64.RawURLEncoding.EncodeToString(c)
	}
	otherKey, err := NewLinkKey(bytes.Repeat([]byte{8}, LinkKeySize), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"expired":         sign(t, links, appHost, -time.Second),
		"another host's":  sign(t, links, otherHost, time.Hour),
		"another app's":   sign(t, key.Links("other"), appHost, time.Hour),
		"another key's":   sign(t, otherKey.Links("chat"), appHost, time.Hour),
		"a later expiry":  changed(8),
		"another nonce":   changed(12),
		"another mac":     changed(30),
		"another version": changed(0),
		"a cookie":        links.seal(inCookie, appHost, time.Now().Add(time.Hour).Unix()),
		"cut":             good[:len(good)-1],
		"longer":          good + "A",
		"nothing":         "",
	} {
		if response, _ := e.get(false, "https://"+appHost+"/?bluegreen_link="+token); response.StatusCode != http.StatusForbidden || len(response.Cookies()) > 0 {
			t.Errorf("%s: %s", name, response.Status)
		}
		if name == "a cookie" {
			token = good // a link is no cookie either
		}
		if response, _ := e.get(false, "https://"+appHost+"/", "Cookie", LinkCookie+"="+token); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s as a cookie: %s", name, response.Status)
		}
	}
	for i := range raw {
		if _, ok := links.open(inLink, appHost, changed(i), time.Now()); ok {
			t.Errorf("a link with byte %d changed is accepted", i)
		}
	}
}

func TestACookieEndsWithItsLink(t *testing.T) {
	links := linkKey(t).Links("chat")
	expires := time.Unix(1_800_000_000, 0)
	cookie := links.seal(inCookie, appHost, expires.Unix())
	if _, ok := links.open(inCookie, appHost, cookie, expires.Add(-time.Nanosecond)); !ok {
		t.Error("refused before its end")
	}
	if _, ok := links.open(inCookie, appHost, cookie, expires); ok {
		t.Error("accepted at its end")
	}
}

func TestALinkCountsForTheRequestWhereARedirectWouldLoseSomething(t *testing.T) {
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			echoes(w, r)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte(r.URL.RequestURI()+"|"+r.Header.Get("Cookie")))
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	e := startEdge(t, backend)
	links := linkKey(t).Links("chat")
	e.invite(backend, links)
	token := sign(t, links, appHost, time.Hour)

	response, body := e.do(true, http.MethodPost, "https://"+appHost+"/?a&bluegreen_link="+token, strings.NewReader("x"))
	if response.StatusCode != http.StatusOK || body != "/?a|" {
		t.Errorf("POST: %s %q", response.Status, body)
	}
	cookie := LinkCookie + "=" + links.seal(inCookie, appHost, time.Now().Add(time.Hour).Unix())
	for _, c := range []struct{ query, cookie, seen string }{
		{"?a&bluegreen_link=" + token, "b=1", "/?a|b=1"},
		{"?a", "b=1; " + cookie, "/?a|b=1"},
	} {
		ws, _, err := websocket.Dial(t.Context(), "https://"+appHost+"/"+c.query, &websocket.DialOptions{
			HTTPClient: e.client(false), HTTPHeader: http.Header{"Cookie": {c.cookie}},
		})
		if err != nil {
			t.Fatalf("%s: %v", c.seen, err)
		}
		if _, seen, err := ws.Read(t.Context()); err != nil || string(seen) != c.seen {
			t.Errorf("the backend sees %q, not %q: %v", seen, c.seen, err)
		}
		_ = ws.CloseNow()
	}
}

// A link that is of no use where it is opened is nothing for a backend either.
func TestLinksReachNoBackend(t *testing.T) {
	backend := startBackend(t, echoes)
	e := startEdge(t, backend)
	links := linkKey(t).Links("chat")
	route := e.route(backend, "blue")
	route.Policy.Links = links
	e.service.Set(route)
	cookie := LinkCookie + "=" + links.seal(inCookie, appHost, 1)
	_, body := e.get(true, "https://"+appHost+"/p?bluegreen_link=x&a&bluegreen_link=y", "Cookie", cookie, "Cookie", "a=1", "Cookie", cookie+"; "+cookie)
	if body != "/p?a|a=1" {
		t.Errorf("the backend sees %q", body)
	}
	// Before the first link there is nothing to look for.
	unused, err := NewLinkKey(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	route = e.route(backend, "blue")
	route.Policy.Links = unused.Links("chat")
	e.service.Set(route)
	if _, body := e.get(false, "https://"+appHost+"/p?bluegreen_link=x", "Cookie", cookie); body != "/p?bluegreen_link=x|"+cookie {
		t.Errorf("the backend sees %q", body)
	}
}

func TestTheKeyIsMadeWithTheFirstLink(t *testing.T) {
	made, failing := 0, true
	key, err := NewLinkKey(nil, func() ([]byte, error) {
		if failing {
			return nil, errors.New("disk full")
		}
		made++
		return bytes.Repeat([]byte{1}, LinkKeySize), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	links := key.Links("chat")
	if _, err := links.Sign(appHost, time.Now()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("without a key: %v", err)
	}
	failing = false
	token := sign(t, links, appHost, time.Hour)
	sign(t, key.Links("other"), appHost, time.Hour)
	if _, ok := links.open(inLink, appHost, token, time.Now()); !ok || made != 1 {
		t.Errorf("valid %t, made %d times", ok, made)
	}
	if _, err := NewLinkKey([]byte("short"), nil); err == nil {
		t.Error("a short key is accepted")
	}
}

func TestCookiesAreCutOutByteForByte(t *testing.T) {
	const n = LinkCookie
	for line, want := range map[string][2]string{
		n + "=v":                     {"v", ""},
		"a=1; " + n + "=v":           {"v", "a=1"},
		n + "=v; a=1":                {"v", "a=1"},
		"a=1;" + n + "=v;b=2":        {"v", "a=1;b=2"},
		"a=1;  " + n + " = v ;  b=2": {"v", "a=1;  b=2"},
		"a=" + n + "=v; " + n + "=w": {"w", "a=" + n + "=v"},
		"x" + n + "=v; b":            {"", "x" + n + "=v; b"},
		n + "x=v":                    {"", n + "x=v"},
		"a=" + n:                     {"", "a=" + n},
		"; ;" + n + "=v;;":           {"v", "; ;;"},
	} {
		value, rest, found := cutCookie(line, n)
		if value != want[0] || rest != want[1] || found != (want[0] != "") {
			t.Errorf("%q: %q, %q, %t", line, value, rest, found)
		}
	}
}

// What a backend makes of the cookies is the same with the invitation cut out
// of them, and there is no invitation in it.
func FuzzCookiesAreCutOut(f *testing.F) {
	for _, seed := range []string{"", "a=1; " + LinkCookie + "=v; b", LinkCookie + "=;;" + LinkCookie + " = x", "a=\"" + LinkCookie + "=\t;\x00", LinkCookie + LinkCookie + "="} {
		f.Add(seed, "c=d")
	}
	cookies := func(lines []string, invitations bool) (kept []string) {
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ";") {
				part = strings.Trim(part, " \t")
				name, _, has := strings.Cut(part, "=")
				if part != "" && (invitations || !has || strings.Trim(name, " \t") != LinkCookie) {
					kept = append(kept, part)
				}
			}
		}
		return kept
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		want := cookies([]string{first, second}, false)
		h := http.Header{"Cookie": {first, second}}
		dropInvitation(h)
		if got := cookies(h["Cookie"], true); !slices.Equal(got, want) {
			t.Errorf("of %q and %q there remains %q, not %q", first, second, got, want)
		}
	})
}

func FuzzLinksAreCutOutOfQueries(f *testing.F) {
	for _, seed := range []string{"", "bluegreen_link=x", "a&bluegreen_link&&bluegreen_link=y&b=bluegreen_link", "%zz;bluegreen_link=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		_, rest, found := cutParameter(query, LinkParameter)
		var want []string
		for _, part := range strings.Split(query, "&") {
			if name, _, _ := strings.Cut(part, "="); name != LinkParameter {
				want = append(want, part)
			}
		}
		if rest != strings.Join(want, "&") || found != (len(want) != strings.Count(query, "&")+1) {
			t.Errorf("of %q there remains %q, found %t", query, rest, found)
		}
	})
}
