package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// client3 is client over HTTP/3.
func (e *testEdge) client3() *http.Client {
	e.t.Helper()
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: e.roots()},
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, e.HTTPS, t, q)
		},
	}
	e.t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func TestTheEdgeServesHTTP3OnTheUDPPortOfHTTPS(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	client := e.client3()
	answer, err := client.Get("https://app.localhost/release")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.ProtoMajor != 3 || !strings.Contains(string(body), `"a"`) {
		t.Errorf("%s %q", answer.Proto, body)
	}
	client.CloseIdleConnections()
	if log := e.logged(); !strings.Contains(log, "http3="+e.HTTPS) {
		t.Errorf("the log does not say where HTTP/3 is served:\n%s", log)
	}
	e.edit("edge: { ", "edge: { http3: false, ")
	e.fails(3, []string{"a running edge cannot change edge.http3"}, "reload")
}

func TestAUDPPortThatIsTakenIsExplained(t *testing.T) {
	e := newTestEdge(t, "")
	taken, err := net.ListenPacket("udp", e.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	read := func() *config.Config {
		c, err := config.Load(e.config(), config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	_, err = newEdge(edgeOptions{Config: read(), Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Fatal("the port was taken twice")
	}
	var told *switcher.Error
	if !errors.As(err, &told) || !strings.Contains(told.What, "UDP "+e.HTTPS) || !strings.Contains(told.Hint, "edge.http3: false") {
		t.Errorf("refused with %v, %+v", err, told)
	}
	if l, err := net.Listen("tcp", e.HTTPS); err != nil {
		t.Errorf("what was open stays open: %v", err)
	} else {
		l.Close()
	}
	e.edit("edge: { ", "edge: { http3: false, ")
	edge, err := newEdge(edgeOptions{Config: read(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("without HTTP/3: %v", err)
	}
	edge.close()
}

func TestAPortOfTheKernelIsFreeForTCPAndUDP(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		stream, datagrams, err := listenBoth(address)
		if err != nil {
			t.Fatal(err)
		}
		if tcp, udp := port(stream.Addr()), datagrams.LocalAddr().(*net.UDPAddr).Port; tcp != udp {
			t.Errorf("%s: ports %d and %d", address, tcp, udp)
		}
		stream.Close()
		datagrams.Close()
	}
}

// A balancer on this machine must not lock our own probes out.
func TestProbesPassWherePeersAnnounceTheirClients(t *testing.T) {
	e := newTestEdge(t, "")
	edge, load := e.inside()
	serve(t, edge)
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := edge.probes(20*time.Second).Public(ctx, "app.localhost", "/health")
		return err
	}
	// Nothing is deployed: the listener answers, and says so.
	for _, ranges := range [][]netip.Prefix{nil, {netip.MustParsePrefix("127.0.0.0/8")}, nil} {
		next := load()
		next.Edge.ProxyProtocol = ranges
		if err := edge.reloadWith(next); err != nil {
			t.Fatal(err)
		}
		e.await(fmt.Sprintf("an answer with %v", ranges), func() bool { // the first certificate may still be made
			err := ask()
			return err != nil && strings.Contains(err.Error(), "answered 503")
		})
	}
}
