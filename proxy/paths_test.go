package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"
)

// tells answers with its name and the request target it got.
func tells(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %s", name, r.RequestURI, r.Header.Get("X-Forwarded-Prefix"))
	}
}

// led returns an edge whose slot tells "slot" and whose path routes lead to
// backends that tell their path.
func led(t *testing.T, strip bool, paths ...string) *edge {
	t.Helper()
	var options []PathOptions
	for _, path := range paths {
		options = append(options, PathOptions{Path: path, Strip: strip, Backend: startBackend(t, tells(path))})
	}
	e := startEdge(t, startBackend(t, tells("slot")))
	e.under(func(p *Policy) { p.Paths = NewPaths(options) })
	return e
}

func TestLongestPathThatHoldsTheRequestGetsIt(t *testing.T) {
	e := led(t, false, "/app", "/app/deep/", "/events/", "/events/in")
	for uri, want := range map[string]string{
		"/":                 "slot / ",
		"/app":              "/app /app ",
		"/app?x=1;y":        "/app /app?x=1;y ",
		"/app/":             "/app /app/ ",
		"/app/a%2Fb":        "/app /app/a%2Fb ",
		"/app//x":           "/app /app//x ",
		"/app/./x":          "/app /app/./x ",
		"/%61pp/x":          "/app /%61pp/x ",
		"/application":      "slot /application ",
		"/App":              "slot /App ",
		"/app/deep/x":       "/app/deep/ /app/deep/x ",
		"/app/deeper":       "/app /app/deeper ",
		"/events/":          "/events/ /events/ ",
		"/events/x":         "/events/ /events/x ",
		"/events/in":        "/events/in /events/in ",
		"/events/inner":     "/events/ /events/inner ",
		"//double":          "slot //double ",
		"/a%2Fb/..;/x/../y": "slot /a%2Fb/..;/x/../y ",
	} {
		c := e.dial(appHost)
		c.send("GET "+uri+" HTTP/1.1", "Host: "+appHost, "")
		if response, body := c.response(); response.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", uri, response.StatusCode, body, want)
		}
	}
}

func TestPathWithoutItsSlashIsRedirected(t *testing.T) {
	e := led(t, false, "/events/", "/both/", "/both")
	response, _ := e.get(true, "https://"+appHost+"/events?a=x;y")
	if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != "/events/?a=x;y" {
		t.Errorf("%d to %q", response.StatusCode, response.Header.Get("Location"))
	}
	if response, body := e.get(true, "https://"+appHost+"/both"); response.StatusCode != 200 || body != "/both /both " {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

// What one reader takes for the path of one place and another for that of
// another is served by neither.
func TestPathWithTwoReadingsIsRefused(t *testing.T) {
	e := led(t, true, "/app/", "/x/")
	for _, uri := range []string{
		"/app/../secret", "/app/%2e%2e/secret", "/app/%2E./secret", "/app/..%2fsecret", "/app/..%5Csecret", `/app/..\secret`, "/app/..;v=1/secret",
		"//app/x", "/./app/x", "/y/../app/x", "/y/%2e%2e/app/x", "/app%2Fx", "/app;v=1/x", "/%2e/app/x", "/app/../x/y", "/.%2fapp/x", "/app/..",
	} {
		c := e.dial(appHost)
		c.send("GET "+uri+" HTTP/1.1", "Host: "+appHost, "")
		if response, body := c.response(); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %q", uri, response.StatusCode, body)
		}
	}
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	for _, o := range e.recorder.requests {
		if o.Failure != FailureAmbiguous {
			t.Errorf("recorded %+v", o)
		}
	}
}

func TestStrippedPathKeepsTheRestAsItWas(t *testing.T) {
	e := led(t, true, "/app/", "/one/two")
	for uri, want := range map[string]string{
		"/app/":             "/app/ / /app",
		"/app/a%2Fb/?q=%41": "/app/ /a%2Fb/?q=%41 /app",
		"/%61pp/x":          "/app/ /x /app",
		"/app//x":           "/app/ //x /app",
		"/one/two":          "/one/two / /one/two",
		"/one/two?x":        "/one/two /?x /one/two",
		"/one/two/three/":   "/one/two /three/ /one/two",
	} {
		c := e.dial(appHost)
		c.send("GET "+uri+" HTTP/1.1", "Host: "+appHost, "X-Forwarded-Prefix: /forged", "")
		if response, body := c.response(); response.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", uri, response.StatusCode, body, want)
		}
	}
}

func TestPathCanLeadBackToTheSlot(t *testing.T) {
	e := startEdge(t, startBackend(t, tells("slot")))
	e.under(func(p *Policy) {
		p.Paths = NewPaths([]PathOptions{{Path: "/", Backend: startBackend(t, tells("front"))}, {Path: "/api/"}})
	})
	for uri, want := range map[string]string{"/": "front / ", "/x": "front /x ", "/api/x": "slot /api/x "} {
		if _, body := e.get(true, "https://"+appHost+uri); body != want {
			t.Errorf("%s: %q, want %q", uri, body, want)
		}
	}
	// Probes ask the release, whatever is in front of it.
	if _, body := e.get(true, "https://"+appHost+"/health", ProbeHeader, secret); body != "slot /health " {
		t.Errorf("a probe was answered %q", body)
	}
}

