package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func TestHTTP3ServesAndIsAnnounced(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	want := fmt.Sprintf(`h3=":%d"; ma=86400`, e.udp.(*net.UDPAddr).Port)
	for _, h2 := range []bool{false, true} {
		if response, _ := e.get(h2, "https://"+appHost+"/"); response.Header.Get("Alt-Svc") != want {
			t.Errorf("h2 %v: Alt-Svc %q, want %q", h2, response.Header["Alt-Svc"], want)
		}
	}
	response, body := e.get3("/")
	if response.Proto != "HTTP/3.0" || response.StatusCode != 200 || body != "hello" {
		t.Errorf("%s %d %q", response.Proto, response.StatusCode, body)
	}
}

func TestNoHTTP3IsAnnouncedWhereThereIsNone(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	if response, _ := e.get(true, "https://"+appHost+"/"); response.Header["Alt-Svc"] != nil {
		t.Errorf("Alt-Svc %q", response.Header["Alt-Svc"])
	}
}

func TestHTTP3RequestsReachTheBackendAsOthersDo(t *testing.T) {
	heads := make(chan *http.Request, 1)
	e := startEdge3(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) { heads <- r }))
	e.get3("/a%2Fb?a=x;y&p=100%25", "X-Forwarded-For", "192.0.2.1", "Forwarded", "for=192.0.2.1")
	r := <-heads
	if r.RequestURI != "/a%2Fb?a=x;y&p=100%25" || r.Host != appHost || len(r.TransferEncoding) > 0 || r.ContentLength != 0 {
		t.Errorf("%s of %s, transfer encoding %q, length %d", r.RequestURI, r.Host, r.TransferEncoding, r.ContentLength)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": appHost, "Forwarded": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHTTP3ClientAddressIsCheckedAgainstTheAccessRanges(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), comingFrom("192.0.2.7"))
	e.service.Set(&Route{Label: "blue", Backend: e.service.Route().Backend, Policy: Policy{Access: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	if response, _ := e.get3("/"); response.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestHTTP3BodiesPassUnchanged(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	}))
	data := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	for about, body := range map[string]io.Reader{"known length": bytes.NewReader(data), "unknown length": io.MultiReader(bytes.NewReader(data))} {
		if response, got := e.do3(http.MethodPost, "/", body); response.StatusCode != 200 || sha256.Sum256([]byte(got)) != sha256.Sum256(data) {
			t.Errorf("%s: status %d, %d bytes", about, response.StatusCode, len(got))
		}
	}
	// A method that usually has no content may have some all the same.
	if _, got := e.do3(http.MethodDelete, "/", io.MultiReader(strings.NewReader("which"))); got != "which" {
		t.Errorf("DELETE echoed %q", got)
	}
}

func TestHTTP3TrailersPass(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Announced", "a")
		w.Header().Set(http.TrailerPrefix+"X-Surprise", "s")
	}))
	if response, body := e.get3("/"); body != "body" || response.Trailer.Get("X-Announced") != "a" || response.Trailer.Get("X-Surprise") != "s" {
		t.Errorf("%q, trailers %v", body, response.Trailer)
	}
}

func TestHTTP3EarlyHintsPass(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "late")
	}))
	hints := make(chan string, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints <- fmt.Sprint(code, h.Get("Link"))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+appHost+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := e.client3().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := receive(t, "the hints arrive", hints); got != "103</style.css>; rel=preload" {
		t.Errorf("hinted %q", got)
	}
}

