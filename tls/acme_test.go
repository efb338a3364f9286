package edgetls

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"sofiacall.com/bluegreen/internal/pebbletest"
)

func TestEachHostGetsACertificateOfItsOwn(t *testing.T) {
	for _, challenge := range []string{"HTTP-01", "TLS-ALPN-01"} {
		t.Run(challenge, func(t *testing.T) {
			e := listen(t)
			ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
			opts := acmeOptions(ca, t.TempDir(), production, internal)
			if challenge == "HTTP-01" {
				opts.HTTPPort = e.httpPort
			} else {
				opts.TLSPort = e.tlsPort
			}
			e.serve(opts).run()
			e.awaitOK(production, internal)
			for _, host := range []string{production, internal} {
				leaf := e.verified(host, ca.Issuers())
				if !slices.Equal(leaf.DNSNames, []string{host}) {
					t.Errorf("the certificate of %s is for %v", host, leaf.DNSNames)
				}
			}
			if n := ca.Orders(); n != 2 {
				t.Errorf("%d orders were placed for two hosts", n)
			}
		})
	}
}

func TestStoredFilesAreTheOwnersAlone(t *testing.T) {
	e, state := listen(t), filepath.Join(t.TempDir(), "state")
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production).awaitOK(production)
	keys := 0
	err := filepath.Walk(state, func(path string, info os.FileInfo, err error) error {
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, not %o", path, info.Mode().Perm(), want)
		}
		if strings.HasSuffix(path, ".key") {
			keys++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if keys != 2 {
		t.Errorf("%d private keys were found, not those of the account and the host", keys)
	}
}

func TestCertificateIsRenewedBeforeItExpires(t *testing.T) {
	e := listen(t)
	ca := pebbletest.StartWith(t, pebbletest.Options{HTTPPort: e.httpPort, TLSPort: e.tlsPort, Lifetime: 9 * time.Second})
	opts := acmeOptions(ca, t.TempDir(), production)
	var mu sync.Mutex
	var signals []Status
	opts.OnExpiry = func(s Status) {
		mu.Lock()
		defer mu.Unlock()
		signals = append(signals, s)
	}
	e.serve(opts).run().awaitOK(production)
	first, err := e.shown(production)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second certificate", func() bool {
		leaf, err := e.shown(production)
		if err != nil {
			t.Fatalf("a handshake failed during the renewal: %v", err)
		}
		return leaf.SerialNumber.Cmp(first.SerialNumber) != 0
	})

	// With the CA gone nothing renews it, and that is signalled twice: near the end and after it.
	ca.Stop()
	mu.Lock()
	signals = nil
	mu.Unlock()
	eventually(t, "the signal of an expired certificate", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(signals) > 0 && !signals[len(signals)-1].OK
	})
	mu.Lock()
	defer mu.Unlock()
	if len(signals) != 2 || !signals[0].OK || signals[0].Host != production {
		t.Fatalf("the signals were %+v", signals)
	}
	if last := signals[1]; !strings.Contains(last.Error, "cannot be reached") {
		t.Errorf("the last signal does not say why: %q", last.Error)
	}
	if _, err := e.shown(production); err != nil {
		t.Errorf("an expired certificate is not shown at all: %v", err)
	}
}

func TestStoredCertificatesAreServedWhileTheCAIsDown(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production).awaitOK(production)
	issued, err := e.shown(production)
	if err != nil {
		t.Fatal(err)
	}
	e.stopRun()
	ca.Stop()

	// The next start: another edge on the same state, with one more host.
	again := listen(t).serve(acmeOptions(ca, state, production, internal))
	leaf, err := again.shown(production)
	if err != nil {
		t.Fatalf("the stored certificate is not served before Run: %v", err)
	}
	if leaf.SerialNumber.Cmp(issued.SerialNumber) != 0 {
		t.Error("another certificate than the stored one is served")
	}
	again.run()
	eventually(t, "the failure to show", func() bool {
		return strings.Contains(again.statusOf(internal).Error, "the ACME server cannot be reached")
	})
	if _, err := again.shown(internal); err == nil || unrecognized(err) {
		t.Errorf("a host without a certificate answered %v", err)
	}
	if _, err := again.shown(production); err != nil {
		t.Errorf("a host with a certificate suffers from the one without: %v", err)
	}
}

