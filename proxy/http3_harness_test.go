package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// edge3 is an edge that serves HTTP/3 too.
type edge3 struct {
	*edge
	udp net.Addr
}

func startEdge3(t *testing.T, backend *Backend, adjust ...func(*Options)) *edge3 {
	t.Helper()
	socket := packets(t)
	e := startEdge(t, backend, append([]func(*Options){func(o *Options) { o.HTTP3 = socket }}, adjust...)...)
	return &edge3{e, socket.LocalAddr()}
}

func packets(t *testing.T) net.PacketConn {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return socket
}

// elsewhere has clients on loopback come from another address.
type elsewhere struct {
	net.PacketConn
	from net.IP
}

func (c elsewhere) ReadFrom(p []byte) (int, net.Addr, error) {
	n, a, err := c.PacketConn.ReadFrom(p)
	if udp, ok := a.(*net.UDPAddr); ok {
		a = &net.UDPAddr{IP: c.from, Port: udp.Port}
	}
	return n, a, err
}

func (c elsewhere) WriteTo(p []byte, a net.Addr) (int, error) {
	return c.PacketConn.WriteTo(p, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.(*net.UDPAddr).Port})
}

// comingFrom has every client of HTTP/3 come from ip.
func comingFrom(ip string) func(*Options) {
	return func(o *Options) { o.HTTP3 = elsewhere{o.HTTP3, net.ParseIP(ip)} }
}

func (e *edge3) tls(serverName string) *tls.Config {
	return &tls.Config{RootCAs: e.roots, ServerName: serverName, NextProtos: []string{http3.NextProtoH3}}
}

// client3 returns an HTTP/3 client whose every host is the edge.
func (e *edge3) client3(adjust ...func(*quic.Config)) *http.Client {
	transport := &http3.Transport{
		TLSClientConfig:    e.tls(""),
		DisableCompression: true,
		QUICConfig:         new(quic.Config),
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, e.udp.String(), t, q)
		},
	}
	for _, f := range adjust {
		f(transport.QUICConfig)
	}
	e.t.Cleanup(func() { _ = transport.Close() })
	return &http.Client{Transport: transport, Timeout: patience}
}

// connect opens an HTTP/3 connection of its own.
func (e *edge3) connect(serverName string) *http3.ClientConn {
	e.t.Helper()
	conn, err := e.dialQUIC(serverName)
	if err != nil {
		e.t.Fatal(err)
	}
	return new(http3.Transport).NewClientConn(conn)
}

func (e *edge3) dialQUIC(serverName string) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.udp.String(), e.tls(serverName), nil)
	if err == nil {
		e.t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	}
	return conn, err
}

// get3 requests a page of appHost and returns the response with its body read.
func (e *edge3) get3(path string, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.do3(http.MethodGet, path, nil, header...)
}

func (e *edge3) do3(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.exchange(e.client3().Do, method, "https://"+appHost+path, body, header...)
}

// over requests from a connection whose server name may differ from the host.
func (e *edge3) over(c *http3.ClientConn, method, target string, header ...string) (*http.Response, string) {
	e.t.Helper()
	return e.exchange(c.RoundTrip, method, target, nil, header...)
}