func TestHTTP3ClientThatExpectsContinueIsToldTo(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	body, upload := io.Pipe()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() {
		go func() {
			_, _ = io.WriteString(upload, "at your word")
			_ = upload.Close()
		}()
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+appHost+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Expect", "100-continue")
	response, err := e.client3().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, _ := io.ReadAll(response.Body); string(got) != "at your word" {
		t.Errorf("%d %q", response.StatusCode, got)
	}
}

// RFC 9114 §4.2: a field of the connection makes the message malformed.
func TestHTTP3ResponsesHaveNoFieldsOfAConnection(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), func(o *Options) { o.Linger = patience / 4 })
	c := e.connect(appHost)
	e.over(c, http.MethodGet, "https://"+appHost+"/")
	go func() { _ = e.stop() }()
	eventually(t, "the server is stopping", e.stopping.Load)
	response, body := e.over(c, http.MethodGet, "https://"+appHost+"/")
	if body != "hello" || response.Header["Connection"] != nil {
		t.Errorf("%q, Connection %q", body, response.Header["Connection"])
	}
}

func TestHTTP3RefusesWhatTheOthersRefuse(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	c := e.connect(appHost)
	for _, x := range []struct {
		method, target string
		status         int
	}{
		{http.MethodGet, "https://unknown.test/", http.StatusMisdirectedRequest},
		{http.MethodGet, "https://" + otherHost + "/", http.StatusMisdirectedRequest},
		{http.MethodTrace, "https://" + appHost + "/", http.StatusMethodNotAllowed},
		{http.MethodConnect, "https://" + appHost, http.StatusMethodNotAllowed},
	} {
		response, _ := e.over(c, x.method, x.target)
		if response.StatusCode != x.status || response.Header["Alt-Svc"] != nil {
			t.Errorf("%s %s: %d, want %d; Alt-Svc %q", x.method, x.target, response.StatusCode, x.status, response.Header["Alt-Svc"])
		}
	}
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service, otherHost: e.service}}))
	if response, _ := e.over(c, http.MethodGet, "https://"+otherHost+"/"); response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("host of another certificate: %d", response.StatusCode)
	}
}

func TestHTTP3HandshakeForAnUnknownNameIsRefused(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), func(o *Options) {
		only := o.TLS.Certificates[0]
		o.TLS.Certificates = nil
		o.TLS.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == appHost {
				return &only, nil
			}
			return nil, nil
		}
	})
	var alert *quic.TransportError
	if _, err := e.dialQUIC("unknown.test"); !errors.As(err, &alert) || alert.ErrorCode != 0x100+112 {
		t.Errorf("error %v, want unrecognized_name", err)
	}
	if _, body := e.get3("/"); body != "hello" {
		t.Errorf("then %q", body)
	}
}

func TestHTTP3HeaderLargerThanTheLimitIsRefused(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	response, _ := e.get3("/", "X-Big", strings.Repeat("a", 80<<10))
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestHTTP3ResponseThatBreaksOffIsNoWholeResponse(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("half ", 2000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	// The reset may overtake the header.
	if response, err := e.client3().Get("https://" + appHost + "/"); err == nil {
		defer func() { _ = response.Body.Close() }()
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("the client took it for whole")
		}
	}
	e.wantFailure(FailureBody)
}

func TestHTTP3ClientThatStopsSendingItsBodyIsEnded(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}), idleFor(100*time.Millisecond))
	body, upload := io.Pipe()
	defer func() { _ = upload.Close() }()
	go func() { _, _ = io.WriteString(upload, "begun") }()
	if response, _ := e.do3(http.MethodPost, "/", body); response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", response.StatusCode)
	}
	e.wantFailure(FailureClientSlow)
}

func TestHTTP3ClientThatStopsReadingIsEnded(t *testing.T) {
	e := startEdge3(t, startBackend(t, endless), idleFor(100*time.Millisecond))
	response, err := e.client3().Get("https://" + appHost + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	e.wantFailure(FailureClientSlow)
}

func TestHTTP3BodyMayTakeLongerThanTheIdleTime(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), idleFor(1500*time.Millisecond))
	data := bytes.Repeat([]byte("x"), 60)
	if response, got := e.do3(http.MethodPost, "/", newTrickle(t, data, 75*time.Millisecond)); response.StatusCode != 200 || len(got) != len(data) {
		t.Errorf("status %d, %q", response.StatusCode, got)
	}
}

