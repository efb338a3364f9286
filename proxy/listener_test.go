package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

func prefixes(all ...string) (ranges []netip.Prefix) {
	for _, one := range all {
		ranges = append(ranges, netip.MustParsePrefix(one))
	}
	return ranges
}

// behindBalancer has connections from loopback begin with a PROXY header.
func behindBalancer(adjust ...func(*TableOptions)) func(*edge) {
	return func(e *edge) {
		o := TableOptions{Services: map[string]*Service{appHost: e.service}, Announcers: prefixes("127.0.0.0/8")}
		for _, f := range adjust {
			f(&o)
		}
		e.SetTable(mustTable(e.t, o))
	}
}

// header is a PROXY header that announces a client.
func header(t *testing.T, version byte, client string) string {
	t.Helper()
	from := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))
	to := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 443}
	if from.IP.To4() == nil {
		to.IP = net.ParseIP("2001:db8::1")
	}
	text, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// balanced opens a connection that begins with bytes.
func (e *edge) balanced(bytes, address string) (net.Conn, error) {
	e.t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(c, bytes)
	return c, err
}

// announce opens a TLS connection after a header.
func (e *edge) announce(header string, protocol string) (*tls.Conn, error) {
	e.t.Helper()
	c, err := e.balanced(header, e.https)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(c, &tls.Config{RootCAs: e.roots, ServerName: appHost, NextProtos: []string{protocol}})
	return secure, secure.Handshake()
}

// forwardedForHeader asks the backend what it was told of the client.
func forwardedForHeader(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, r.Header["X-Forwarded-For"])
}

