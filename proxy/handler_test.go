package proxy

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestKnownHostIsServedOverBothProtocols(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	for _, h2 := range []bool{false, true} {
		response, body := e.get(h2, "https://"+appHost+"/")
		if response.StatusCode != 200 || body != "hello" {
			t.Errorf("%s: %d %q", response.Proto, response.StatusCode, body)
		}
		if want := map[bool]int{false: 1, true: 2}[h2]; response.ProtoMajor != want {
			t.Errorf("spoke %s", response.Proto)
		}
	}
}

func TestUnknownHostIsMisdirected(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	if response, _ := e.get(true, "https://unknown.test/"); response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestHostMustBeTheNameOfTheTLSHandshake(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service, otherHost: e.service}}))
	for serverName, status := range map[string]int{otherHost: 200, appHost: http.StatusMisdirectedRequest} {
		c := e.dial(serverName)
		c.send("GET / HTTP/1.1", "Host: "+otherHost, "")
		if response, _ := c.response(); response.StatusCode != status {
			t.Errorf("name %s, Host %s: status %d, want %d", serverName, otherHost, response.StatusCode, status)
		}
	}
}

func TestConnectAndTraceAreNotAllowed(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	for _, line := range []string{"CONNECT " + appHost + ":443 HTTP/1.1", "TRACE / HTTP/1.1"} {
		c := e.dial(appHost)
		c.send(line, "Host: "+appHost, "")
		response, _ := c.response()
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") == "" {
			t.Errorf("%s: status %d, Allow %q", line, response.StatusCode, response.Header.Get("Allow"))
		}
	}
}

func TestAmbiguousMessagesAreRefused(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	for name, lines := range map[string][]string{
		"two Host fields":          {"GET / HTTP/1.1", "Host: " + appHost, "Host: " + appHost, ""},
		"no Host field":            {"GET / HTTP/1.1", ""},
		"bad Host":                 {"GET / HTTP/1.1", "Host: a b", ""},
		"two lengths":              {"POST / HTTP/1.1", "Host: " + appHost, "Content-Length: 1", "Content-Length: 2", "", "a"},
		"negative length":          {"POST / HTTP/1.1", "Host: " + appHost, "Content-Length: -1", ""},
		"signed length":            {"POST / HTTP/1.1", "Host: " + appHost, "Content-Length: +1", "", "a"},
		"unknown coding":           {"POST / HTTP/1.1", "Host: " + appHost, "Transfer-Encoding: gzip, chunked", "", "0", ""},
		"coding twice":             {"POST / HTTP/1.1", "Host: " + appHost, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "", "0", ""},
		"space before the colon":   {"GET / HTTP/1.1", "Host: " + appHost, "X-A : b", ""},
		"folded line":              {"GET / HTTP/1.1", " Host: " + appHost, ""},
		"control byte in a field":  {"GET / HTTP/1.1", "Host: " + appHost, "X-A: a\x00b", ""},
		"control byte in the path": {"GET /\x01 HTTP/1.1", "Host: " + appHost, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := e.dial(appHost)
			c.send(lines...)
			if response, _ := c.response(); response.StatusCode/100 != 4 && response.StatusCode != http.StatusNotImplemented {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
}

// RFC 9112 §6.3 lets a server take such a message by its chunks when it drops
// the length; what follows the chunks is another request, never part of this.
func TestLengthBesideChunksNeverReachesTheBackend(t *testing.T) {
	got := make(chan *http.Request, 2)
	e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r
	}))
	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 4", "Transfer-Encoding: chunked", "", "1", "a", "0", "")
	c.response()
	r := receive(t, "the backend is asked", got)
	if r.ContentLength != -1 || r.Header.Get("Content-Length") != "" || len(r.TransferEncoding) != 1 {
		t.Errorf("length %d, coding %q", r.ContentLength, r.TransferEncoding)
	}
}

