package proxy

import (
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestHSTSValue(t *testing.T) {
	for want, got := range map[string]string{
		"max-age=31536000":                             HSTS(8760*time.Hour, false, false),
		"max-age=1; includeSubDomains":                 HSTS(time.Second, true, false),
		"max-age=63072000; includeSubDomains; preload": HSTS(17520*time.Hour, true, true),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// RFC 6797 §7.1 allows one field only.
func TestHSTSOfTheEdgeReplacesTheBackends(t *testing.T) {
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=0")
		w.Header().Add("Strict-Transport-Security", "max-age=5")
	})
	e := startEdge(t, b)
	if response, _ := e.get(false, "https://"+appHost+"/"); len(response.Header["Strict-Transport-Security"]) != 2 {
		t.Errorf("without a policy: %q", response.Header["Strict-Transport-Security"])
	}
	e.under(func(p *Policy) { p.HSTS = "max-age=60" })
	for _, h2 := range []bool{false, true} {
		response, _ := e.get(h2, "https://"+appHost+"/")
		if got := response.Header["Strict-Transport-Security"]; len(got) != 1 || got[0] != "max-age=60" {
			t.Errorf("h2 %v: %q", h2, got)
		}
	}
}

func TestHSTSIsOnErrorPagesRedirectsAndHandshakes(t *testing.T) {
	e := startEdge(t, startBackend(t, echo(nil, nil)))
	e.under(func(p *Policy) { p.HSTS, p.Canonical = "max-age=60", appHost })
	response, _ := e.get(true, "https://"+otherHost+"/")
	if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("redirect: %d %q", response.StatusCode, response.Header.Get("Strict-Transport-Security"))
	}
	c, response, err := websocket.Dial(t.Context(), "wss://"+appHost+"/ws", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.CloseNow()
	if response.Header.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("handshake: %v", response.Header)
	}
	e.under(func(p *Policy) { p.Public = false })
	if response, _ := e.get(true, "https://"+appHost+"/"); response.StatusCode != http.StatusForbidden || response.Header.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("error page: %d %q", response.StatusCode, response.Header.Get("Strict-Transport-Security"))
	}
}

// RFC 6797 §7.2: not over plain HTTP, where anybody could have written it.
func TestPlainRedirectCarriesNoHSTS(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.under(func(p *Policy) { p.HSTS = "max-age=60" })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.http+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = appHost
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
}
