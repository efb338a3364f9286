// Package pebbletest starts a real ACME server for tests: Pebble, at the version that go.mod pins,
// as a process of its own on loopback, with a name server that sends every host name to 127.0.0.1.
//
// It must not know who asks for certificates, or what for.
package pebbletest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait. Building Pebble for the first time takes most of it.
const patience = 3 * time.Minute

// Options says how the server behaves.
type Options struct {
	// HTTPPort and TLSPort are where HTTP-01 and TLS-ALPN-01 challenges are validated, on 127.0.0.1.
	HTTPPort, TLSPort int
	// Lifetime of the certificates, in whole seconds; 0 means 90 days.
	Lifetime time.Duration
}

// Server is a running Pebble. Stopping it loses accounts, orders and the issuing root, as it keeps
// everything in memory.
type Server struct {
	// Directory is the URL of the ACME directory; it stays the same across Restart.
	Directory string
	// Root is the path of a PEM file with the root of the server's own TLS certificate.
	Root string

	t          testing.TB
	program    string
	config     string
	management string
	resolver   string
	client     *http.Client
	output     *output
	running    *exec.Cmd
}

// Start runs a server that validates challenges on the two ports until the test ends.
func Start(t testing.TB, httpPort, tlsPort int) *Server {
	t.Helper()
	return StartWith(t, Options{HTTPPort: httpPort, TLSPort: tlsPort})
}

// StartWith is Start with every option. Where Pebble cannot be built the test is skipped, or fails
// when CI is set.
func StartWith(t testing.TB, opts Options) *Server {
	t.Helper()
	s := &Server{t: t, program: program(t), resolver: resolver(t), output: &output{}}
	dir, listen := t.TempDir(), freeAddress(t)
	s.management = freeAddress(t)
	s.Directory = "https://" + listen + "/dir"
	s.Root, s.config = filepath.Join(dir, "root.pem"), filepath.Join(dir, "pebble.json")
	cert, key := serverIdentity(t, dir, s.Root)
	s.client = client(t, s.Root)

	if opts.Lifetime == 0 {
		opts.Lifetime = 90 * 24 * time.Hour
	}
	writeConfig(t, s.config, map[string]any{
		"listenAddress":           listen,
		"managementListenAddress": s.management,
		"certificate":             cert,
		"privateKey":              key,
		"httpPort":                opts.HTTPPort,
		"tlsPort":                 opts.TLSPort,
		"keyAlgorithm":            "ecdsa",
		"retryAfter":              map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{
			"default": map[string]any{"validityPeriod": int(opts.Lifetime.Seconds())},
		},
	})
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the ACME server's last words:\n%s", s.output.tail())
		}
	})
	s.Restart()
	return s
}

// Stop kills the server. Stopping a stopped one does nothing.
func (s *Server) Stop() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	if s.running == nil {
		return
	}
	if err := s.running.Process.Kill(); err != nil {
		s.t.Errorf("stopping the ACME server: %v", err)
	}
	_ = s.running.Wait() // reports the kill
	s.running = nil
}

// Restart starts the server again at the same address, as a new authority without any memory, and
// returns when it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	cmd := exec.Command(s.program, "-config", s.config, "-dnsserver", s.resolver)
	cmd.Env = append(os.Environ(),
		"PEBBLE_VA_NOSLEEP=1",       // validate at once
		"PEBBLE_AUTHZREUSE=0",       // and every time
		"PEBBLE_WFE_NONCEREJECT=10", // per cent: clients must cope
	)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("starting the ACME server: %v", err)
	}
	s.running = cmd
	s.get(s.Directory)
}

// Issuers is the pool with the root that issued certificates chain to. It is another one after
// each Restart.
func (s *Server) Issuers() *x509.CertPool {
	s.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.get("https://" + s.management + "/roots/0")) {
		s.t.Fatal("the ACME server shows no issuing root")
	}
	return pool
}

// Orders is the number of orders that have been placed since Start.
func (s *Server) Orders() int { return s.output.count("Added order ") }

// Requests is the number of ACME requests that have been served since Start.
func (s *Server) Requests() int { return s.output.count("-> calling handler()") }

// get polls url until it answers.
func (s *Server) get(url string) []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		body, err := s.try(ctx, url)
		if err == nil {
			return body
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("waiting for the ACME server: %v\n%s", err, s.output.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) try(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// program builds Pebble, or finds it in the build cache, and returns its path.
func program(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "pebble")
	var failure strings.Builder
	cmd.Stderr = &failure
	path, err := cmd.Output()
	if err == nil {
		return strings.TrimSpace(string(path))
	}
	reason := fmt.Sprintf("the ACME server Pebble cannot be built: %v: %s", err, failure.String())
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// freeAddress is a loopback address that nobody listened on a moment ago. Pebble does not tell
// which port it got when asked for any.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func client(t testing.TB, root string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func writeConfig(t testing.TB, path string, pebble map[string]any) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"pebble": pebble})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
