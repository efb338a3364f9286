package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (e *edge) dialHTTP() *rawConn {
	e.t.Helper()
	c, err := net.Dial("tcp", e.http)
	if err != nil {
		e.t.Fatal(err)
	}
	return raw(e.t, c)
}

func TestHTTPListenerRedirectsKnownHostsWithRawQuery(t *testing.T) {
	e := startEdge(t, nil)
	for _, c := range []struct{ line, host, location string }{
		{"GET /a%2Fb?a=x;y&p=100% HTTP/1.1", "App.test:80", "https://app.test/a%2Fb?a=x;y&p=100%"},
		{"GET http://app.test/x?y HTTP/1.1", "ignored.test", "https://app.test/x?y"},
		{"GET //evil.test/ HTTP/1.1", appHost, "https://app.test//evil.test/"},
		{"HEAD / HTTP/1.1", appHost, "https://app.test/"},
	} {
		conn := e.dialHTTP()
		conn.send(c.line, "Host: "+c.host, "")
		response, _ := conn.response()
		if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != c.location {
			t.Errorf("%s: %d %s", c.line, response.StatusCode, response.Header.Get("Location"))
		}
	}
}

func TestRedirectNamesAnUnusualPort(t *testing.T) {
	e := startEdge(t, nil, func(o *Options) { o.HTTPSPort = 8443 })
	c := e.dialHTTP()
	c.send("POST /x HTTP/1.1", "Host: "+appHost+":8080", "Content-Length: 0", "")
	if response, _ := c.response(); response.Header.Get("Location") != "https://app.test:8443/x" {
		t.Errorf("%s", response.Header.Get("Location"))
	}
}

func TestHTTPListenerRefusesUnknownHostsAndConnect(t *testing.T) {
	e := startEdge(t, nil)
	for line, status := range map[string]int{
		"GET / HTTP/1.1":                   http.StatusMisdirectedRequest,
		"CONNECT unknown.test:80 HTTP/1.1": http.StatusMethodNotAllowed,
		"TRACE / HTTP/1.1":                 http.StatusMethodNotAllowed,
	} {
		c := e.dialHTTP()
		c.send(line, "Host: unknown.test", "")
		if response, _ := c.response(); response.StatusCode != status {
			t.Errorf("%s: %d, want %d", line, response.StatusCode, status)
		}
	}
}

func TestChallengeComesBeforeTheRedirect(t *testing.T) {
	e := startEdge(t, nil, func(o *Options) {
		o.Challenge = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
					_, _ = io.WriteString(w, "token.key")
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	c := e.dialHTTP()
	c.send("GET /.well-known/acme-challenge/token HTTP/1.1", "Host: anything.test", "")
	if response, body := c.response(); response.StatusCode != 200 || body != "token.key" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

func TestStopFinishesRequestsInFlight(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		arrived, release := make(chan struct{}), make(chan struct{})
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			select {
			case <-release:
			case <-r.Context().Done():
				t.Error("the request was cancelled by the stop")
			}
			_, _ = io.WriteString(w, "whole")
		}))
		got := make(chan string, 1)
		go func() {
			response, err := e.client(h2).Get("https://" + appHost + "/")
			if err != nil {
				got <- err.Error()
				return
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			got <- string(body)
		}()
		<-arrived
		stopped := make(chan error, 1)
		go func() { stopped <- e.stop() }()
		eventually(t, "the listener is closed", func() bool {
			c, err := net.Dial("tcp", e.https)
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		close(release)
		if body := receive(t, "the client is answered", got); body != "whole" {
			t.Errorf("h2 %v: %s", h2, body)
		}
		if err := receive(t, "the server stops", stopped); err != nil {
			t.Error(err)
		}
	}
}

func TestStopAsksClientsToConnectAnewBeforeItCloses(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")), func(o *Options) { o.Linger = patience / 4 })
	keepAlive := e.dial(appHost)
	keepAlive.send("GET / HTTP/1.1", "Host: "+appHost, "")
	if response, _ := keepAlive.response(); response.Close {
		t.Fatal("asked before the stop")
	}
	h2 := e.client(true)
	go func() { _ = e.stop() }()
	eventually(t, "the server is stopping", e.stopping.Load)
	keepAlive.send("GET / HTTP/1.1", "Host: "+appHost, "")
	if response, body := keepAlive.response(); !response.Close || body != "hello" {
		t.Errorf("Connection %v, %q", response.Header["Connection"], body)
	}
	if response, err := h2.Get("https://" + appHost + "/"); err != nil {
		t.Error(err)
	} else {
		_ = response.Body.Close()
	}
}

func TestStopClosesWhatOutlivesTheGraceAndCountsIt(t *testing.T) {
	b, arrived := hold(t, nil)
	log := new(logText)
	e := startEdge(t, b, log.at(slog.LevelInfo), func(o *Options) { o.ShutdownGrace = 50 * time.Millisecond })
	for range 2 {
		c := e.dial(appHost)
		c.send("GET / HTTP/1.1", "Host: "+appHost, "")
		receive(t, "the request arrives", arrived)
	}
	if err := e.stop(); err != nil {
		t.Errorf("error %v", err)
	}
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "requests=2 websockets=0") {
		t.Errorf("logged %q", text)
	}
	eventually(t, "nothing is in flight", func() bool { return b.InFlight() == 0 })
}

func TestRunEndsWhenAListenerFails(t *testing.T) {
	l := listen(t)
	_ = l.Close()
	if err := New(Options{HTTP: l}).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "serving http on") {
		t.Errorf("error %v", err)
	}
}

func TestRunDemandsATLSConfiguration(t *testing.T) {
	if err := New(Options{HTTPS: listen(t)}).Run(context.Background()); err == nil {
		t.Error("served HTTPS without certificates")
	}
}

func TestHeaderLargerThanTheLimitIsRefused(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	c := e.dial(appHost)
	go func() {
		_, _ = io.WriteString(c.Conn, "GET / HTTP/1.1\r\nHost: "+appHost+"\r\nX-Big: "+strings.Repeat("a", 80<<10)+"\r\n\r\n")
	}()
	if response, _ := c.response(); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestALPNOffersHTTP2AndHTTP1(t *testing.T) {
	e := startEdge(t, nil)
	for _, proto := range []string{"h2", "http/1.1"} {
		c, err := tls.Dial("tcp", e.https, &tls.Config{RootCAs: e.roots, ServerName: appHost, NextProtos: []string{proto}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != proto {
			t.Errorf("negotiated %q, want %q", got, proto)
		}
		_ = c.Close()
	}
}
