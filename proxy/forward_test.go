package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHostPathAndRawQueryReachTheBackendUnchanged(t *testing.T) {
	type target struct{ host, uri string }
	got := make(chan target, 1)
	e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) { got <- target{r.Host, r.RequestURI} }))
	for _, uri := range []string{"/?a=x;y&p=100%", "/a%2Fb?q=%41+b", "/?", "/", "//double//slash?x", "/%e2%82%ac/ü?ü"} {
		c := e.dial(appHost)
		c.send("GET "+uri+" HTTP/1.1", "Host: App.Test:8443", "")
		c.response()
		want := target{"App.Test:8443", strings.ReplaceAll(uri, "ü", "%C3%BC")}
		if have := receive(t, "the backend is asked", got); have.host != want.host || !strings.EqualFold(have.uri, want.uri) {
			t.Errorf("got %+v, want %+v", have, want)
		}
	}
}

// HTTP/2 has no request line that a space could end, HTTP/1.1 has. RFC 9112 §3
// warns of mending such a target.
func TestSpaceInAQueryIsRefused(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		e := startEdge(t, startBackend(t, says("hello")))
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+appHost+"/", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = "a HTTP/1.1"
		response, err := e.client(true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = response.Body.Close(); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", method, response.StatusCode)
		}
	}
}

func TestClientsCannotClaimToBeSomeoneElse(t *testing.T) {
	got := make(chan http.Header, 1)
	e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	response, _ := e.get(false, "https://"+appHost+"/",
		"Forwarded", "for=6.6.6.6", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "http",
		"X-Forwarded-Port", "1", "X-Forwarded-Anything", "1", "X_Forwarded_For", "6.6.6.6", "X-Real-IP", "6.6.6.6", "X-Request-Id", "mine",
		ProbeHeader, "guess", "X-Kept", "yes")
	h := receive(t, "the backend is asked", got)
	for name, want := range map[string]string{
		"Forwarded": "", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": appHost, "X-Forwarded-Proto": "https",
		"X-Forwarded-Port": "", "X-Forwarded-Anything": "", "X_forwarded_for": "", "X-Real-Ip": "127.0.0.1", ProbeHeader: "", "X-Kept": "yes",
	} {
		if have := strings.Join(h[name], "|"); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	id := h.Get("X-Request-Id")
	if len(id) != 32 || id != response.Header.Get("X-Request-Id") {
		t.Errorf("request id %q sent up, %q in the response", id, response.Header.Get("X-Request-Id"))
	}
}

func TestTrustedProxyIsBelieved(t *testing.T) {
	got := make(chan http.Header, 1)
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "the backend's own")
		got <- r.Header
	}))
	e.SetTable(mustTable(t, TableOptions{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Services:       map[string]*Service{appHost: e.service},
	}))
	response, _ := e.get(true, "https://"+appHost+"/", "X-Forwarded-For", "6.6.6.6, 198.51.100.7", "X-Forwarded-Proto", "http",
		"X-Forwarded-Host", "public.test", "X-Request-Id", "abc-123", ProbeHeader, secret)
	h := receive(t, "the backend is asked", got)
	for name, want := range map[string]string{
		"X-Forwarded-For": "6.6.6.6, 198.51.100.7, 127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "public.test",
		"X-Real-Ip": "198.51.100.7", "X-Request-Id": "abc-123", ProbeHeader: "",
	} {
		if have := strings.Join(h[name], "|"); have != want {
			t.Errorf("%s: %q, want %q", name, have, want)
		}
	}
	if ids := response.Header["X-Request-Id"]; len(ids) != 1 || ids[0] != "abc-123" {
		t.Errorf("request ids in the response: %q", ids)
	}
}