// A request that nobody ends must not hold its connection.
func TestHTTP3RequestWithoutEndIsNotWaitedFor(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), func(o *Options) { o.Header = 200 * time.Millisecond })
	c := e.connect(appHost)
	str, err := c.OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest(http.MethodGet, "https://"+appHost+"/", nil)
	if err := str.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	response, err := str.ReadResponse()
	if err != nil || response.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%v, %v", response, err)
	}
}

func TestHTTP3ConnectionWithoutRequestsIsClosed(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), func(o *Options) { o.Idle = 50 * time.Millisecond })
	fresh, err := e.dialQUIC(appHost)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the connection that says nothing is closed", fresh.Context().Done())
	// One whose header never comes carries no request either.
	stalled, err := e.dialQUIC(appHost)
	if err != nil {
		t.Fatal(err)
	}
	if str, err := stalled.OpenStream(); err == nil {
		_, _ = str.Write([]byte{1}) // HEADERS, of unknown length
	}
	receive(t, "the connection with half a header is closed", stalled.Context().Done())
	c := e.connect(appHost)
	e.over(c, http.MethodGet, "https://"+appHost+"/")
	receive(t, "the connection that was used is closed", c.Context().Done())
}

func (e *edge3) stream3() *bufio.Reader {
	e.t.Helper()
	response, err := e.client3().Get("https://" + appHost + "/events")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = response.Body.Close() })
	body := bufio.NewReader(response.Body)
	if line, err := body.ReadString('\n'); err != nil || line != "data: 1\n" {
		e.t.Fatalf("first line %q, %v", line, err)
	}
	return body
}

func TestHTTP3EventStreamEndsWellWhenItsBackendIsDrained(t *testing.T) {
	b := eventSource(t)
	e := startEdge3(t, b, idleFor(50*time.Millisecond))
	body := e.stream3()
	time.Sleep(100 * time.Millisecond) // longer than the idle time, from which streams are exempt
	if r := drained(t, b, DrainLimits{Upgraded: moment}); r.Requests != 0 || r.Upgraded != 1 {
		t.Errorf("cut %+v", r)
	}
	endsWell(t, body)
}

func TestHTTP3RequestThatOutlivesADrainIsAnswered(t *testing.T) {
	b, arrived := hold(t, nil)
	e := startEdge3(t, b)
	got := make(chan *http.Response, 1)
	go func() {
		response, err := e.client3().Get("https://" + appHost + "/")
		if err != nil {
			t.Error(err)
		} else {
			_ = response.Body.Close()
		}
		got <- response
	}()
	receive(t, "the request arrives", arrived)
	if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 {
		t.Errorf("cut %+v", r)
	}
	if response := receive(t, "the client is answered", got); response != nil && response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", response.StatusCode)
	}
	e.wantFailure(FailureDrained)
}

func TestDrainOvercomesAnHTTP3ClientThatDoesNotRead(t *testing.T) {
	b := startBackend(t, endless)
	e := startEdge3(t, b)
	response, err := e.client3().Get("https://" + appHost + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 {
		t.Errorf("cut %+v", r)
	}
	e.wantFailure(FailureDrained)
}

func TestStopOfHTTP3IsGraceful(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	data := strings.Repeat("whole ", 100_000)
	e := startEdge3(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
			t.Error("the request was cancelled by the stop")
		}
		_, _ = io.WriteString(w, data)
	}))
	idle, busy := e.connect(appHost), e.connect(appHost)
	e.over(idle, http.MethodConnect, "https://"+appHost)
	got := make(chan string, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/", nil)
		response, err := busy.RoundTrip(r)
		if err != nil {
			got <- err.Error()
			return
		}
		body, err := io.ReadAll(response.Body)
		got <- fmt.Sprint(string(body) == data, err)
	}()
	receive(t, "the request arrives", arrived)
	stopped := make(chan error, 1)
	go func() { stopped <- e.stop() }()
	eventually(t, "clients are told to go away", func() bool {
		_, err := idle.OpenRequestStream(t.Context())
		return err != nil
	})
	if idle.Context().Err() != nil {
		t.Error("the idle connection was closed without a word")
	}
	close(release)
	if body := receive(t, "the client is answered", got); body != "true <nil>" {
		t.Errorf("got %s", body)
	}
	_ = busy.CloseWithError(0x100, "")
	_ = idle.CloseWithError(0x100, "")
	if err := receive(t, "the server stops", stopped); err != nil {
		t.Error(err)
	}
	if socket, err := net.ListenPacket("udp", e.udp.String()); err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		_ = socket.Close()
	}
}