func TestAnnouncedClientsAreTheClients(t *testing.T) {
	e := startEdge(t, startBackend(t, forwardedForHeader))
	behindBalancer()(e)
	for about, c := range map[string]struct{ header, want string }{
		"version 1":         {header(t, 1, "192.0.2.7:4711"), "[192.0.2.7]"},
		"version 1, IPv6":   {header(t, 1, "[2001:db8::7]:4711"), "[2001:db8::7]"},
		"version 2":         {header(t, 2, "192.0.2.8:4711"), "[192.0.2.8]"},
		"version 2, IPv6":   {header(t, 2, "[2001:db8::8]:4711"), "[2001:db8::8]"},
		"unknown":           {"PROXY UNKNOWN\r\n", "[127.0.0.1]"},
		"local":             {"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "[127.0.0.1]"},
		"socket of a path":  {"\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("a", 216), "[127.0.0.1]"},
		"with an extension": {"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x01\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\x10\x00\x01\xbb" + "\xea\x00\xfd" + strings.Repeat("x", 253), "[192.0.2.9]"},
	} {
		conn, err := e.announce(c.header, "http/1.1")
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		client := raw(t, conn)
		for range 2 {
			client.send("GET / HTTP/1.1", "Host: "+appHost, "X-Forwarded-For: 203.0.113.1", "")
			if _, body := client.response(); body != c.want {
				t.Errorf("%s: the backend saw %s, want %s", about, body, c.want)
			}
		}
	}
}

func TestAnnouncedClientOfThePlainListenerIsRedirected(t *testing.T) {
	e := startEdge(t, nil)
	behindBalancer()(e)
	c, err := e.balanced(header(t, 1, "192.0.2.7:4711")+"GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n", e.http)
	if err != nil {
		t.Fatal(err)
	}
	if response, _ := raw(t, c).response(); response.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestAccessIsOfTheAnnouncedClient(t *testing.T) {
	e := startEdge(t, startBackend(t, says("hello")))
	e.service.Set(&Route{Label: "blue", Backend: e.service.Route().Backend, Policy: Policy{Access: prefixes("192.0.2.0/24")}})
	behindBalancer()(e)
	for client, want := range map[string]int{"192.0.2.7:4711": http.StatusOK, "198.51.100.7:4711": http.StatusForbidden} {
		conn, err := e.announce(header(t, 2, client), "http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		c := raw(t, conn)
		c.send("GET / HTTP/1.1", "Host: "+appHost, "")
		if response, _ := c.response(); response.StatusCode != want {
			t.Errorf("%s: %d, want %d", client, response.StatusCode, want)
		}
	}
}

// A proxy in front of the balancer is believed as one that connects itself.
func TestForwardingHeadersOfAnAnnouncedProxyAreBelieved(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("X-Real-Ip")) }))
	behindBalancer(func(o *TableOptions) { o.TrustedProxies = prefixes("198.51.100.0/24") })(e)
	conn, err := e.announce(header(t, 2, "198.51.100.7:4711"), "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	c := raw(t, conn)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "X-Forwarded-For: 203.0.113.1", "")
	if _, body := c.response(); body != "203.0.113.1" {
		t.Errorf("client %s", body)
	}
}

func TestPeerThatMustAnnounceItsClientsIsNotServedWithoutHeader(t *testing.T) {
	log := new(logText)
	e := startEdge(t, startBackend(t, says("hello")), log.at(slog.LevelInfo))
	behindBalancer()(e)
	for range 3 {
		if _, err := e.announce("", "http/1.1"); err == nil {
			t.Error("served over TLS")
		}
		c, err := e.balanced("GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n", e.http)
		if err != nil {
			t.Fatal(err)
		}
		if answer, _ := io.ReadAll(c); strings.Contains(string(answer), "308") {
			t.Errorf("answered %q", answer)
		}
	}
	if text := log.String(); strings.Count(text, "does not begin with the PROXY header") != 1 || !strings.Contains(text, "level=WARN") {
		t.Errorf("logged %q", text)
	}
}

func TestHealthChecksOfABalancerAreNoNews(t *testing.T) {
	log := new(logText)
	e := startEdge(t, nil, log.at(slog.LevelInfo))
	behindBalancer()(e)
	c, err := e.balanced("", e.https)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
	if text := log.String(); text != "" {
		t.Errorf("logged %q", text)
	}
}

func TestHeaderOfAnybodyElseIsNotBelieved(t *testing.T) {
	e := startEdge(t, startBackend(t, forwardedForHeader))
	if _, err := e.announce(header(t, 2, "192.0.2.7:4711"), "http/1.1"); err == nil {
		t.Error("a stranger's header was read")
	}
	c, err := e.balanced(header(t, 1, "192.0.2.7:4711")+"GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n", e.http)
	if err != nil {
		t.Fatal(err)
	}
	if response, _ := raw(t, c).response(); response.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestPeerThatSendsNoHeaderHoldsNobodyUp(t *testing.T) {
	e := startEdge(t, startBackend(t, forwardedForHeader), func(o *Options) { o.Header = 300 * time.Millisecond })
	behindBalancer()(e)
	var silent []net.Conn
	for range 20 {
		c, err := e.balanced("PROXY TCP4 ", e.https)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	if _, err := e.announce(header(t, 1, "192.0.2.7:4711"), "http/1.1"); err != nil {
		t.Errorf("another connection: %v", err)
	}
	for _, c := range silent {
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatal("a silent connection stays open")
		}
	}
}

func TestAnnouncersAreRefusedOverHTTP3(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	behindBalancer()(e.edge)
	if _, err := e.dialQUIC(appHost); err == nil {
		t.Error("served as if the balancer were the client")
	}
}

// crowded is an edge on which each announced client may have limit connections.
func crowded(t *testing.T, limit int, adjust ...func(*TableOptions)) (*edge, *logText) {
	t.Helper()
	log := new(logText)
	e := startEdge(t, startBackend(t, says("hello")), log.at(slog.LevelInfo))
	behindBalancer(append(adjust, func(o *TableOptions) { o.Connections = limit })...)(e)
	return e, log
}

func TestConnectionsOfOneClientAreLimited(t *testing.T) {
	const limit = 40
	for about, clients := range map[string]func(i int) string{
		"IPv4":             func(i int) string { return fmt.Sprintf("192.0.2.7:%d", 1000+i) },
		"one IPv6 network": func(i int) string { return fmt.Sprintf("[2001:db8:0:1:%x::1]:1000", i) },
	} {
		e, log := crowded(t, limit)
		var mu sync.Mutex
		var open []net.Conn
		refused := 0
		var all sync.WaitGroup
		for i := range 5 * limit {
			all.Go(func() {
				conn, err := e.announce(header(t, 2, clients(i)), "h2")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused++
				} else {
					open = append(open, conn)
				}
			})
		}
		all.Wait()
		if len(open) != limit || refused != 4*limit {
			t.Errorf("%s: %d open, %d refused", about, len(open), refused)
		}
		if text := log.String(); strings.Count(text, "as many connections open as it may") != 1 {
			t.Errorf("%s: logged %q", about, text)
		}
		other, err := e.announce(header(t, 2, "[2001:db8:0:2::1]:1000"), "h2")
		if err != nil {
			t.Errorf("%s: another client: %v", about, err)
		}
		open = append(open, other)
		for _, c := range open {
			_ = c.Close()
		}
		eventually(t, "the client may come again", func() bool {
			conn, err := e.announce(header(t, 2, clients(0)), "h2")
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
		_ = e.stop()
		for i := range e.clients.shards {
			if left := len(e.clients.shards[i].origins); left != 0 {
				t.Errorf("%s: %d addresses are remembered without connections", about, left)
			}
		}
	}
}

func TestPlainConnectionsAreLimitedToo(t *testing.T) {
	e, _ := crowded(t, 1)
	first, err := e.balanced(header(t, 1, "192.0.2.7:1000")+"GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n", e.http)
	if err != nil {
		t.Fatal(err)
	}
	raw(t, first).response()
	second, err := e.balanced(header(t, 1, "192.0.2.7:1001")+"GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n", e.http)
	if err == nil {
		if answer, _ := io.ReadAll(second); len(answer) > 0 {
			t.Errorf("answered %q", answer)
		}
	}
}

func TestAWebSocketKeepsItsPlace(t *testing.T) {
	log := new(logText)
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b, log.at(slog.LevelInfo))
	behindBalancer(func(o *TableOptions) { o.Connections = 1 })(e)
	conn, err := e.announce(header(t, 2, "192.0.2.7:1000"), "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	c := raw(t, conn)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "")
	if response, err := http.ReadResponse(c.Reader, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	if _, err := e.announce(header(t, 2, "192.0.2.7:1001"), "http/1.1"); err == nil {
		t.Error("a second connection was let in")
	}
	_ = conn.Close()
	drained(t, b, DrainLimits{Upgraded: moment})
	eventually(t, "the place is free", func() bool { return e.clients.count(netip.MustParseAddr("192.0.2.7")) == 0 })
}

// A held request whose client leaves must be noticed on a counted connection
// too.
func TestAnnouncedClientThatLeavesFreesItsPlaceInTheHold(t *testing.T) {
	b := startBackend(t, says("hello"))
	e := startEdge(t, b)
	behindBalancer()(e)
	h := NewHold()
	e.service.Set(e.heldRoute(b, "blue", h))
	conn, err := e.announce(header(t, 2, "192.0.2.7:1000"), "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	raw(t, conn).send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 4", "", "body")
	eventually(t, "it waits", func() bool { return h.Waiting() == 1 })
	_ = conn.Close()
	eventually(t, "its place is free", func() bool { return h.Waiting() == 0 })
}

func TestLoopbackAndTrustedProxiesAreNotLimited(t *testing.T) {
	e, _ := crowded(t, 1, func(o *TableOptions) { o.TrustedProxies = prefixes("198.51.100.0/24") })
	for _, client := range []string{"198.51.100.7:1", "127.0.0.1:1", "[::1]:1"} {
		for range 3 {
			if _, err := e.announce(header(t, 2, client), "h2"); err != nil {
				t.Errorf("%s: %v", client, err)
			}
		}
	}
	behindBalancer(func(o *TableOptions) { o.Connections, o.Announcers = 1, nil })(e)
	for range 3 {
		if _, err := e.announce("", "h2"); err != nil {
			t.Errorf("plain loopback: %v", err)
		}
	}
}

func TestHTTP3ConnectionsOfOneClientAreLimited(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")), comingFrom("192.0.2.7"))
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service}, Connections: 2}))
	first, second := e.connect(appHost), e.connect(appHost)
	if _, err := e.dialQUIC(appHost); err == nil {
		t.Error("a third connection was let in")
	}
	if _, body := e.over(second, http.MethodGet, "https://"+appHost+"/"); body != "hello" {
		t.Errorf("body %q", body)
	}
	_ = first.CloseWithError(0x100, "")
	eventually(t, "the client may come again", func() bool {
		_, err := e.dialQUIC(appHost)
		return err == nil
	})
}