func TestAccessIsCheckedBeforeAnythingIsProxied(t *testing.T) {
	b := startBackend(t, func(http.ResponseWriter, *http.Request) { t.Error("the backend was asked") })
	e := startEdge(t, b)
	e.service.Set(&Route{Backend: b, Recorder: e.recorder, Policy: Policy{Access: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	response, body := e.get(true, "https://"+appHost+"/secret", "X-Forwarded-For", "192.0.2.1")
	if response.StatusCode != http.StatusForbidden || strings.Contains(body, "192.0.2") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if o := e.recorder.only(t); o.Failure != FailureDenied || o.Status != http.StatusForbidden {
		t.Errorf("recorded %+v", o)
	}
}

func TestAccessListLetsItsRangesIn(t *testing.T) {
	b := startBackend(t, says("hello"))
	e := startEdge(t, b)
	e.service.Set(&Route{Backend: b, Policy: Policy{Access: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, NoIndex: true}})
	response, _ := e.get(false, "https://"+appHost+"/")
	if response.StatusCode != 200 || response.Header.Get("X-Robots-Tag") != "noindex" {
		t.Errorf("%d, X-Robots-Tag %q", response.StatusCode, response.Header.Get("X-Robots-Tag"))
	}
}

func TestZeroPolicyLetsNobodyIn(t *testing.T) {
	f := &flight{route: new(Route), client: netip.MustParseAddr("127.0.0.1")}
	if f.admit(new(http.Request)) == 0 {
		t.Error("the zero policy is open")
	}
}

func TestProbeBypassesAccessAndLearnsTheLabel(t *testing.T) {
	got := make(chan http.Header, 3)
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		w.Header().Set(LabelHeader, "forged")
		w.WriteHeader(http.StatusEarlyHints)
	})
	e := startEdge(t, b)
	e.service.Set(&Route{Label: "green", Backend: b})
	response, _ := e.get(true, "https://"+appHost+"/", ProbeHeader, secret)
	if response.StatusCode != 200 || response.Header.Get(LabelHeader) != "green" {
		t.Errorf("%d, label %q", response.StatusCode, response.Header.Get(LabelHeader))
	}
	if h := receive(t, "the backend is asked", got); h.Get(ProbeHeader) != "" {
		t.Error("the probe secret was forwarded")
	}
	if response, _ := e.get(true, "https://"+appHost+"/", ProbeHeader, secret+"x"); response.StatusCode != http.StatusForbidden {
		t.Errorf("wrong secret: %d", response.StatusCode)
	}
	e.service.Set(e.route(b, "green"))
	if response, _ := e.get(true, "https://"+appHost+"/"); response.Header.Get(LabelHeader) != "" {
		t.Errorf("a stranger was told %q", response.Header.Get(LabelHeader))
	}
}

func TestProbeSecretOfNobodyAuthenticatesNobody(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")), func(o *Options) { o.ProbeSecret = "" })
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, ProbeHeader+":", "")
	if response, _ := c.response(); response.Header.Get(LabelHeader) != "" {
		t.Error("an empty secret was accepted")
	}
}

func TestRequestAfterSetIsServedByTheNewRoute(t *testing.T) {
	blue, green := startBackend(t, says("blue")), startBackend(t, says("green"))
	e := startEdge(t, blue)
	for i := range 20 {
		b, want := blue, "blue"
		if i%2 == 0 {
			b, want = green, "green"
		}
		e.service.Set(e.route(b, want))
		response, body := e.get(i%3 == 0, "https://"+appHost+"/", ProbeHeader, secret)
		if body != want || response.Header.Get(LabelHeader) != want {
			t.Fatalf("served by %q, label %q, want %q", body, response.Header.Get(LabelHeader), want)
		}
	}
}

func TestServicesSurviveANewTable(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{otherHost: e.service}}))
	if response, _ := e.get(false, "https://"+otherHost+"/"); response.StatusCode != 200 {
		t.Errorf("new host: %d", response.StatusCode)
	}
	if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("old host: %d", response.StatusCode)
	}
	e.SetTable(nil)
	if response, _ := e.get(false, "https://"+otherHost+"/"); response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("no table: %d", response.StatusCode)
	}
}