func TestStopDoesNotWaitForIdleHTTP3Clients(t *testing.T) {
	log := new(logText)
	e := startEdge3(t, startBackend(t, says("hello")), log.at(slog.LevelInfo), func(o *Options) { o.ShutdownGrace = 2 * patience })
	c := e.connect(appHost)
	e.over(c, http.MethodGet, "https://"+appHost+"/")
	began := time.Now()
	if err := e.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > patience || log.String() != "" {
		t.Errorf("after %v, logged %q", took, log)
	}
}

func TestStopCutsHTTP3RequestsThatOutliveTheGraceAndCountsThem(t *testing.T) {
	b, arrived := hold(t, nil)
	log := new(logText)
	e := startEdge3(t, b, log.at(slog.LevelInfo), func(o *Options) { o.ShutdownGrace = 50 * time.Millisecond })
	c := e.connect(appHost)
	for range 2 {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/", nil)
			_, _ = c.RoundTrip(r)
		}()
		receive(t, "the request arrives", arrived)
	}
	if err := e.stop(); err != nil {
		t.Errorf("error %v", err)
	}
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "requests=2 websockets=0") {
		t.Errorf("logged %q", text)
	}
}

func TestRunWithoutATLSConfigurationRefusesHTTP3(t *testing.T) {
	if err := New(Options{HTTP3: packets(t)}).Run(t.Context()); err == nil {
		t.Error("served HTTP/3 without certificates")
	}
}

func TestHTTP3LogsNoQuery(t *testing.T) {
	log := new(logText)
	e := startEdge3(t, startBackend(t, says("hello")), log.at(slog.LevelDebug))
	e.get3("/?token=hunter2")
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("logged %s", log)
	}
}

// wire is a socket that tells the first bytes of what it receives.
type wire struct {
	net.PacketConn
	mu   sync.Mutex
	seen [][]byte
}

func (w *wire) ReadFrom(p []byte) (int, net.Addr, error) {
	n, a, err := w.PacketConn.ReadFrom(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, bytes.Clone(p[:min(n, 32)]))
	return n, a, err
}

// An upgrade of the edge shares the socket by this byte.
func TestPacketsOfAConnectionCarryTheGeneration(t *testing.T) {
	const generation = 0x5a
	var w *wire
	e := startEdge3(t, startBackend(t, says("hello")), func(o *Options) {
		w = &wire{PacketConn: o.HTTP3}
		o.HTTP3, o.Generation = w, generation
	})
	c := e.connect(appHost)
	for range 3 {
		e.over(c, http.MethodGet, "https://"+appHost+"/")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	short := 0
	for _, p := range w.seen {
		if len(p) > connectionIDLength && p[0]&0x80 == 0 { // a short header (RFC 9000 §17.3)
			if short++; p[1] != generation {
				t.Errorf("a packet to connection ID % x", p[1:1+connectionIDLength])
			}
		}
	}
	if short == 0 {
		t.Error("no packet with a short header was seen")
	}
}

func TestAGenerationIsNeverZero(t *testing.T) {
	for range 1000 {
		if ids, err := newConnectionIDs(0); err != nil || ids.generation == 0 {
			t.Fatalf("%+v, %v", ids, err)
		}
	}
}

var _ http3.QUICListener = (*quicServer)(nil)