func TestHTTP3ClientsProveTheirAddressWhenManyHaveNot(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	socket := packets(t)
	q, err := e.newQUIC(socket, e.tls(appHost))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	anybody := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 1}
	if q.mustVerify(anybody) {
		t.Error("a round trip for nothing")
	}
	q.handshakes.Store(h3Unverified)
	if !q.mustVerify(anybody) {
		t.Error("nobody has to prove anything")
	}
	q.handshakes.Store(0)
	client := netip.MustParseAddr("203.0.113.1")
	for range defaultConnections / 2 {
		e.clients.open(client, defaultConnections)
	}
	if !q.mustVerify(anybody) || q.mustVerify(&net.UDPAddr{IP: net.IPv4(203, 0, 113, 2)}) {
		t.Error("the address that is half out of connections must prove itself, others need not")
	}
}

// With a limit of one every address has to be proved, by a Retry packet.
func TestHTTP3AddressValidationLetsClientsIn(t *testing.T) {
	var w *wire
	e := startEdge3(t, startBackend(t, says("hello")), comingFrom("192.0.2.7"), func(o *Options) {
		w = &wire{PacketConn: o.HTTP3}
		o.HTTP3 = w
	})
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service}, Connections: 1}))
	if _, body := e.get3("/"); body != "hello" {
		t.Errorf("body %q", body)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	initials := map[string]bool{}
	for _, p := range w.seen {
		if p[0]&0xf0 == 0xc0 { // an Initial packet (RFC 9000 §17.2.2)
			initials[string(p[6:6+int(p[5])])] = true
		}
	}
	if len(initials) < 2 {
		t.Errorf("%d connection IDs in Initial packets: no Retry was sent", len(initials))
	}
}