func TestBrokenRequestIDOfATrustedProxyIsReplaced(t *testing.T) {
	for _, id := range []string{"", "a b", `a"b`, "a\\b", "é", strings.Repeat("a", 129)} {
		r := &http.Request{Header: http.Header{"X-Request-Id": {id}}}
		if got := requestID(r, true); got == id || len(got) != 32 {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestHopByHopFieldsStopAtTheEdge(t *testing.T) {
	got := make(chan http.Header, 1)
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "1")
		w.Header().Set("Keep-Alive", "timeout=1")
		got <- r.Header
	}))
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: X-Mine, close", "X-Mine: 1", "Keep-Alive: 5", "Te: gzip", "Proxy-Authorization: x", "Upgrade: h2c", "")
	response, _ := c.response()
	h := receive(t, "the backend is asked", got)
	for _, name := range []string{"X-Mine", "Keep-Alive", "Te", "Proxy-Authorization", "Upgrade", "Connection"} {
		if v, ok := h[name]; ok {
			t.Errorf("the backend got %s: %q", name, v)
		}
	}
	for _, name := range []string{"X-Private", "Keep-Alive"} {
		if v, ok := response.Header[name]; ok {
			t.Errorf("the client got %s: %q", name, v)
		}
	}
}

func TestLargeBodiesArriveByteExact(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	want := sha256.Sum256(data)
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		_, _ = io.Copy(sum, r.Body)
		w.Header().Set("X-Sum", hex.EncodeToString(sum.Sum(nil)))
		_, _ = w.Write(data)
	}))
	for _, h2 := range []bool{false, true} {
		for _, body := range []io.Reader{bytes.NewReader(data), io.MultiReader(bytes.NewReader(data))} {
			response, text := e.do(h2, http.MethodPost, "https://"+appHost+"/", body)
			if response.Header.Get("X-Sum") != hex.EncodeToString(want[:]) {
				t.Errorf("h2 %v: the upload changed", h2)
			}
			if sha256.Sum256([]byte(text)) != want {
				t.Errorf("h2 %v: the download changed", h2)
			}
		}
	}
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	for _, o := range e.recorder.requests {
		if o.BytesIn != int64(len(data)) || o.BytesOut != int64(len(data)) || o.Failure != FailureNone || o.Method != http.MethodPost {
			t.Errorf("recorded %+v", o)
		}
	}
}

// A backend may begin to answer while it still reads.
func TestResponseMayBeginBeforeTheUploadEnds(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_, _ = io.WriteString(w, "begun ")
		_ = control.Flush()
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))
	c := e.dial(appHost)
	for range 3 {
		c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 200000", "")
		response, err := http.ReadResponse(c.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(c.Conn, strings.Repeat("x", 200_000)) }()
		body, err := io.ReadAll(response.Body)
		if string(body) != "begun 200000" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	}
}

func TestHeadHasTheHeaderAndNoBody(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	for _, h2 := range []bool{false, true} {
		response, body := e.do(h2, http.MethodHead, "https://"+appHost+"/", nil)
		if response.StatusCode != 200 || response.ContentLength != 5 || body != "" {
			t.Errorf("%d, length %d, body %q", response.StatusCode, response.ContentLength, body)
		}
	}
}

func TestExpectContinueIsAnsweredBeforeTheBody(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 5", "Expect: 100-continue", "")
	if line, err := c.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = c.ReadString('\n')
	_, _ = io.WriteString(c.Conn, "hello")
	if response, body := c.response(); response.StatusCode != 200 || body != "hello" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

func TestEarlyHintsAndTrailersPass(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.Header().Set(LabelHeader, "forged")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	}))
	for _, h2 := range []bool{false, true} {
		var hints atomic.Value
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints.Store(fmt.Sprint(code, h.Get("Link"), h.Get(LabelHeader)))
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+appHost+"/", nil)
		response, err := e.client(h2).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if want := "103</style.css>; rel=preload"; hints.Load() != want {
			t.Errorf("early hints %v, want %v", hints.Load(), want)
		}
		if string(body) != "body" || response.Trailer.Get("X-Sum") != "42" {
			t.Errorf("body %q, trailer %v", body, response.Trailer)
		}
	}
}

