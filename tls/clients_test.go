package edgetls

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// clients is an authority of clients with a certificate that it has issued.
type clients struct {
	authority *x509.Certificate
	shown     tls.Certificate
}

func newClients(t *testing.T, valid time.Duration) clients {
	t.Helper()
	ca := authority{stateDir: t.TempDir(), lifetime: valid}
	root, err := ca.root()
	if err != nil {
		t.Fatal(err)
	}
	pair := keyPair(t, t.TempDir(), "client", valid, "maria")
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	template := *cert.Leaf
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(nil, &template, root.Leaf, cert.Leaf.PublicKey, root.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return clients{root.Leaf, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: cert.PrivateKey}}
}

// asking is an edge whose handler tells what it knows of its client.
type asking struct {
	*edge
	seen chan tls.ConnectionState
}

func newAsking(t *testing.T) asking {
	t.Helper()
	dir := t.TempDir()
	a := asking{seen: make(chan tls.ConnectionState, 1)}
	a.edge = listen(t).serve(Options{Issuer: IssuerFiles, Hosts: []string{production, internal}, Files: []KeyPair{
		keyPair(t, dir, "production", time.Hour, production), keyPair(t, dir, "internal", time.Hour, internal),
	}})
	a.tlsSrv.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a.seen <- *r.TLS })
	return a
}

// client shows cert when it is asked for one, and resumes sessions.
type client struct {
	a        asking
	http     *http.Client
	wasAsked bool
}

func (a asking) client(cert *tls.Certificate, protocol string, version uint16) *client {
	c := &client{a: a}
	config := &tls.Config{
		InsecureSkipVerify: true, ClientSessionCache: oneSession{tls.NewLRUClientSessionCache(1)}, MinVersion: version, MaxVersion: version,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c.wasAsked = true
			if cert == nil {
				return new(tls.Certificate), nil
			}
			return cert, nil
		},
		NextProtos: []string{protocol},
	}
	c.http = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: protocol == "h2",
	}}
	return c
}

// oneSession offers every host the same session, as a client that means ill.
type oneSession struct{ tls.ClientSessionCache }

func (s oneSession) Get(string) (*tls.ClientSessionState, bool) { return s.ClientSessionCache.Get("") }
func (s oneSession) Put(_ string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put("", state)
}

// open asks host and returns what the edge saw of the client.
func (c *client) open(host string) (state tls.ConnectionState, asked bool, err error) {
	c.wasAsked = false
	transport := c.http.Transport.(*http.Transport)
	transport.TLSClientConfig.ServerName = host
	response, err := c.http.Get("https://" + c.a.tlsAddr + "/")
	if err != nil {
		return state, c.wasAsked, err
	}
	_ = response.Body.Close()
	return <-c.a.seen, c.wasAsked, nil
}

func everyVersion(t *testing.T, do func(t *testing.T, protocol string, version uint16)) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			t.Run(protocol+" over "+name, func(t *testing.T) { do(t, protocol, version) })
		}
	}
}

func TestOnlyHostsWithAuthoritiesAskForACertificate(t *testing.T) {
	good, stranger, expired := newClients(t, time.Hour), newClients(t, time.Hour), newClients(t, -time.Hour)
	everyVersion(t, func(t *testing.T, protocol string, version uint16) {
		a := newAsking(t)
		a.SetAuthorities(map[string][]*x509.Certificate{strings.ToUpper(internal): {expired.authority, good.authority}, production: nil})
		with := a.client(&good.shown, protocol, version)
		if state, asked, err := with.open(production); err != nil || asked || len(state.PeerCertificates) > 0 {
			t.Errorf("production asks for a certificate (%t): %v", asked, err)
		}
		state, asked, err := with.open(internal)
		if err != nil || !asked || len(state.VerifiedChains) != 1 || !slices.ContainsFunc(state.VerifiedChains[0], good.authority.Equal) {
			t.Errorf("with a certificate, asked %t: %v, chains %v", asked, err, state.VerifiedChains)
		}
		if state.NegotiatedProtocol != protocol {
			t.Errorf("the protocol is %q", state.NegotiatedProtocol)
		}
		if state, asked, err := a.client(nil, protocol, version).open(internal); err != nil || !asked || len(state.VerifiedChains) > 0 {
			t.Errorf("without a certificate, asked %t: %v", asked, err)
		}
		for name, c := range map[string]clients{"a stranger's": stranger, "an expired": expired} {
			if _, _, err := a.client(&c.shown, protocol, version).open(internal); err == nil {
				t.Errorf("%s certificate is accepted", name)
			}
		}
		a.SetAuthorities(nil)
		if _, asked, err := with.open(internal); err != nil || asked {
			t.Errorf("afterwards it asks (%t): %v", asked, err)
		}
	})
}

// Where a session is resumed, the client is not asked for a certificate.
func TestNoSessionIsResumedPastTheQuestionForACertificate(t *testing.T) {
	one, other := newClients(t, time.Hour), newClients(t, time.Hour)
	everyVersion(t, func(t *testing.T, protocol string, version uint16) {
		a := newAsking(t)
		c := a.client(&one.shown, protocol, version)
		open := func(when, host string, asks bool) tls.ConnectionState {
			t.Helper()
			state, asked, err := c.open(host)
			if err != nil || asked != asks || asks && state.DidResume {
				t.Errorf("%s: asked %t, resumed %t: %v", when, asked, state.DidResume, err)
			}
			return state
		}
		open("first", internal, false)
		if state := open("second", internal, false); !state.DidResume {
			t.Error("this client resumes nothing, so the rest shows nothing")
		}
		a.SetAuthorities(map[string][]*x509.Certificate{internal: {one.authority}})
		if state := open("with a ticket of before", internal, true); len(state.VerifiedChains) == 0 {
			t.Error("it was not verified")
		}
		open("with a ticket of its own", internal, true)
		open("for a ticket of production", production, false)
		if state := open("again for it", production, false); !state.DidResume {
			t.Error("production resumes nothing")
		}
		if state := open("with the ticket of production", internal, true); len(state.VerifiedChains) == 0 {
			t.Error("it was not verified")
		}
		a.SetAuthorities(map[string][]*x509.Certificate{internal: {other.authority}})
		if state, _, err := c.open(internal); err == nil {
			t.Errorf("after a change of authorities it is accepted, resumed %t", state.DidResume)
		}
	})
}
