package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"sofiacall.com/bluegreen/admin"
	edgetls "sofiacall.com/bluegreen/tls"
)

// testEdge is a real bluegreen serve in a process of its own, with one app
// whose releases are the built-in chat, on ports and in a directory that are
// this test's alone.
type testEdge struct {
	t       *testing.T
	dir     string
	env     []string // for serve, besides the test's own
	process *exec.Cmd
	log     *os.File

	HTTP, HTTPS string // addresses
	Blue, Green int    // ports
	Dir, Chat   string
	Extra       string // lines of the app's section
}

const edgeConfig = `edge: { http: "{{.HTTP}}", https: "{{.HTTPS}}" }
tls: { issuer: internal }
admin: { socket: {{.Dir}}/admin.sock }
state: { dir: {{.Dir}}/state }
apps:
  chat:
    production: [app.localhost]
    internal: [internal.app.localhost]
    runtime: process
    process: { command: [{{.Chat}}], stop_grace_period: 2s }
    slots: { blue: { port: {{.Blue}} }, green: { port: {{.Green}} } }
    health: { interval: 200ms, timeout: 2s, deadline: 20s }
    drain: { timeout: 2s, websockets: 2s }
{{.Extra}}`

// newTestEdge writes the configuration of an edge and sees to it that nothing
// of it is left at the end of the test. extra are further lines of the app's
// section.
func newTestEdge(t *testing.T, extra string) *testEdge {
	t.Helper()
	dir, err := os.MkdirTemp("", "bluegreen") // short: a socket's path is limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	self, err := exec.LookPath("bluegreen")
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	e := &testEdge{
		t: t, dir: dir, Dir: dir, Chat: self + `, chat, --fault, bad=never-healthy, --fault, dies=exit, --fault, sickens=sick-after=3s`,
		HTTP: loopback(ports[0]), HTTPS: loopback(ports[1]), Blue: ports[2], Green: ports[3], Extra: extra,
	}
	e.configure()
	t.Cleanup(e.clear)
	return e
}

// configure writes the configuration file as the fields say.
func (e *testEdge) configure() {
	e.t.Helper()
	var text bytes.Buffer
	if err := template.Must(template.New("").Parse(edgeConfig)).Execute(&text, e); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.config(), text.Bytes(), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e *testEdge) config() string { return filepath.Join(e.dir, "bluegreen.yaml") }
func (e *testEdge) socket() string { return filepath.Join(e.dir, "admin.sock") }

// start runs serve and waits until it answers on its socket.
func (e *testEdge) start() {
	e.t.Helper()
	e.launch()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := e.ask(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("the edge does not answer:\n%s", e.logged())
		}
		time.Sleep(5 * time.Millisecond) // a poll, not a guess
	}
}

// launch starts the process and does not wait for anything.
func (e *testEdge) launch() {
	e.t.Helper()
	var err error
	if e.log, err = os.OpenFile(filepath.Join(e.dir, "serve.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		e.t.Fatal(err)
	}
	defer e.log.Close()
	e.process = exec.Command("bluegreen", "serve", "--config", e.config())
	e.process.Env = append(os.Environ(), e.env...)
	e.process.Stdout, e.process.Stderr = e.log, e.log
	if err := e.process.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// kill ends the edge like a crash does.
func (e *testEdge) kill() { e.end(syscall.SIGKILL) }

// stop ends the edge in order.
func (e *testEdge) stop() { e.end(syscall.SIGTERM) }

func (e *testEdge) end(signal syscall.Signal) {
	if e.process == nil {
		return
	}
	e.process.Process.Signal(signal)
	e.process.Wait()
	e.process = nil
}

// dead waits until the edge has ended by itself.
func (e *testEdge) dead() {
	if e.process != nil {
		e.process.Wait()
		e.process = nil
	}
}

func (e *testEdge) logged() string {
	text, _ := os.ReadFile(filepath.Join(e.dir, "serve.log"))
	return string(text)
}

// clear ends the edge and its instances, and removes the directory.
func (e *testEdge) clear() {
	if e.t.Failed() {
		e.t.Logf("the edge's log:\n%s", e.logged())
	}
	e.kill()
	for _, pid := range instances(e.dir) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	os.RemoveAll(e.dir)
}

// instances lists the processes that an edge with its state in dir has
// started: they have its directory of instances open.
func instances(dir string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/1")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, filepath.Join(dir, "state", "processes")) {
			var pid int
			if _, err := fmt.Sscanf(link, "/proc/%d/fd/1", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// result is how one command line ended.
type result struct {
	code           int
	stdout, stderr string
}

// cli runs a command against the edge.
func (e *testEdge) cli(args ...string) result {
	e.t.Helper()
	return e.cliEnv(nil, args...)
}

func (e *testEdge) cliEnv(env []string, args ...string) result {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bluegreen", args...)
	cmd.Env = append(append(os.Environ(), "BLUEGREEN_SOCKET="+e.socket()), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		e.t.Fatalf("bluegreen %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that has to succeed.
func (e *testEdge) must(args ...string) result {
	e.t.Helper()
	r := e.cli(args...)
	if r.code != 0 {
		e.t.Fatalf("bluegreen %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// fails runs a command that has to end with code and to say each of texts on
// standard error.
func (e *testEdge) fails(code int, texts []string, args ...string) result {
	e.t.Helper()
	r := e.cli(args...)
	if r.code != code {
		e.t.Errorf("bluegreen %s: exit %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			e.t.Errorf("bluegreen %s: standard error does not say %q:\n%s", strings.Join(args, " "), text, r.stderr)
		}
	}
	return r
}

// ask returns the app's status, if the edge answers.
func (e *testEdge) ask() (admin.Status, error) {
	client := admin.Dial(e.socket())
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return client.Status(ctx, "chat")
}

func (e *testEdge) status() admin.Status {
	e.t.Helper()
	var st admin.Status
	if err := json.Unmarshal([]byte(e.must("status", "--json").stdout), &st); err != nil {
		e.t.Fatal(err)
	}
	return st
}

// eventually polls until ok holds for the status.
func (e *testEdge) eventually(what string, ok func(admin.Status) bool) admin.Status {
	e.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		st, err := e.ask()
		if err == nil && ok(st) {
			return st
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("never %s: %+v, %v\n%s", what, st.Status, err, e.logged())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// client trusts the edge's own CA, dials it for every host, opens a new
// connection for each request and never retries.
func (e *testEdge) client() *http.Client {
	e.t.Helper()
	root, err := edgetls.Root(filepath.Join(e.dir, "state"))
	if err != nil {
		e.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: pool},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, e.HTTPS)
			},
		},
	}
}

// release says which release answers on a host.
func (e *testEdge) release(host string) string {
	e.t.Helper()
	answer, err := e.client().Get("https://" + host + "/release")
	if err != nil {
		e.t.Errorf("asking %s: %v", host, err)
		return ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	var told struct{ Release string }
	if err := json.Unmarshal(body, &told); err != nil {
		return fmt.Sprintf("status %d", answer.StatusCode)
	}
	return told.Release
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
