package conformance

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// artefacts are findings of MEDIUM or above that come from the CA of the test
// or from its host name, not from the edge, with the reason. A certificate of a
// public CA has none of them.
var artefacts = map[string]string{
	"engine_problem":   "the tool's OpenSSL has no GOST engine, so it does not try those suites, which the edge does not have",
	"secure_renego":    "the tool tries a renegotiation and the handshake fails: there is none in Go's TLS",
	"cert_revocation":  "the internal CA publishes neither CRL nor OCSP; a public one does",
	"security_headers": "HSTS and content policies are the app's: the one of this test sets none",
}

// finding is an entry of testssl.sh's JSON file.
type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

func TestTLSHasNoFindingOfMediumOrAbove(t *testing.T) {
	t.Parallel()
	need(t, "testssl", "testssl.sh")
	e := startEdge(t)
	dir := t.TempDir()
	root, out := filepath.Join(dir, "root.pem"), filepath.Join(dir, "findings.json")
	e.exportRoot(t, root)
	_, port := split(e.https)
	text, _ := runTool(t, 4*time.Minute, "testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
		"--add-ca", root, "--jsonfile", out, host+":"+port) // its exit code counts findings
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("testssl.sh wrote no findings:\n%s", tail(text))
	}
	var findings []finding
	if err := json.Unmarshal(data, &findings); err != nil {
		t.Fatalf("reading the findings: %v\n%s", err, tail(text))
	}
	checked := map[string]bool{}
	for _, f := range findings {
		checked[f.ID] = true
		if !slices.Contains([]string{"MEDIUM", "HIGH", "CRITICAL", "FATAL", "WARN"}, f.Severity) {
			continue
		}
		if reason := artefacts[f.ID]; reason != "" {
			t.Logf("%s %s: %s (%s)", f.Severity, f.ID, f.Finding, reason)
			continue
		}
		t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
	}
	t.Logf("%d findings in all", len(findings))
	for _, id := range []string{"TLS1_3", "cert_chain_of_trust", "heartbleed", "ROBOT", "BREACH"} {
		if !checked[id] {
			t.Errorf("testssl.sh did not get as far as %s:\n%s", id, tail(text))
		}
	}
}

// exportRoot writes the root without its key.
func (e *edge) exportRoot(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(e.file("state/ca/root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
