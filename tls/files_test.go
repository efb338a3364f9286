package edgetls

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// keyPair writes a pair for names that is valid until the given time from now.
func keyPair(t testing.TB, dir, file string, valid time.Duration, names ...string) KeyPair {
	t.Helper()
	key, err := certmagic.DefaultKeyGenerator.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair := KeyPair{Cert: filepath.Join(dir, file+".crt"), Key: filepath.Join(dir, file+".key")}
	if err := os.WriteFile(pair.Key, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	der, err := selfSigned(key.(crypto.Signer), valid, names)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(pair.Cert, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestKeyPairsAreMatchedToHosts(t *testing.T) {
	dir := t.TempDir()
	const day = 24 * time.Hour
	e := listen(t).serve(Options{
		Issuer: IssuerFiles,
		Hosts:  []string{production, internal, "expired.example.test", "missing.example.test"},
		Files: []KeyPair{
			keyPair(t, dir, "old", -day, production),
			keyPair(t, dir, "new", 60*day, production),
			keyPair(t, dir, "wild", 60*day, "*.app.example.test"),
			keyPair(t, dir, "expired", -day, "expired.example.test"),
			{Cert: filepath.Join(dir, "none.crt"), Key: filepath.Join(dir, "none.key")},
		},
	}).run()

	for _, host := range []string{production, internal} {
		leaf, err := e.shown(host)
		if err != nil || leaf.VerifyHostname(host) != nil || !e.statusOf(host).OK {
			t.Errorf("%s is shown %v: %v, %+v", host, leaf, err, e.statusOf(host))
		}
	}
	if s := e.statusOf("expired.example.test"); s.OK || !s.Expiring || !strings.Contains(s.Error, "expired") {
		t.Errorf("the status of the expired pair is %+v", s)
	}
	if s := e.statusOf("missing.example.test"); s.OK || !strings.Contains(s.Error, "none.crt") {
		t.Errorf("the status of the host without a pair is %+v", s)
	}
}

func TestSetHostsReadsKeyPairsAgain(t *testing.T) {
	dir := t.TempDir()
	pair := keyPair(t, dir, "pair", time.Hour, production)
	e := listen(t).serve(Options{Issuer: IssuerFiles, Hosts: []string{production}, Files: []KeyPair{pair}})
	before := e.statusOf(production).NotAfter
	keyPair(t, dir, "pair", 48*time.Hour, production)
	if err := e.SetHosts([]string{production}); err != nil {
		t.Fatal(err)
	}
	if after := e.statusOf(production).NotAfter; !after.After(before) {
		t.Errorf("the pair of %v is served, not the one read again", after)
	}

	// Half of a replacement is worse than the pair of before.
	if err := os.WriteFile(pair.Key, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.SetHosts([]string{production}); err != nil {
		t.Fatal(err)
	}
	if s := e.statusOf(production); !s.OK || !strings.Contains(s.Error, "pair.crt") {
		t.Errorf("after an unusable replacement the status is %+v", s)
	}
}

func selfSigned(key crypto.Signer, valid time.Duration, names []string) ([]byte, error) {
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial(), DNSNames: names,
		NotBefore: now.Add(valid - 90*24*time.Hour), NotAfter: now.Add(valid),
	}
	return x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
}