// Invariant 5 is about the slot: what a path serves must not hold it up, and
// must not be cut with it.
func TestDrainOfTheSlotNeitherWaitsForPathsNorCutsThem(t *testing.T) {
	began, proceed := make(chan struct{}, 2), make(chan struct{})
	front := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echo(nil, nil)(w, r)
			return
		}
		began <- struct{}{}
		<-proceed
		_, _ = io.WriteString(w, "whole")
	})
	slot := startBackend(t, says("slot"))
	e := startEdge(t, slot)
	e.under(func(p *Policy) { p.Paths = NewPaths([]PathOptions{{Path: "/app/", Backend: front}}) })
	socket, _, err := websocket.Dial(t.Context(), "wss://"+appHost+"/app/ws", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	answer := make(chan string, 1)
	go func() {
		_, body := e.get(true, "https://"+appHost+"/app/slow")
		answer <- body
	}()
	receive(t, "the front end is asked", began)
	if slot.InFlight() != 0 || slot.Upgraded() != 0 || front.InFlight() != 1 || front.Upgraded() != 1 {
		t.Errorf("slot %d and %d, front %d and %d in flight", slot.InFlight(), slot.Upgraded(), front.InFlight(), front.Upgraded())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if result, err := slot.Drain(ctx, DrainLimits{Requests: time.Millisecond, Upgraded: time.Millisecond}); err != nil || result.Requests+result.Upgraded != 0 {
		t.Errorf("drain: %+v, %v", result, err)
	}
	close(proceed)
	if body := receive(t, "the front end answers", answer); body != "whole" {
		t.Errorf("got %q", body)
	}
	exchange(t, socket, []byte("still here"))
	_ = socket.Close(websocket.StatusNormalClosure, "")
	eventually(t, "nothing is in flight", func() bool { return front.InFlight() == 0 && front.Upgraded() == 0 })
}

func TestPathIsServedWhileTheSlotIsEmpty(t *testing.T) {
	e := startEdge(t, nil)
	e.under(func(p *Policy) {
		p.Paths = NewPaths([]PathOptions{{Path: "/app/", Backend: startBackend(t, tells("front"))}})
	})
	if response, _ := e.get(false, "https://"+appHost+"/app/"); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != 503 {
		t.Errorf("the slot: %d", response.StatusCode)
	}
}

func TestFailureOfAPathIsToldApartFromTheRelease(t *testing.T) {
	e := startEdge(t, startBackend(t, says("slot")))
	e.under(func(p *Policy) {
		p.Paths = NewPaths([]PathOptions{{Path: "/app/", Backend: backendAt(t, refusing(t))}})
	})
	if response, _ := e.get(false, "https://"+appHost+"/app/"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", response.StatusCode)
	}
	if o := e.recorder.only(t); o.Failure != FailureDial || o.Path != "/app/" {
		t.Errorf("recorded %+v", o)
	}
}

func TestAccessHoldsForPathsToo(t *testing.T) {
	e := startEdge(t, nil)
	e.service.Set(&Route{Policy: Policy{Paths: NewPaths([]PathOptions{
		{Path: "/app/", Backend: startBackend(t, func(http.ResponseWriter, *http.Request) { t.Error("the front end was asked") })},
		{Path: "/files/", Static: fstest.MapFS{"index.html": {Data: []byte("x")}}},
	})}})
	for _, uri := range []string{"/app/", "/files/"} {
		if response, _ := e.get(false, "https://"+appHost+uri); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", uri, response.StatusCode)
		}
	}
}

// Whatever path is found for a request, both readings lead there; and what is
// stripped is what was found.
func FuzzPathsAgree(f *testing.F) {
	for _, uri := range []string{"/app/x", "/app/../x", "/app%2f..%2fx", "//app/", "/a/b;c/..", "/%61pp/%2e", `/app\..`} {
		f.Add(uri)
	}
	paths := NewPaths([]PathOptions{{Path: "/app/", Backend: NewBackend(BackendOptions{Address: "127.0.0.1:1"})}, {Path: "/a/b", Static: fstest.MapFS{}}})
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil || u.Path == "" || u.Path[0] != '/' {
			return
		}
		at, clear := paths.find(u)
		if !clear {
			return
		}
		if lenient := paths.match(lenientPath(u.Path)); lenient != at {
			t.Errorf("%q is led to %q, though it can be read as that of %q", uri, at.name(), lenient.name())
		}
		if at == nil || at.isBare(u.Path) {
			return
		}
		if at.Static != nil {
			if name, ok := at.fileName(u.Path); ok && (strings.Contains("/"+name+"/", "/../") || strings.HasPrefix(name, "/")) {
				t.Errorf("%q is the file %q", uri, name)
			}
			return
		}
		stripped := *u
		at.strip(&stripped)
		if !strings.HasPrefix(stripped.Path, "/") || !strings.HasSuffix(u.EscapedPath(), strings.TrimPrefix(stripped.EscapedPath(), "/")) {
			t.Errorf("%q was stripped to %q", uri, stripped.EscapedPath())
		}
	})
}
