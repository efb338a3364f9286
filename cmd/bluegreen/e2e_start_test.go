package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/admin"
)

// The file is a pipe at first: who has opened it for reading is in the middle
// of its start.
func TestAHangupDuringTheStartIsAppliedOnceTheEdgeServes(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	first := mustRead(t, e.config())
	if err := os.Remove(e.config()); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(e.config(), 0o600); err != nil {
		t.Fatal(err)
	}
	e.launch()
	pipe, err := os.OpenFile(e.config(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	e.write("bluegreen.yaml", strings.Replace(first, "production: [", "production: [new.localhost, ", 1))
	e.process.Process.Signal(syscall.SIGHUP)
	if _, err := pipe.WriteString(first); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	e.eventually("reloaded", func(st admin.Status) bool { return len(st.Routes["production"].Hosts) == 2 })
}

// Invariant 4 for certificates: those of the files that are there are served.
func TestACertificateThatIsGoneDoesNotKeepTheEdgeFromStarting(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	pairs, err := filepath.Glob(e.file("state/certificates/*/app.localhost/app.localhost.crt"))
	if err != nil || len(pairs) != 1 {
		t.Fatalf("certificates of app.localhost: %q, %v", pairs, err)
	}
	pair := fmt.Sprintf("{ cert: %s, key: %s }", pairs[0], strings.TrimSuffix(pairs[0], "crt")+"key")
	e.stop()
	e.edit("issuer: internal", "issuer: files, certificates: ["+pair+", { cert: gone.crt, key: gone.key }]")
	e.start()
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("the host whose certificate is there shows %q", got)
	}
	for _, key := range []string{"tls.certificates[1].cert", "tls.certificates[1].key"} {
		if !strings.Contains(e.logged(), key+": there is no file") {
			t.Errorf("the log does not tell that %s is gone", key)
		}
	}
	for _, c := range e.status().Certificates {
		if ok := c.Host == "app.localhost"; c.OK != ok || !ok && !strings.Contains(c.Error, "gone.crt") {
			t.Errorf("certificate of %s: ok is %v, error is %q", c.Host, c.OK, c.Error)
		}
	}
	e.untouched(func() {
		e.fails(2, []string{"gone.crt", "gone.key"}, "config", "check", e.config())
		e.fails(2, []string{"gone.crt", "gone.key"}, "reload")
	})
}

// dockerApp is on an engine that is not there.
const dockerApp = `  other:
    production: [other.localhost]
    internal: [internal.other.localhost]
    image: example.test/other
    container: { port: 3000, env_file: [gone.env] }
    slots: { blue: { port: %d }, green: { port: %d } }
`

func TestAnEnvFileThatIsGoneDoesNotKeepTheEdgeFromStarting(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	ports := freePorts(t, 2)
	e.env = []string{"DOCKER_HOST=unix://" + e.file("docker.sock")}
	e.Apps = fmt.Sprintf(dockerApp, ports[0], ports[1])
	e.configure()
	e.start()
	e.must("deploy", "--app", "chat", "a")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("the other app shows %q", got)
	}
	if !strings.Contains(e.logged(), "apps.other.container.env_file[0]: there is no file") {
		t.Error("the log does not tell that the env_file is gone")
	}
	e.fails(2, []string{"gone.env"}, "config", "check", e.config())
}

// Invariant 4 for apps: a runtime that cannot be made costs its app nothing of
// what it serves, and no other app anything.
func TestABrokenRuntimeLeavesTheRoutesOfItsAppAndTheOtherApps(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	ports := freePorts(t, 2)
	e.Apps = fmt.Sprintf(otherApp, e.Chat, ports[0], ports[1])
	e.configure()
	e.start()
	e.must("deploy", "--app", "chat", "a")
	e.must("deploy", "--app", "chat", "b")
	e.stop()
	mend := e.breakRuntime("chat")
	e.start()
	for host, want := range map[string]string{"app.localhost": "a", "internal.app.localhost": "b"} {
		if got := e.release(host); got != want {
			t.Errorf("%s shows %q, want %q", host, got, want)
		}
	}
	e.eventually("the status tells why", func(st admin.Status) bool { return strings.Contains(st.Alert, "app chat has no runtime") })
	e.must("switch", "--app", "chat")
	e.must("rollback", "--app", "chat")
	e.fails(1, []string{"app chat has no runtime", "not a directory", "bluegreen reload"}, "discard", "--app", "chat")
	e.must("deploy", "--app", "other", "o")
	mend()
	e.must("reload")
	e.must("deploy", "--app", "chat", "c")
}

// breakRuntime puts a file where a runtime of processes has its directory.
func (e *testEdge) breakRuntime(app string) (mend func()) {
	e.t.Helper()
	dir, aside := e.file("state/processes/"+app), e.file("state/processes/"+app+".aside")
	if err := os.Rename(dir, aside); err != nil {
		e.t.Fatal(err)
	}
	e.write("state/processes/"+app, "")
	return func() {
		e.t.Helper()
		os.Remove(dir)
		if err := os.Rename(aside, dir); err != nil {
			e.t.Fatal(err)
		}
	}
}
