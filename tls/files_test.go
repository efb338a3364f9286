package edgetls

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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

// watched is an edge that looks at its files often, and what it logs.
func watched(t *testing.T, pairs ...KeyPair) (*edge, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	e := listen(t).serve(Options{
		Issuer: IssuerFiles, Hosts: []string{production}, Files: pairs,
		Logger: slog.New(slog.NewTextHandler(log, nil)), pace: pace{files: 2 * time.Millisecond},
	}).run()
	return e, log
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// serial is the number of the certificate that new handshakes get.
func (e *edge) serial() string {
	e.t.Helper()
	leaf, err := e.shown(production)
	if err != nil {
		e.t.Fatal(err)
	}
	return leaf.SerialNumber.String()
}

func serialOf(t *testing.T, pair KeyPair) string {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.SerialNumber.String()
}

func replaceFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatAreReplacedAreServedWithoutAReload(t *testing.T) {
	dir := t.TempDir()
	const month = 30 * 24 * time.Hour
	// As certbot and Kubernetes do: the names are links, of files or of a directory.
	live := filepath.Join(dir, "live")
	release := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		keyPair(t, path, "tls", month, production)
		return path
	}
	link := func(to, name string) {
		_ = os.Remove(name + ".new")
		if err := os.Symlink(to, name+".new"); err != nil {
			t.Fatal(err)
		}
		replaceFile(t, name+".new", name)
	}
	link(release("1"), live)
	pair := KeyPair{Cert: filepath.Join(live, "tls.crt"), Key: filepath.Join(live, "tls.key")}
	e, log := watched(t, pair)
	serves := func(how string) {
		t.Helper()
		want := serialOf(t, pair)
		eventually(t, "the certificate that was "+how, func() bool { return e.serial() == want })
	}
	serves("there at the start")
	link(release("2"), live)
	serves("linked to by its directory")
	next := release("3")
	link(filepath.Join(next, "tls.key"), pair.Key)
	link(filepath.Join(next, "tls.crt"), pair.Cert)
	serves("linked to by its files")
	next = release("4")
	replaceFile(t, filepath.Join(next, "tls.crt"), pair.Cert)
	replaceFile(t, filepath.Join(next, "tls.key"), pair.Key)
	serves("renamed into place")
	keyPair(t, live, "tls", month, production)
	serves("written in place")
	if strings.Contains(log.String(), "level=ERROR") && !strings.Contains(log.String(), "the one before is served") {
		t.Errorf("logged:\n%s", log)
	}
	if s := e.statusOf(production); !s.OK || s.Error != "" {
		t.Errorf("the status is %+v", s)
	}
}

func TestAHalfReplacedPairKeepsTheOneBefore(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	pair := keyPair(t, dir, "pair", time.Hour, production)
	next := keyPair(t, elsewhere, "pair", 2*time.Hour, production)
	nextSerial, before := serialOf(t, next), serialOf(t, pair)
	e, log := watched(t, pair)

	replaceFile(t, next.Cert, pair.Cert)
	eventually(t, "the status tells", func() bool { return strings.Contains(e.statusOf(production).Error, "the one before is served") })
	if s := e.statusOf(production); !s.OK || e.serial() != before {
		t.Errorf("with half of a pair the status is %+v, the certificate another one: %t", s, e.serial() != before)
	}
	looks := time.Now() // many of them
	eventually(t, "some time", func() bool { return time.Since(looks) > 50*time.Millisecond })
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("it is logged %d times:\n%s", n, log)
	}

	replaceFile(t, next.Key, pair.Key)
	eventually(t, "the whole pair", func() bool { return e.serial() == nextSerial })
	if s := e.statusOf(production); !s.OK || s.Error != "" {
		t.Errorf("afterwards the status is %+v", s)
	}
	key, err := os.ReadFile(pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(key), "\n")[1:] {
		if len(line) > 20 && !strings.HasPrefix(line, "-") && strings.Contains(log.String(), line) {
			t.Errorf("the key is logged:\n%s", log)
		}
	}
}

func TestAMissingOrOversizedFileIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	pair := keyPair(t, dir, "pair", time.Hour, production)
	e, _ := watched(t, pair)
	before := e.serial()
	for name, spoil := range map[string]func() error{
		"no such file":       func() error { return nil },
		"not a regular file": func() error { return syscall.Mkfifo(pair.Key, 0o600) },
		"bytes":              func() error { return os.WriteFile(pair.Key, make([]byte, maxPEM+1), 0o600) },
	} {
		if err := os.Remove(pair.Key); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the status tells of "+name, func() bool { return strings.Contains(e.statusOf(production).Error, name) })
		if e.serial() != before {
			t.Errorf("%s: another certificate is served", name)
		}
		_ = os.Remove(pair.Key)
		keyPair(t, dir, "pair", time.Hour, production)
		eventually(t, "a good pair again", func() bool { return e.statusOf(production).Error == "" })
		before = e.serial()
	}
}

// The files may have been replaced since they were looked at.
func TestAFIFOIsNotOpenedForItsWriter(t *testing.T) {
	p := &pairFiles{KeyPair: keyPair(t, t.TempDir(), "pair", time.Hour, production)}
	if err := errors.Join(os.Remove(p.Key), syscall.Mkfifo(p.Key, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// What is written within one tick of the file system's clock looks unchanged.
func TestAChangeThatTheStampDoesNotShowIsSeenWhileTheFileIsFresh(t *testing.T) {
	dir := t.TempDir()
	p := &pairFiles{KeyPair: keyPair(t, dir, "pair", time.Hour, production)}
	if !p.look(true) || p.settled {
		t.Fatalf("first look: %+v", p)
	}
	before := p.cert
	keyPair(t, dir, "pair", 2*time.Hour, production)
	p.seen, _, _ = p.stamp()
	if !p.look(false) || p.cert == before {
		t.Error("the new content was not looked at")
	}
	old := p.cert
	p.settled = true
	if p.look(false) || p.cert != old {
		t.Error("a file that was left alone is read again")
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