func TestHostIsServedAsSoonAsTheCAIsBack(t *testing.T) {
	e := listen(t)
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	ca.Stop()
	start(t, e, ca, t.TempDir(), production)
	eventually(t, "a first failure", func() bool { return strings.Contains(e.statusOf(production).Error, "reached") })
	ca.Restart()
	e.awaitOK(production)
	e.verified(production, ca.Issuers())
	if s := e.statusOf(production); s.Error != "" {
		t.Errorf("the failure is still told: %q", s.Error)
	}
}

func TestRestartAsksTheCANothing(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production, internal).awaitOK(production, internal)
	// A copy of the state is what a killed process leaves behind; this one goes on undisturbed.
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	e.stopRun()
	before := ca.Requests()
	again := listen(t)
	opts := acmeOptions(ca, left, production, internal)
	opts.OnExpiry = func(s Status) { t.Errorf("a fresh certificate is signalled: %+v", s) }
	again.serve(opts).run()
	again.verified(production, ca.Issuers())
	again.verified(internal, ca.Issuers())
	if n := ca.Requests() - before; n != 0 {
		t.Errorf("the restart made %d requests to the CA", n)
	}
	// A host more shows that the edge is managing, and orders for that one alone.
	orders := ca.Orders()
	if err := again.SetHosts([]string{production, internal, "more.example.test"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an order for the new host", func() bool { return ca.Orders() > orders })
	again.stopRun()
	if n := ca.Orders() - orders; n != 1 {
		t.Errorf("%d orders were placed for one new host", n)
	}
}

func TestUnknownNamesCauseNoOrderAndNoStorage(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production).awaitOK(production)
	requests, stored := ca.Requests(), filesBelow(t, state)

	for i := range 3000 {
		name := fmt.Sprintf("n%d.example.test", i)
		if _, err := e.shown(name); !unrecognized(err) {
			t.Fatalf("the handshake for %s ended with %v", name, err)
		}
	}
	for _, name := range []string{"", "127.0.0.1", "x." + production} {
		if _, err := e.shown(name); !unrecognized(err) {
			t.Errorf("the handshake for %q ended with %v", name, err)
		}
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/token", e.httpPort)
	for _, host := range []string{"other.example.test", production} {
		if code, _ := get(t, url, host); code != 418 {
			t.Errorf("a challenge that nobody asked for was answered %d on %s", code, host)
		}
	}
	if n := ca.Requests() - requests; n != 0 {
		t.Errorf("unknown names caused %d requests to the CA", n)
	}
	if now := filesBelow(t, state); !slices.Equal(now, stored) {
		t.Errorf("unknown names left files: %v became %v", stored, now)
	}
}

func TestUntrustedACMEServerIsSaidPlainly(t *testing.T) {
	e, other := listen(t), listen(t)
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	opts := acmeOptions(ca, t.TempDir(), production)
	opts.Root = pebbletest.Start(t, other.httpPort, other.tlsPort).Root
	e.serve(opts).run()
	eventually(t, "the reason", func() bool {
		return strings.Contains(e.statusOf(production).Error, "authority that is not trusted here")
	})
	if ca.Orders() != 0 {
		t.Error("an order reached a server that is not trusted")
	}
}

func TestRefusedChallengeIsSaidPlainly(t *testing.T) {
	e, deaf := listen(t), listen(t)
	ca := pebbletest.Start(t, deaf.httpPort, deaf.tlsPort) // where nobody answers challenges
	_ = deaf.httpLn.Close()
	_ = deaf.tlsLn.Close()
	start(t, e, ca, t.TempDir(), production)
	eventually(t, "the reason", func() bool {
		reason := e.statusOf(production).Error
		return strings.Contains(reason, "the ACME server refused") && strings.Contains(reason, "reachable")
	})
}

func TestBadStoredCertificateDisablesItsHostOnly(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production, internal).awaitOK(production, internal)

	key := certmagic.StorageKeys.SitePrivateKey(e.issuerKey(), internal)
	cert := certmagic.StorageKeys.SiteCert(e.issuerKey(), internal)
	otherKey := certmagic.StorageKeys.SitePrivateKey(e.issuerKey(), production)
	otherCert := certmagic.StorageKeys.SiteCert(e.issuerKey(), production)
	for name, spoil := range map[string]func(dir string) error{
		"certificate is garbage": func(dir string) error { return os.WriteFile(filepath.Join(dir, cert), []byte("garbage"), 0o600) },
		"certificate is empty":   func(dir string) error { return os.Truncate(filepath.Join(dir, cert), 0) },
		"key is missing":         func(dir string) error { return os.Remove(filepath.Join(dir, key)) },
		"key is of another host": func(dir string) error {
			return copyFile(filepath.Join(dir, otherKey), filepath.Join(dir, key))
		},
		"certificate is of another host": func(dir string) error {
			return errors.Join(
				copyFile(filepath.Join(dir, otherKey), filepath.Join(dir, key)),
				copyFile(filepath.Join(dir, otherCert), filepath.Join(dir, cert)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := t.TempDir()
			if err := os.CopyFS(spoilt, os.DirFS(state)); err != nil {
				t.Fatal(err)
			}
			if err := spoil(spoilt); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			opts := acmeOptions(ca, spoilt, production, internal)
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			next := listen(t).serve(opts)
			if s := next.statusOf(production); !s.OK {
				t.Errorf("the other host suffers: %+v", s)
			}
			if s := next.statusOf(internal); s.OK || !strings.Contains(s.Error, "unusable") {
				t.Errorf("the status hides the bad certificate: %+v", s)
			}
			if !strings.Contains(log.String(), internal) {
				t.Errorf("the log does not name the host: %s", log.String())
			}
		})
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

func TestBadStoredCertificateIsReplaced(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production).awaitOK(production)
	if err := e.SetHosts(nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		certmagic.StorageKeys.SiteCert(e.issuerKey(), production),
		certmagic.StorageKeys.SiteMeta(e.issuerKey(), production),
	} {
		if err := os.WriteFile(e.store.Filename(key), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.SetHosts([]string{production}); err != nil {
		t.Fatal(err)
	}
	e.awaitOK(production)
	e.verified(production, ca.Issuers())
}

func TestCrashBetweenKeyAndCertificateLosesNeither(t *testing.T) {
	e, state := listen(t), t.TempDir()
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, state, production).awaitOK(production)
	e.stopRun()
	// A renewal that got as far as the new key.
	key := certmagic.StorageKeys.SitePrivateKey(e.issuerKey(), production)
	if err := e.store.Store(t.Context(), key, []byte("the key of a certificate that never came")); err != nil {
		t.Fatal(err)
	}
	again := listen(t).serve(acmeOptions(ca, state, production))
	if s := again.statusOf(production); !s.OK {
		t.Errorf("the certificate of before is lost: %+v", s)
	}
}

func TestSetHostsManagesNewNamesAndForgetsDroppedOnes(t *testing.T) {
	e := listen(t)
	ca := pebbletest.Start(t, e.httpPort, e.tlsPort)
	start(t, e, ca, t.TempDir(), production).awaitOK(production)
	if err := e.SetHosts([]string{production, internal}); err != nil {
		t.Fatal(err)
	}
	e.awaitOK(internal)
	if err := e.SetHosts([]string{internal}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.shown(production); !unrecognized(err) {
		t.Errorf("a dropped host is still served: %v", err)
	}
	e.verified(internal, ca.Issuers())
	if err := e.SetHosts([]string{internal, production}); err != nil {
		t.Fatal(err)
	}
	e.verified(production, ca.Issuers()) // from storage, at once
	if n := ca.Orders(); n != 2 {
		t.Errorf("%d orders were placed for two hosts", n)
	}
	if err := e.SetHosts([]string{"bad/../name"}); err == nil {
		t.Error("an unusable name was accepted")
	}
	if len(e.Status()) != 2 {
		t.Errorf("a refused change changed something: %+v", e.Status())
	}
}
