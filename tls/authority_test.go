package edgetls

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func pool(t testing.TB, root []byte) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatal("no certificate in the root PEM")
	}
	return roots
}

func rootOf(t testing.TB, state string) []byte {
	t.Helper()
	root, err := Root(state)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestClientWithTheInternalRootTrustsEveryHost(t *testing.T) {
	state := t.TempDir()
	root := rootOf(t, state) // before anything ran, as the set-up instructions print it
	if bytes.Contains(root, []byte("PRIVATE")) {
		t.Fatal("the printed root contains its key")
	}
	e := internalEdge(t, state, production, internal)
	for _, host := range []string{production, internal} {
		leaf := e.verified(host, pool(t, root))
		if !slices.Equal(leaf.DNSNames, []string{host}) {
			t.Errorf("the certificate of %s is for %v", host, leaf.DNSNames)
		}
		if left := time.Until(leaf.NotAfter).Hours() / 24; left < 89 || left > 91 {
			t.Errorf("the certificate of %s is valid for %.0f days", host, left)
		}
	}
	info, err := os.Stat(filepath.Join(state, "ca", "root.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the root's key file: %v, %v", info.Mode(), err)
	}
}

func TestRestartKeepsInternalRootAndCertificates(t *testing.T) {
	state := t.TempDir()
	e := internalEdge(t, state, production)
	before, err := e.shown(production)
	if err != nil {
		t.Fatal(err)
	}
	root := rootOf(t, state)
	e.stopRun()
	again := internalEdge(t, state, production)
	if after := again.verified(production, pool(t, root)); after.SerialNumber.Cmp(before.SerialNumber) != 0 {
		t.Error("the restart issued another certificate")
	}
	if !bytes.Equal(root, rootOf(t, state)) {
		t.Error("the restart made another root")
	}
}

func TestInternalCertificateIsRenewed(t *testing.T) {
	e := listen(t).serve(Options{
		Issuer: IssuerInternal, StateDir: t.TempDir(), Hosts: []string{production}, pace: pace{lifetime: 3 * time.Second},
	}).run()
	e.awaitOK(production)
	first, err := e.shown(production)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second certificate", func() bool {
		leaf, err := e.shown(production)
		return err == nil && leaf.SerialNumber.Cmp(first.SerialNumber) != 0
	})
}

func TestCertificatesOfALostRootAreIssuedAgain(t *testing.T) {
	state := t.TempDir()
	internalEdge(t, state, production).stopRun()
	if err := os.RemoveAll(filepath.Join(state, "ca")); err != nil {
		t.Fatal(err)
	}
	root := pool(t, rootOf(t, state))
	e := internalEdge(t, state, production)
	eventually(t, "a certificate of the new root", func() bool {
		leaf, err := e.shown(production)
		if err != nil {
			return false
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: root})
		return err == nil
	})
}

func TestUnusableRootLeavesServedCertificatesAlone(t *testing.T) {
	state := t.TempDir()
	internalEdge(t, state, production).stopRun()
	path := filepath.Join(state, "ca", "root.pem")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := listen(t).serve(Options{Issuer: IssuerInternal, StateDir: state, Hosts: []string{production, internal}}).run()
	eventually(t, "the reason", func() bool { return strings.Contains(e.statusOf(internal).Error, "remove the file") })
	if s := e.statusOf(production); !s.OK {
		t.Errorf("a stored certificate suffers from the root: %+v", s)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "garbage" {
		t.Error("the unusable root was overwritten by itself")
	}
}

func TestConcurrentCreatorsAgreeOnOneRoot(t *testing.T) {
	state := t.TempDir()
	roots := make([][]byte, 8)
	var creating sync.WaitGroup
	for i := range roots {
		creating.Go(func() { roots[i], _ = Root(state) })
	}
	creating.Wait()
	for _, root := range roots {
		if block, _ := pem.Decode(root); block == nil || !bytes.Equal(root, roots[0]) {
			t.Fatalf("the creators disagree: %q and %q", root, roots[0])
		}
	}
	if files := filesBelow(t, state); len(files) != 1 {
		t.Errorf("files were left behind: %v", files)
	}
}
