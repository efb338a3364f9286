package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// authority issues certificates of clients.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.make(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)})
	return a
}

// make signs a certificate, of the authority itself as long as there is none.
func (a *authority) make(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore = big.NewInt(2), time.Now().Add(-time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) issue() tls.Certificate {
	cert, key := a.make(&x509.Certificate{NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// asking makes a server ask for certificates of the authorities.
func asking(authorities ...*authority) func(*Options) {
	return func(o *Options) {
		o.TLS.ClientAuth, o.TLS.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
		for _, a := range authorities {
			o.TLS.ClientCAs.AddCert(a.cert)
		}
	}
}

// with is a client that shows a certificate.
func (e *edge) with(cert tls.Certificate, h2 bool) *http.Client {
	c := e.client(h2)
	// Shown whatever authorities the server names, as a client may.
	c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &cert, nil
	}
	return c
}

func statusFor(t *testing.T, c *http.Client) int {
	t.Helper()
	response, err := c.Get("https://" + appHost + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestACertificateOfTheAuthoritiesLetsIn(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	backend := startBackend(t, says("hello"))
	e := startEdge(t, backend, asking(ours, theirs))
	e.keepOut(backend, func(p *Policy) { p.Authorities = []*x509.Certificate{ours.cert} })
	for _, h2 := range []bool{false, true} {
		if status := statusFor(t, e.with(ours.issue(), h2)); status != http.StatusOK {
			t.Errorf("with a certificate: %d", status)
		}
		// As on a connection from before a reload.
		if status := statusFor(t, e.with(theirs.issue(), h2)); status != http.StatusForbidden {
			t.Errorf("with a certificate of authorities that are not the route's: %d", status)
		}
		response, _ := e.get(h2, "https://"+appHost+"/")
		if response.StatusCode != http.StatusForbidden || !h2 && !response.Close {
			t.Errorf("without a certificate: %s, the connection ends: %t", response.Status, response.Close)
		}
	}
	// A certificate that nobody asked for is nothing.
	e.keepOut(backend, func(*Policy) {})
	if status := statusFor(t, e.with(ours.issue(), true)); status != http.StatusForbidden {
		t.Errorf("with a certificate on a route without authorities: %d", status)
	}
}

// Browsers show certificates over TCP only.
func TestARouteThatAsksForCertificatesOffersNoHTTP3(t *testing.T) {
	ours := newAuthority(t)
	backend := startBackend(t, says("hello"))
	e := startEdge3(t, backend, func(o *Options) {
		ask := o.TLS.Clone()
		asking(ours)(&Options{TLS: ask})
		o.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return ask, nil }
	})
	e.keepOut(backend, func(p *Policy) { p.Authorities = []*x509.Certificate{ours.cert} })
	for _, response := range []*http.Response{first(e.get(true, "https://"+appHost+"/")), first(e.get3("/"))} {
		if response.StatusCode != http.StatusForbidden || response.Header.Get("Alt-Svc") != "clear" {
			t.Errorf("%s without a certificate: %s, Alt-Svc %q", response.Proto, response.Status, response.Header.Get("Alt-Svc"))
		}
	}
	// Whoever does show one gets in.
	c := e.client3()
	c.Transport.(*http3.Transport).TLSClientConfig.Certificates = []tls.Certificate{ours.issue()}
	if status := statusFor(t, c); status != http.StatusOK {
		t.Errorf("with a certificate: %d", status)
	}
}

func first(response *http.Response, _ string) *http.Response { return response }

func TestACertificateThatHasExpiredOnAnOpenConnectionIsNone(t *testing.T) {
	ours := newAuthority(t)
	leaf, _ := ours.make(&x509.Certificate{NotAfter: time.Now().Add(time.Minute)})
	p := &Policy{Authorities: []*x509.Certificate{ours.cert}}
	state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf, ours.cert}}, PeerCertificates: []*x509.Certificate{leaf}}
	if !p.certified(state, leaf.NotAfter) {
		t.Error("refused before its end")
	}
	if p.certified(state, leaf.NotAfter.Add(time.Second)) {
		t.Error("accepted after its end")
	}
	state.VerifiedChains = nil
	if p.certified(state, time.Now()) || p.certified(nil, time.Now()) {
		t.Error("a certificate that was not verified is accepted")
	}
}

// The rules are alternatives: whoever meets one needs none of the others.
func TestAnyOneRuleOfAccessIsEnough(t *testing.T) {
	ours := newAuthority(t)
	backend := startBackend(t, says("hello"))
	e := startEdge(t, backend, asking(ours))
	links := linkKey(t).Links("chat")
	all := func(p *Policy) {
		p.Basic, p.Authorities = users(t, NewPasswords()), []*x509.Certificate{ours.cert}
		p.Links, p.Signed = links, true
	}
	e.keepOut(backend, all)
	if response, _ := e.get(true, "https://"+appHost+"/"); response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("with nothing: %s", response.Status)
	}
	if status := statusFor(t, e.with(ours.issue(), true)); status != http.StatusOK {
		t.Errorf("with a certificate: %d", status)
	}
	cookie := LinkCookie + "=" + links.seal(inCookie, appHost, time.Now().Add(time.Hour).Unix())
	for _, header := range [][2]string{{"Authorization", basic("maria", password)}, {"Cookie", cookie}, {ProbeHeader, secret}} {
		if response, _ := e.get(true, "https://"+appHost+"/", header[:]...); response.StatusCode != http.StatusOK {
			t.Errorf("with %s: %s", header[0], response.Status)
		}
	}
	e.keepOut(backend, func(p *Policy) {
		all(p)
		p.Access = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	if response, _ := e.get(true, "https://"+appHost+"/"); response.StatusCode != http.StatusOK {
		t.Errorf("from an address in the list: %s", response.Status)
	}
	// A link is good for nothing where links are not a rule.
	e.keepOut(backend, func(p *Policy) { p.Links = links })
	if response, _ := e.get(true, "https://"+appHost+"/", "Cookie", cookie); response.StatusCode != http.StatusForbidden {
		t.Errorf("with a link where only ranges are allowed: %s", response.Status)
	}
}
