package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestAReadOnlyRouteRefusesWhatMayWrite(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		b := startBackend(t, says("blue"))
		e := startEdge(t, b)
		route := e.route(b, "blue")
		route.ReadOnly = true
		e.service.Set(route)
		const target = "https://" + appHost + "/api"
		for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodHead} {
			if response, _ := e.do(h2, method, target, nil); response.StatusCode != 200 {
				t.Errorf("%s: %d", method, response.StatusCode)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "PURGE"} {
			response, body := e.do(h2, method, target, strings.NewReader("{}"))
			if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "We will be right back") {
				t.Errorf("%s: %d %v\n%s", method, response.StatusCode, response.Header, body)
			}
		}
		if response, _ := e.do(h2, http.MethodPost, target, nil, ProbeHeader, secret); response.StatusCode != 200 {
			t.Errorf("a probe: %d", response.StatusCode)
		}
		if b.InFlight() != 0 {
			t.Errorf("in flight %d", b.InFlight())
		}
	})
}

func TestAReadOnlyRouteLeavesOpenWebSocketsAndRefusesNewOnes(t *testing.T) {
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b)
	open := e.open()
	route := e.route(b, "blue")
	route.ReadOnly = true
	e.service.Set(route)
	if err := open.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := open.Read(t.Context()); err != nil || string(got) != "still here" {
		t.Errorf("the open WebSocket got %q, %v", got, err)
	}
	_, response, err := websocket.Dial(t.Context(), "wss://"+appHost+"/ws", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err == nil || response == nil || response.StatusCode != 503 {
		t.Errorf("a new one: %v, %v", response, err)
	}
	if o := e.recorder.only(t); o.Failure != FailureReadOnly || o.Failure.Upstream() || o.Status != 503 {
		t.Errorf("recorded %+v", o)
	}
}
