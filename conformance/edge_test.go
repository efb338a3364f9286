// Package conformance holds the proofs that other people's suites and attacks
// give: each test runs the real bluegreen serve, as a user would start it, and
// turns a public tool or a flood of frames on it. `make conformance` installs
// the tools and runs it.
//
// It must not know the edge's packages: what it sees is what a client sees.
package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The production host is one that every tool can resolve.
const host = "localhost"

func TestMain(m *testing.M) {
	if os.Getenv(backendMark) != "" {
		serveBackend()
		return
	}
	os.Exit(run(m))
}

// program is the path of the bluegreen that all tests run.
const program = "BLUEGREEN_CONFORMANCE_PROGRAM"

// run builds bluegreen, which takes both cores, before anything is measured.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bluegreen")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "bluegreen")
	build := exec.Command("go", "build", "-o", built, "../cmd/bluegreen")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building bluegreen:", err)
		return 1
	}
	os.Setenv(program, built)
	return m.Run()
}

// edge is a running bluegreen serve with one app whose backend is this test
// binary.
type edge struct {
	dir, http, https string
	backend          string // where the active slot listens
	process          *exec.Cmd
	roots            *x509.CertPool
}

const configuration = `edge: { http: "%s", https: "%s" }
tls: { issuer: internal }
admin: { socket: %[3]s/admin.sock }
state: { dir: %[3]s/state }
logs: { dir: %[3]s/logs }
apps:
  app:
    production: [localhost]
    internal: [internal.localhost]
    runtime: process
    process: { command: ["%[4]s"], stop_grace_period: 1s, environment: { %[5]s: "1" } }
    slots: { blue: { port: %[6]d }, green: { port: %[7]d } }
    health: { interval: 1s, timeout: 5s, rise: 1 }
`

// startEdge starts bluegreen and deploys its first release.
func startEdge(t *testing.T) *edge {
	t.Helper()
	dir, err := os.MkdirTemp("", "bluegreen") // short: a socket's path is limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ports := freePorts(t, 4)
	e := &edge{dir: dir, http: loopback(ports[0]), https: loopback(ports[1]), backend: loopback(ports[2])}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(configuration, e.http, e.https, dir, self, backendMark, ports[2], ports[3])
	if err := os.WriteFile(e.file("bluegreen.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(e.file("serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	e.process = exec.Command(os.Getenv(program), "serve", "--config", e.file("bluegreen.yaml"))
	e.process.Stdout, e.process.Stderr = log, log
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.stop(t) })
	e.deploy(t)
	return e
}

// deploy waits until the edge takes the first release.
func (e *edge) deploy(t *testing.T) {
	t.Helper()
	var out []byte
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, err = e.command("deploy", "first").CombinedOutput(); err == nil {
			e.trust(t)
			return
		}
	}
	t.Fatalf("deploying: %v\n%s\n%s", err, out, e.logged())
}

func (e *edge) trust(t *testing.T) {
	t.Helper()
	pem, err := os.ReadFile(e.file("state/ca/root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	e.roots = x509.NewCertPool()
	e.roots.AppendCertsFromPEM(pem)
}

// stop ends the edge and its backend, which would go on running otherwise.
func (e *edge) stop(t *testing.T) {
	if t.Failed() {
		t.Logf("the edge's log:\n%s", e.logged())
	}
	_ = e.process.Process.Kill()
	_ = e.process.Wait()
	request, _ := http.NewRequest(http.MethodPost, "http://"+e.backend+"/stop", nil)
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
	}
}

func (e *edge) command(args ...string) *exec.Cmd {
	c := exec.Command(os.Getenv(program), args...)
	c.Env = append(os.Environ(), "BLUEGREEN_SOCKET="+e.file("admin.sock"))
	return c
}

func (e *edge) file(name string) string { return filepath.Join(e.dir, name) }

func (e *edge) logged() string {
	text, _ := os.ReadFile(e.file("serve.log"))
	if len(text) > 20_000 {
		text = text[len(text)-20_000:]
	}
	return string(text)
}

// inFlight is what the edge counts on the active slot.
func (e *edge) inFlight(t *testing.T) int {
	t.Helper()
	out, err := e.command("status", "--json").Output()
	var status struct {
		Slots map[string]struct {
			InFlight int `json:"in_flight"`
		} `json:"slots"`
	}
	if err == nil {
		err = json.Unmarshal(out, &status)
	}
	if err != nil {
		t.Fatalf("asking for the status: %v", err)
	}
	return status.Slots["blue"].InFlight
}

// memory is the resident size of the edge in bytes.
func (e *edge) memory(t *testing.T) int {
	t.Helper()
	var kilobytes int
	_, line, _ := strings.Cut(e.kernelStatus(t), "VmRSS:")
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

func (e *edge) kernelStatus(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// client trusts the edge and makes a connection for each request, so that it
// sees every one that fails.
func (e *edge) client() *http.Client {
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: e.roots, ServerName: host},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", e.https)
		},
	}}
}

// dial opens a TLS connection for protocol.
func (e *edge) dial(protocol string) (*tls.Conn, error) {
	dialer := &net.Dialer{Timeout: 15 * time.Second}
	return tls.DialWithDialer(dialer, "tcp", e.https, &tls.Config{RootCAs: e.roots, ServerName: host, NextProtos: []string{protocol}})
}

// need skips the test when a tool is missing. In CI it fails: there nothing may
// be left out.
func need(t *testing.T, tool, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed (Debian package %s)", tool, debianPackage)
	}
	t.Skipf("%s is not installed (Debian package %s): make conformance installs it", tool, debianPackage)
}

// runTool runs a tool to its end, in a directory of its own.
func runTool(t *testing.T, limit time.Duration, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = t.TempDir()
	c.WaitDelay = time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v:\n%s", name, limit, out.String())
	}
	return out.String(), err
}

// freePorts returns ports that nobody listens on, below those that the kernel
// gives to the thousands of connections of other tests.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range 1000 {
		if len(ports) == n {
			return ports
		}
		l, err := net.Listen("tcp", loopback(20_000+rand.IntN(12_000)))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	t.Fatal("there are no free ports from 20000 to 32000")
	return nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// eventually polls until cond holds.
func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// answers is how an honest client was served.
type answers struct {
	took   []time.Duration
	failed error // the first failure
}

// probe makes requests one after the other, each on a connection of its own,
// until it has made count or ctx ends.
func (e *edge) probe(ctx context.Context, count int) (a answers) {
	client := e.client()
	for ; count > 0 && ctx.Err() == nil; count-- {
		start := time.Now()
		r, err := client.Get("https://" + host + "/")
		if err == nil && r.StatusCode != http.StatusOK {
			err = errors.New(r.Status)
		}
		if r != nil {
			drop(r)
		}
		if a.took = append(a.took, time.Since(start)); err != nil && a.failed == nil {
			a.failed = err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return a
}

func (a answers) String() string {
	if len(a.took) == 0 {
		return "no requests"
	}
	sorted := slices.Sorted(slices.Values(a.took))
	at := func(share float64) time.Duration {
		return sorted[int(share*float64(len(sorted)-1))].Round(time.Millisecond / 10)
	}
	return fmt.Sprintf("%d requests, p50 %v, p99 %v", len(sorted), at(0.5), at(0.99))
}

func split(address string) (string, string) {
	ip, port, _ := net.SplitHostPort(address)
	return ip, port
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

func drop(r *http.Response) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
}
