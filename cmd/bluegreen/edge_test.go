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
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// testEdge is a real bluegreen serve in a process of its own, with one app
// whose releases are the built-in chat, on ports and in a directory that are
// this test's alone.
type testEdge struct {
	t       *testing.T
	dir     string
	env     []string // for serve, besides the test's own
	within  []string // program and arguments that run serve; empty: it is run by itself
	process *exec.Cmd
	log     *os.File

	App         string // its name
	HTTP, HTTPS string // addresses
	Blue, Green int    // ports
	Dir, Chat   string
	Interval    string // of the health checks
	Deadline    string // for a new release to become healthy
	Environment string // of the instances
	Extra       string // lines of the app's section

	Drain, WebSockets, Spread string         // deadlines
	TLS                       string         // the section
	trusted                   *x509.CertPool // nil: the edge's own CA
	Apps                      string         // further apps
}

const edgeConfig = `edge: { http: "{{.HTTP}}", https: "{{.HTTPS}}" }
tls: {{.TLS}}
admin: { socket: {{.Dir}}/admin.sock }
state: { dir: {{.Dir}}/state }
logs: { dir: {{.Dir}}/logs }
apps:
  {{.App}}:
    production: [app.localhost]
    internal: [internal.app.localhost]
    runtime: process
    process: { command: [{{.Chat}}], stop_grace_period: 2s, environment: { {{.Environment}} } }
    slots: { blue: { port: {{.Blue}} }, green: { port: {{.Green}} } }
    health: { interval: {{.Interval}}, timeout: 2s, deadline: {{.Deadline}} }
    drain: { timeout: {{.Drain}}, websockets: {{.WebSockets}}, spread: {{.Spread}} }
{{.Extra}}
{{.Apps}}`

// Releases that fail, by their commit: bad is never healthy, dies exits at
// once, sickens is healthy for three seconds, touchy and touchier until
// their first request. turning answers all but its health checks with errors
// from 20 seconds after its first request on.
const chatFaults = "--fault, bad=never-healthy, --fault, dies=exit, --fault, sickens=sick-after=3s, --fault, touchy=sick-after-requests=1, --fault, touchier=sick-after-requests=1, --fault, turning=erring-after=20s"

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
		t: t, dir: dir, Dir: dir, App: "chat", Chat: self + ", chat, " + chatFaults, Interval: "200ms", Deadline: "20s",
		Environment: `GORACE: "atexit_sleep_ms=0"`, // the race detector lets a program end a second late otherwise
		HTTP:        loopback(ports[0]), HTTPS: loopback(ports[1]), Blue: ports[2], Green: ports[3], Extra: extra, Drain: "2s", WebSockets: "2s", Spread: "0s", TLS: "{ issuer: internal }",
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

func (e *testEdge) file(name string) string { return filepath.Join(e.dir, name) }

// write makes a file in the edge's directory, whole at once.
func (e *testEdge) write(name, text string) {
	e.t.Helper()
	err := os.WriteFile(e.file(name+".new"), []byte(text), 0o600)
	if err == nil {
		err = os.Rename(e.file(name+".new"), e.file(name))
	}
	if err != nil {
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
	command := append(slices.Clone(e.within), "bluegreen", "serve", "--config", e.config())
	e.process = exec.Command(command[0], command[1:]...)
	e.process.Env = append(environ(), e.env...)
	e.process.Stdout, e.process.Stderr = e.log, e.log
	if err := e.process.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// environ is the environment of a program under test, which has nothing to
// wait for when it ends.
func environ() []string { return append(os.Environ(), "GORACE=atexit_sleep_ms=0") }

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
	e.t.Helper()
	e.await("the edge ends", e.exited)
	e.process.Wait()
	e.process = nil
}

// exited reports whether the edge has ended and not yet been waited for.
func (e *testEdge) exited() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.process.Process.Pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
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
// started.
func instances(dir string) (pids []int) {
	for _, pid := range running(dir) {
		pids = append(pids, pid)
	}
	return pids
}

// running is instances with their ids: their output goes to a file of that
// name in the edge's directory of instances.
func running(dir string) map[string]int {
	found := map[string]int{}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/1")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, filepath.Join(dir, "state", "processes")) {
			var pid int
			if _, err := fmt.Sscanf(link, "/proc/%d/fd/1", &pid); err == nil {
				found[strings.TrimSuffix(filepath.Base(target), ".log")] = pid
			}
		}
	}
	return found
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
	cmd.Env = append(append(environ(), "BLUEGREEN_SOCKET="+e.socket()), env...)
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
	return client.Status(ctx, e.App)
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

// await polls until ok holds.
func (e *testEdge) await(what string, ok func() bool) {
	e.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			e.t.Fatalf("never: %s\n%s", what, e.logged())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// recorded reads the app's state as it is on disk; it must be readable at any
// moment.
func (e *testEdge) recorded() *switcher.State {
	e.t.Helper()
	data, err := os.ReadFile(e.stateFile())
	if errors.Is(err, fs.ErrNotExist) {
		return &switcher.State{}
	}
	state := &switcher.State{}
	if err == nil {
		err = json.Unmarshal(data, state)
	}
	if err != nil {
		e.t.Fatalf("reading the recorded state: %v", err)
	}
	return state
}

func (e *testEdge) stateFile() string { return e.file("state/apps/" + e.App + "/state.json") }

// records lists the ids of the instances that the runtime has on its books.
func (e *testEdge) records() (ids []string) {
	found, _ := filepath.Glob(e.file("state/processes/chat/*.json"))
	for _, path := range found {
		ids = append(ids, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return ids
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// client trusts the edge's own CA, dials it for every host, opens a new
// connection for each request and never retries.
func (e *testEdge) client() *http.Client {
	e.t.Helper()
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: e.roots()},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, e.HTTPS)
			},
		},
	}
}

// operate runs an operation through the API and returns its id. The error is a
// *admin.LostError when the edge has died in the middle of it.
func (e *testEdge) operate(do request) (id string, err error) {
	e.t.Helper()
	client := admin.Dial(e.socket())
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = do(ctx, client, func(event switcher.Event) { id = event.Operation })
	if lost := (*admin.LostError)(nil); errors.As(err, &lost) {
		id = lost.Operation
	}
	return id, err
}

// request asks for one operation of the app.
type request func(context.Context, *admin.Client, tell) error

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

// freePorts returns ports that nobody listens on, below those that the kernel
// gives to connections and to listeners that ask for any port: between two
// instances of a slot its port must not be taken by one of them.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports, err := quietPorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
