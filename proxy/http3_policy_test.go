package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func TestClientCertificatesAreSeenOverHTTP3(t *testing.T) {
	ours := newAuthority(t)
	backend := startBackend(t, says("hello"))
	e := startEdge3(t, backend, func(o *Options) {
		// As the edge has it: only some hosts ask.
		plain, asking := o.TLS, o.TLS.Clone()
		asking.ClientAuth, asking.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
		asking.ClientCAs.AddCert(ours.cert)
		o.TLS = plain.Clone()
		o.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if hello.ServerName == appHost {
				return asking, nil
			}
			return nil, nil
		}
	})
	e.keepOut(backend, func(p *Policy) { p.Authorities = []*x509.Certificate{ours.cert} })
	if status := statusFor(t, e.client3()); status != http.StatusForbidden {
		t.Errorf("without a certificate: %d", status)
	}
	client, cert := e.client3(), ours.issue()
	client.Transport.(*http3.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	if status := statusFor(t, client); status != http.StatusOK {
		t.Errorf("with a certificate: %d", status)
	}
}

func TestBodyTooLargeIsRefusedOverHTTP3(t *testing.T) {
	e := startEdge3(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	e.under(func(p *Policy) { p.BodyLimit = 1000 })
	for about, body := range map[string]io.Reader{
		"known length":   strings.NewReader(strings.Repeat("x", 5000)),
		"unknown length": io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))),
	} {
		if response, _ := e.do3(http.MethodPost, "/", body); response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", about, response.StatusCode)
		}
	}
}

func TestHTTP3ClientThatLeavesEndsTheCallToTheBackend(t *testing.T) {
	left := make(chan struct{})
	arrived := make(chan struct{})
	e := startEdge3(t, startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+appHost+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := e.client3()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := client.Do(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	receive(t, "the request arrives", arrived)
	leave()
	receive(t, "the backend is told", left)
	receive(t, "the client has gone", gone)
	e.wantFailure(FailureClientGone)
}

func TestStopEndsHTTP3EventStreamsAtOnce(t *testing.T) {
	e := startEdge3(t, eventSource(t), func(o *Options) { o.ShutdownGrace = patience })
	body := e.stream3()
	stopped := make(chan error, 1)
	go func() { stopped <- e.stop() }()
	endsWell(t, body)
	if err := receive(t, "the server stops", stopped); err != nil {
		t.Error(err)
	}
}

// Early data can be replayed by anybody (RFC 8470 §2).
func TestHTTP3TakesNoEarlyData(t *testing.T) {
	e := startEdge3(t, startBackend(t, says("hello")))
	config := e.tls(appHost)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for round := range 2 {
		conn, err := quic.DialAddrEarly(t.Context(), e.udp.String(), config, nil)
		if err != nil {
			t.Fatal(err)
		}
		<-conn.HandshakeComplete()
		c := new(http3.Transport).NewClientConn(conn)
		e.over(c, http.MethodGet, "https://"+appHost+"/")
		state := conn.ConnectionState()
		if state.Used0RTT || state.TLS.DidResume != (round == 1) {
			t.Errorf("round %d: early data %v, resumed %v", round, state.Used0RTT, state.TLS.DidResume)
		}
		_ = conn.CloseWithError(0x100, "")
	}
}

// stuck observes nothing until the test lets it.
type stuck struct {
	recorder
	release chan struct{}
}

func (s *stuck) Request(Observation) { <-s.release }

// CVE-2023-44487, for HTTP/3: a stream that was reset must not make room for
// the next request while the last one is still being given up.
func TestHTTP3ClientThatResetsStreamsHasNoMoreOfThem(t *testing.T) {
	b := startBackend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	e := startEdge3(t, b)
	slow := &stuck{release: make(chan struct{})}
	defer close(slow.release)
	e.service.Set(&Route{Label: "blue", Backend: b, Recorder: slow, Policy: Policy{Public: true}})
	c := e.connect(appHost)
	begun := int64(0)
	for begun <= h2Streams {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		str, err := c.OpenRequestStream(ctx)
		cancel()
		if err != nil {
			break
		}
		r, _ := http.NewRequest(http.MethodGet, "https://"+appHost+"/", nil)
		if str.SendRequestHeader(r) != nil || str.Close() != nil {
			break
		}
		begun++
		eventually(t, "the request is at work", func() bool { return e.Server.serving.Load() == begun })
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
	if begun != h2Streams {
		t.Errorf("%d requests were begun, want %d", begun, h2Streams)
	}
	another := e.connect(appHost)
	e.over(another, http.MethodGet, "https://unknown.test/")
}
