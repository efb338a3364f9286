package proxy

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// What is closed is checked before anything is forwarded, however it is asked.
func TestARefusedClientReachesNoBackend(t *testing.T) {
	var reached atomic.Int64
	backend := startBackend(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	e := startEdge(t, backend)
	for name, rule := range map[string]func(*Policy){
		"ranges": func(*Policy) {},
		"basic":  func(p *Policy) { p.Basic = users(t, NewPasswords()) },
		"signed": func(p *Policy) { p.Signed, p.Links = true, linkKey(t).Links("chat") },
	} {
		e.keepOut(backend, func(p *Policy) { rule(p); p.NoIndex = true })
		for _, h2 := range []bool{false, true} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
				response, _ := e.do(h2, method, "https://"+appHost+"/", strings.NewReader("x"),
					"X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1", "Forwarded", "for=192.0.2.1", ProbeHeader, "guess")
				if c := response.StatusCode; c != http.StatusForbidden && c != http.StatusUnauthorized {
					t.Errorf("%s, %s: %s", name, method, response.Status)
				}
				if response.Header.Get("X-Robots-Tag") != "noindex" {
					t.Errorf("%s, %s: search engines may keep the page", name, method)
				}
			}
		}
		c := e.dial(appHost)
		c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "")
		if response, _ := c.response(); response.StatusCode == http.StatusSwitchingProtocols {
			t.Errorf("%s: a WebSocket got through", name)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests reached the backend", n)
	}
}

// A client may not use the connection of one host for another (RFC 9113
// §9.1.1), whatever certificates it has seen.
func TestNoHostIsServedOnTheHTTP2ConnectionOfAnother(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service, otherHost: e.service}}))
	c := e.client(true)
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = appHost
	for host, status := range map[string]int{appHost: 200, otherHost: http.StatusMisdirectedRequest, strings.ToUpper(appHost) + ":443": 200} {
		response, err := c.Get("https://" + host + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status || response.ProtoMajor != 2 {
			t.Errorf("%s on the connection of %s: %s %s", host, appHost, response.Proto, response.Status)
		}
	}
}