func TestBackendCannotSendTheLabelAsATrailer(t *testing.T) {
	for _, announced := range []string{"X-Sum, " + LabelHeader, "X-Sum"} {
		eachProtocol(t, func(t *testing.T, h2 bool) {
			e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", announced)
				_, _ = io.WriteString(w, "body")
				w.Header().Set("X-Sum", "42")
				w.Header().Set(LabelHeader, "forged")
				w.Header().Set(http.TrailerPrefix+LabelHeader, "forged")
			}))
			response, _ := e.get(h2, "https://"+appHost+"/", ProbeHeader, secret)
			if _, told := response.Trailer[LabelHeader]; told || response.Trailer.Get("X-Sum") != "42" {
				t.Errorf("announced %q: trailer %v", announced, response.Trailer)
			}
			if label := response.Header.Get(LabelHeader); label != "blue" {
				t.Errorf("label %q", label)
			}
		})
	}
}

func TestEventsArriveAsTheyAreSent(t *testing.T) {
	next := make(chan struct{})
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	for _, h2 := range []bool{false, true} {
		response, err := e.client(h2).Get("https://" + appHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, len("data: 0\n\n"))
		for i := range 3 {
			if _, err := io.ReadFull(response.Body, buf); err != nil || string(buf) != fmt.Sprintf("data: %d\n\n", i) {
				t.Fatalf("event %d: %q, %v", i, buf, err)
			}
			next <- struct{}{}
		}
		_ = response.Body.Close()
	}
}

func TestClientThatLeavesCancelsTheBackend(t *testing.T) {
	arrived, cancelled := make(chan struct{}), make(chan struct{})
	e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(cancelled)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+appHost+"/", nil)
	if response, err := e.client(true).Do(r); err == nil {
		_ = response.Body.Close()
		t.Fatal("got a response")
	}
	receive(t, "the backend notices", cancelled)
	if o := e.recorder.only(t); o.Failure != FailureClientGone || o.Status != 0 || o.Failure.Upstream() {
		t.Errorf("recorded %+v", o)
	}
}

// brokenBackend accepts connections and does with each what serve says.
func brokenBackend(t *testing.T, serve func(net.Conn)) *Backend {
	t.Helper()
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	return backendAt(t, l.Addr().String(), func(o *BackendOptions) { o.HeaderTimeout = 100 * time.Millisecond })
}

func readHead(c net.Conn) {
	buf := make([]byte, 64<<10)
	_, _ = c.Read(buf)
}

func TestBackendFailuresMapToTheirStatus(t *testing.T) {
	silent := make(chan struct{})
	defer close(silent)
	for _, c := range []struct {
		name    string
		backend *Backend
		status  int
		failure Failure
	}{
		{"refused", backendAt(t, refusing(t)), 502, FailureDial},
		{"reset", brokenBackend(t, readHead), 502, FailureReset},
		{"not HTTP", brokenBackend(t, func(c net.Conn) { readHead(c); _, _ = io.WriteString(c, "SSH-2.0-x\r\n") }), 502, FailureReset},
		{"no status", brokenBackend(t, func(c net.Conn) { readHead(c); _, _ = io.WriteString(c, "HTTP/1.1 099 Low\r\n\r\n") }), 502, FailureReset},
		{"silent", brokenBackend(t, func(net.Conn) { <-silent }), 504, FailureTimeout},
		{"none", nil, 503, FailureNoBackend},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t, c.backend)
			if probe, _ := e.get(false, "https://"+appHost+"/", ProbeHeader, secret); probe.Header.Get(LabelHeader) != "blue" {
				t.Error("the probe did not learn which route failed")
			}
			response, body := e.get(false, "https://"+appHost+"/")
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d", response.StatusCode, c.status)
			}
			if c.backend != nil && strings.Contains(body, c.backend.Address()) {
				t.Error("the page names the backend")
			}
			// Only the client's request, for probes are no traffic.
			if o := e.recorder.only(t); o.Failure != c.failure || o.Status != c.status || o.Proxied != (c.backend != nil) {
				t.Errorf("recorded %+v, want failure %v", o, c.failure)
			}
		})
	}
}

