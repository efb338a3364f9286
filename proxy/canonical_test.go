package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func canonical(p *Policy) { p.Canonical = appHost }

func TestOtherHostsRedirectToTheCanonicalOne(t *testing.T) {
	b := startBackend(t, func(http.ResponseWriter, *http.Request) { t.Error("the backend was asked") })
	e := startEdge(t, b)
	e.under(canonical)
	for _, c := range []struct{ host, uri, location string }{
		{otherHost, "/a%2Fb/?q=x;y&p=100%", "https://" + appHost + "/a%2Fb/?q=x;y&p=100%"},
		{otherHost + ":443", "/", "https://" + appHost + "/"},
		{strings.ToUpper(otherHost) + ".:8443", "//x", "https://" + appHost + ":8443//x"},
	} {
		conn := e.dial(otherHost)
		conn.send("GET "+c.uri+" HTTP/1.1", "Host: "+c.host, "")
		response, _ := conn.response()
		if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != c.location {
			t.Errorf("%s%s: %d to %q, want %q", c.host, c.uri, response.StatusCode, response.Header.Get("Location"), c.location)
		}
		if !strings.Contains(response.Header.Get("Cache-Control"), "max-age") {
			t.Error("browsers may remember the redirect for ever")
		}
	}
	if response, _ := e.do(true, http.MethodPost, "https://"+otherHost+"/form", strings.NewReader("a=1")); response.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("POST: %d", response.StatusCode)
	}
	eventually(t, "nothing is in flight", func() bool { return b.InFlight() == 0 })
}

func TestCanonicalHostItselfIsServed(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.under(canonical)
	for _, host := range []string{appHost, "App.Test", appHost + ":8443", appHost + "."} {
		c := e.dial(appHost)
		c.send("GET / HTTP/1.1", "Host: "+host, "")
		if response, _ := c.response(); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", host, response.StatusCode)
		}
	}
}

// The self-probe asks the first production host, whichever that is.
func TestProbesAreNotRedirected(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.under(canonical)
	response, body := e.get(true, "https://"+otherHost+"/health", ProbeHeader, secret)
	if response.StatusCode != http.StatusOK || body != "hello" || response.Header.Get(LabelHeader) != "blue" {
		t.Errorf("%d %q, label %q", response.StatusCode, body, response.Header.Get(LabelHeader))
	}
}

func TestWebSocketsAreServedOnEveryHost(t *testing.T) {
	e := startEdge(t, startBackend(t, echo(nil, nil)))
	e.under(canonical)
	c, _, err := websocket.Dial(t.Context(), "wss://"+otherHost+"/ws", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c, []byte("hello"))
	_ = c.CloseNow()
}
