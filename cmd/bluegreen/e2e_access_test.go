package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sofiacall.com/bluegreen/admin"
)

const internalHost = "https://internal.app.localhost/release"

// opens tells which status a client gets from the internal host.
func opens(t *testing.T, c *http.Client, adjust func(*http.Request)) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, internalHost, nil)
	if err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(r)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestTheInternalHostOpensByAnyRuleOfItsAccess(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), 10)
	if err != nil {
		t.Fatal(err)
	}
	cert, authority := clientCertificate(t)
	e.write("clients.pem", authority)
	// Loopback is not in the list, so that a test is a stranger.
	e.Extra = "    access: { allow: [192.0.2.0/24], basic: { maria: '" + string(hash) + "' }, client_ca: clients.pem, signed: true }"
	e.configure()
	e.start()
	e.deploy("a")

	password := func(p string) func(*http.Request) { return func(r *http.Request) { r.SetBasicAuth("maria", p) } }
	certified := e.client()
	certified.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	invited := e.client()
	invited.Jar = jar
	url := strings.TrimSpace(e.must("link", "--expires", "1h", "--path", "/release?a=1").stdout)
	if !strings.HasPrefix(url, "https://internal.app.localhost:") || !strings.Contains(url, "/release?a=1&bluegreen_link=") {
		t.Fatalf("the link is %s", url)
	}

	if got := opens(t, e.client(), nil); got != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", got)
	}
	if got := opens(t, e.client(), password("guess")); got != http.StatusUnauthorized {
		t.Errorf("a wrong password gets %d", got)
	}
	if got := opens(t, e.client(), password("open sesame")); got != http.StatusOK {
		t.Errorf("the password gets %d", got)
	}
	if got := opens(t, certified, nil); got != http.StatusOK {
		t.Errorf("a certificate gets %d", got)
	}
	answer, err := invited.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || strings.Contains(answer.Request.URL.String(), "bluegreen_link") {
		t.Errorf("the link leads to %s: %s", answer.Request.URL, answer.Status)
	}
	answer, err = invited.Get("https://internal.app.localhost:" + answer.Request.URL.Port() + "/release")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("afterwards the cookie gets %s", answer.Status)
	}
	e.reloadsAccess(certified)

	for _, secret := range []string{string(hash)[7:], "open sesame", url[strings.Index(url, "bluegreen_link=")+15:], mustRead(t, e.file("state/links.key"))} {
		e.showsNowhere(strings.TrimSpace(secret))
	}
	if info, err := os.Stat(e.file("state/links.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key of links: %v, %v", info, err)
	}
}

// A start goes on without a CA that cannot be read: nobody gets in by it, and
// everything else is served.
func TestAnUnreadableCAOfClientsClosesOnlyThatWayIn(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.write("clients.pem", "not a certificate")
	e.Extra = "    access: { client_ca: clients.pem }"
	e.configure()
	e.start()
	e.deploy("a")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q", got)
	}
	if got := opens(t, e.client(), nil); got != http.StatusForbidden {
		t.Errorf("the internal host answers %d", got)
	}
	if log := e.logged(); !strings.Contains(log, "access.client_ca") || !strings.Contains(log, "holds no PEM certificate") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// reloadsAccess replaces the file of authorities: certificates of the old one
// are worth nothing after a reload.
func (e *testEdge) reloadsAccess(certified *http.Client) {
	e.t.Helper()
	_, other := clientCertificate(e.t)
	e.write("clients.pem", "not a certificate")
	e.fails(2, []string{"access.client_ca", "holds no PEM certificate"}, "reload")
	if got := opens(e.t, certified, nil); got != http.StatusOK {
		e.t.Errorf("after a refused reload the certificate gets %d", got)
	}
	e.write("clients.pem", other)
	e.must("reload")
	if answer, err := certified.Get(internalHost); err == nil {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			e.t.Error("a certificate of an authority that was taken away still opens")
		}
	}
}

// showsNowhere looks for a secret in what the edge and its commands say, and
// in its files.
func (e *testEdge) showsNowhere(secret string) {
	e.t.Helper()
	shown := map[string]string{"serve.log": e.logged()}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"history", "--json"}, {"config", "check", e.config()}} {
		r := e.cli(args...)
		shown[strings.Join(args, " ")] = r.stdout + r.stderr
	}
	err := filepath.WalkDir(e.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && path != e.config() && filepath.Base(path) != "links.key" {
			shown[path] = mustRead(e.t, path)
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for where, text := range shown {
		if strings.Contains(text, secret) {
			e.t.Errorf("a secret is in %s", where)
		}
	}
}

func TestALinkIsRefusedWhereItWouldOpenNothing(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.fails(3, []string{"does not accept signed links", "signed: true"}, "link")
	e.Extra = "    access: { signed: true }"
	e.configure()
	e.must("reload")
	e.fails(2, []string{`"app.localhost" is not an internal host`, "internal.app.localhost"}, "link", "--host", "app.localhost")
	e.fails(2, []string{"not 721h0m0s"}, "link", "--expires", "721h")
	e.fails(2, []string{"not 0s"}, "link", "--expires", "0s")
	e.fails(2, []string{`"1d" is not a duration`}, "link", "--expires", "1d")
	for _, path := range []string{"x", "https://evil.test/", "/a b", "/a#b"} {
		e.fails(2, []string{"is not a path"}, "link", "--path", path)
	}
	var link admin.Link
	if err := json.Unmarshal([]byte(e.must("link", "--host", "INTERNAL.app.localhost", "--json").stdout), &link); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(link.Expires); left > 24*time.Hour || left < 23*time.Hour || !strings.HasPrefix(link.URL, "https://internal.app.localhost") {
		t.Errorf("the link is %+v", link)
	}
}

// clientCertificate is a certificate of a client and its authority as PEM.
func clientCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	authority, authorityKey := newCertificate(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true}, nil, nil)
	cert, key := newCertificate(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, authority, authorityKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}))
}

func newCertificate(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