func TestBrokenResponseIsBrokenForTheClientToo(t *testing.T) {
	e := startEdge(t, brokenBackend(t, func(c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	}))
	for _, h2 := range []bool{false, true} {
		response, err := e.client(h2).Get("https://" + appHost + "/")
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		if err == nil {
			t.Error("the client was told that half a response is whole")
		}
	}
	eventually(t, "nothing is in flight", func() bool { return e.service.Route().Backend.InFlight() == 0 })
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	for _, o := range e.recorder.requests {
		if o.Failure != FailureBody {
			t.Errorf("recorded %+v", o)
		}
	}
}

// staleBackend breaks its first connection when a second request comes on it,
// and serves every other one; it tells how many POSTs it saw.
func staleBackend(t *testing.T) (*Backend, *atomic.Int32) {
	t.Helper()
	var connections, posts atomic.Int32
	l := listen(t)
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		stale := connections.Add(1) == 1
		requests := bufio.NewReader(c)
		for n := 0; ; n++ {
			r, err := http.ReadRequest(requests)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			if stale && n == 1 {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return backendAt(t, l.Addr().String()), &posts
}

func TestGetSurvivesAStaleBackendConnection(t *testing.T) {
	b, _ := staleBackend(t)
	e := startEdge(t, b)
	for range 2 {
		if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != 200 {
			t.Errorf("status %d", response.StatusCode)
		}
	}
	eventually(t, "both requests are recorded", func() bool {
		e.recorder.mu.Lock()
		defer e.recorder.mu.Unlock()
		return len(e.recorder.requests) == 2
	})
	if o := e.recorder.requests; o[0].Retries != 0 || o[1].Retries != 1 || !o[0].Proxied {
		t.Errorf("recorded %+v", o)
	}
}

func TestPostIsNeverSentTwice(t *testing.T) {
	for name, body := range map[string]func() io.Reader{
		"with a body":    func() io.Reader { return strings.NewReader("x") },
		"without a body": func() io.Reader { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			b, posts := staleBackend(t)
			e := startEdge(t, b)
			e.do(false, http.MethodPost, "https://"+appHost+"/", body())
			response, _ := e.do(false, http.MethodPost, "https://"+appHost+"/", body())
			if response.StatusCode != http.StatusBadGateway || posts.Load() != 2 {
				t.Errorf("status %d, sent %d times, want 502 and 2", response.StatusCode, posts.Load())
			}
		})
	}
}

// What ends a connection must survive informational responses, for which
// ReverseProxy clears the header; these are for no client of HTTP/1.0, and
// carry nothing that belongs to the backend's connection.
func TestInformationalResponsesTakeNothingFromTheFinalOne(t *testing.T) {
	hints := startScripted(t, answers("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"+answer))
	e := startEdge(t, hints.backend(t))

	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Transfer-Encoding: chunked", "", "5", "hello", "0", "")
	early, err := http.ReadResponse(c.Reader, nil)
	if err != nil || early.StatusCode != 103 || early.Header.Get("Link") == "" || early.Header.Get("X-Hop") != "" || early.Header.Get("Connection") != "" {
		t.Errorf("%+v, %v", early, err)
	}
	if response, body := c.response(); body != "ok" || !response.Close {
		t.Errorf("%v %q, closes %v", response.Header, body, response.Close)
	}

	old := e.dial(appHost)
	old.send("GET / HTTP/1.0", "Host: "+appHost, "")
	if response, body := old.response(); response.StatusCode != 200 || body != "ok" {
		t.Errorf("to HTTP/1.0: %d %q", response.StatusCode, body)
	}
}
