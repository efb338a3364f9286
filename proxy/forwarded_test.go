package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestForwardedOfATrustedProxyIsBelieved(t *testing.T) {
	table := mustTable(t, TableOptions{TrustedProxies: prefixes("10.0.0.0/8", "fd00::/8")})
	for _, c := range []struct {
		peer      string
		forwarded []string
		client    string
		hops      string // as X-Forwarded-For
	}{
		{"10.1.1.1:1", []string{`for=198.51.100.7`}, "198.51.100.7", "198.51.100.7"},
		{"10.1.1.1:1", []string{`For="[2001:db8:cafe::17]:4711"; proto=https`}, "2001:db8:cafe::17", "[2001:db8:cafe::17]:4711"},
		{"10.1.1.1:1", []string{`for="[2001:db8::1]"`}, "2001:db8::1", "[2001:db8::1]"},
		{"10.1.1.1:1", []string{`for=6.6.6.6, for=198.51.100.7;by=10.2.2.2, for=10.2.2.2`}, "198.51.100.7", "6.6.6.6, 198.51.100.7, 10.2.2.2"},
		{"10.1.1.1:1", []string{`for=6.6.6.6`, `for=198.51.100.7`}, "198.51.100.7", "6.6.6.6, 198.51.100.7"},
		{"[fd00::1]:1", []string{`host="a, for=6.6.6.6";for=198.51.100.7`}, "198.51.100.7", "198.51.100.7"},
		{"10.1.1.1:1", []string{`for=198.51.100.7, for=unknown`}, "10.1.1.1", "198.51.100.7, unknown"},
		{"10.1.1.1:1", []string{`for=198.51.100.7, for=_hidden`}, "10.1.1.1", "198.51.100.7, _hidden"},
		{"10.1.1.1:1", []string{`for=198.51.100.7, by=10.2.2.2`}, "10.1.1.1", "198.51.100.7, unknown"},
		{"10.1.1.1:1", []string{`for=198.51.100.7;for=6.6.6.6`}, "10.1.1.1", "unknown"},
		{"10.1.1.1:1", []string{`for="198.51.100.7, for=6.6.6.6`}, "10.1.1.1", "unknown"},
		{"10.1.1.1:1", []string{`for="6.6.6.6,10.2.2.2"`}, "10.1.1.1", "unknown"},
		{"192.0.2.1:1", []string{`for=198.51.100.7`}, "192.0.2.1", "198.51.100.7"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"Forwarded": c.forwarded}}
		if client, _ := table.origin(r); client.String() != c.client {
			t.Errorf("peer %s, Forwarded %q: client %s, want %s", c.peer, c.forwarded, client, c.client)
		}
		if got := strings.Join(hops(r.Header), ", "); got != c.hops {
			t.Errorf("Forwarded %q: hops %q, want %q", c.forwarded, got, c.hops)
		}
	}
	r := &http.Request{RemoteAddr: "10.1.1.1:1", Header: http.Header{"X-Forwarded-For": {"198.51.100.7"}, "Forwarded": {"for=6.6.6.6"}}}
	if client, _ := table.origin(r); client.String() != "198.51.100.7" {
		t.Errorf("Forwarded overrides X-Forwarded-For: %s", client)
	}
}

func TestForwardedReachesTheBackendAsTheOtherFields(t *testing.T) {
	seen := make(chan http.Header, 1)
	e := startEdge(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	e.SetTable(mustTable(t, TableOptions{Services: map[string]*Service{appHost: e.service}, TrustedProxies: prefixes("127.0.0.0/8")}))
	e.get(false, "https://"+appHost+"/", "Forwarded", `for="[2001:db8::7]:80";proto=http;host=www.example.com`)
	h := <-seen
	for name, want := range map[string]string{
		"X-Forwarded-For": "[2001:db8::7]:80, 127.0.0.1", "X-Real-Ip": "2001:db8::7", "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": "www.example.com", "Forwarded": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// listenOn has an edge listen on an address, for HTTP/3 too.
func listenOn(t *testing.T, address string) func(*Options) {
	t.Helper()
	stream, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = stream.Close(), datagrams.Close() })
	return func(o *Options) { o.HTTPS, o.HTTP3 = stream, datagrams }
}

// reachedAt is where a listener is reached from an address of loopback.
func reachedAt(from net.IP, a net.Addr) string {
	switch a := a.(type) {
	case *net.TCPAddr:
		return (&net.TCPAddr{IP: from, Port: a.Port}).String()
	case *net.UDPAddr:
		return (&net.UDPAddr{IP: from, Port: a.Port}).String()
	}
	panic("unreachable")
}

func TestClientsOfBothFamiliesAreSeenByTheirAddress(t *testing.T) {
	for _, listener := range []struct {
		address string
		clients []string
	}{
		{"[::1]:0", []string{"::1"}},
		{":0", []string{"::1", "127.0.0.1"}},
		{"127.0.0.1:0", []string{"127.0.0.1"}},
	} {
		var udp net.Addr
		e := startEdge(t, startBackend(t, forwardedForHeader), listenOn(t, listener.address), func(o *Options) { udp = o.HTTP3.LocalAddr() })
		tcp := e.Server.https.Addr()
		for _, client := range listener.clients {
			at := net.ParseIP(client)
			e.https = reachedAt(at, tcp)
			quic := &edge3{e, udpAddr(t, reachedAt(at, udp))}
			for protocol, get := range map[string]func() (*http.Response, string){
				"h1": func() (*http.Response, string) { return e.get(false, "https://"+appHost+"/") },
				"h2": func() (*http.Response, string) { return e.get(true, "https://"+appHost+"/") },
				"h3": func() (*http.Response, string) { return quic.get3("/") },
			} {
				if _, body := get(); body != "["+client+"]" {
					t.Errorf("listening on %s, %s from %s: X-Forwarded-For %s", listener.address, protocol, client, body)
				}
			}
		}
	}
}

func udpAddr(t *testing.T, address string) net.Addr {
	t.Helper()
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address))
}

func TestBackendMayHaveAnIPv6Address(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := &http.Server{Handler: says("six")}
	go func() { _ = backend.Serve(l) }()
	t.Cleanup(func() { _ = backend.Close() })
	e := startEdge(t, backendAt(t, l.Addr().String()))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if _, body := e.do(false, method, "https://"+appHost+"/", strings.NewReader("body")); body != "six" {
			t.Errorf("%s: %q", method, body)
		}
	}
}
