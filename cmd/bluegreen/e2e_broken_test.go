package main

import (
	"bufio"
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
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// untouched runs what is expected to fail, and checks that both routes lead
// where they did, and that production answers from there.
func (e *testEdge) untouched(do func()) {
	e.t.Helper()
	before, release := e.status(), e.release("app.localhost")
	do()
	after := e.status()
	for name, route := range before.Routes {
		if got := after.Routes[name].Slot; got != route.Slot {
			e.t.Errorf("%s moved from %s to %s", name, route.Slot, got)
		}
	}
	if got := e.release("app.localhost"); got != release {
		e.t.Errorf("production shows %s, it was %s", got, release)
	}
	if before.Rollback.Ready != after.Rollback.Ready {
		e.t.Errorf("rollback: %+v, it was %+v", after.Rollback, before.Rollback)
	}
}

func TestABrokenReleaseIsAClearErrorAndTouchesNothingLive(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Interval, e.Deadline = "100ms", "2s"
	e.configure()
	e.start()
	e.must("deploy", "a")

	e.untouched(func() {
		e.fails(1, []string{"exited with code 1 before it was healthy", "the schema is newer than this release knows", "production was not touched"}, "deploy", "dies")
		if st := e.status(); st.Slots["green"].State != switcher.Failed {
			t.Errorf("green is %s, want failed with its logs kept", st.Slots["green"].State)
		}
	})
	e.untouched(func() {
		e.fails(5, []string{"was not healthy within 2s", "/health answered 503", "production was not touched"}, "deploy", "bad")
	})
	e.must("discard")
	e.untouched(func() {
		e.fails(2, []string{"which release"}, "deploy")
		e.fails(2, []string{"is not a tag"}, "deploy", "two words")
		e.fails(3, []string{"no release is in test", "bluegreen deploy"}, "switch")
		e.fails(3, []string{"no bake is running"}, "confirm")
		e.fails(3, []string{"rollback is not possible", "no previous release is warm"}, "rollback")
		e.fails(3, []string{"nothing to discard"}, "discard")
		e.fails(3, []string{"production and internal leads to blue"}, "drain", "blue")
	})
}

func TestAPortOfAForeignProcessIsRefusedAndTheProcessLives(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	foreign, err := net.Listen("tcp", loopback(e.Green))
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	e.untouched(func() {
		e.fails(3, []string{fmt.Sprintf("port %d is taken by process %d", e.Green, os.Getpid()), "another port"}, "deploy", "b")
	})
	if st := e.status(); st.Slots["green"].State != switcher.Empty {
		t.Errorf("green is %s, want empty", st.Slots["green"].State)
	}
	if c, err := net.Dial("tcp", loopback(e.Green)); err != nil {
		t.Errorf("the foreign listener is gone: %v", err)
	} else {
		c.Close()
	}
	foreign.Close()
	e.must("deploy", "b")
}

func TestACommandThatDoesNotExistFailsTheDeploy(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	e.Chat = filepath.Join(e.dir, "missing")
	e.configure()
	e.must("reload")
	e.untouched(func() {
		e.fails(1, []string{"the command of chat cannot be executed", "process.command"}, "deploy", "b")
	})
}

func TestASecondOperationIsRefusedWithWhoSinceWhenAndWhat(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	first := make(chan result, 1)
	go func() { first <- e.cli("deploy", "bad") }()
	busy := e.eventually("waiting for health", func(st admin.Status) bool { return st.Operation != nil && st.Operation.Step == "health" })
	e.untouched(func() {
		for _, second := range [][]string{{"deploy", "c"}, {"rollback"}, {"cleanup"}, {"recover"}, {"reload"}} {
			e.fails(4, []string{
				"deploy by " + string(busy.Operation.Actor), "is running since " + busy.Operation.Since.Local().Format(time.TimeOnly), `in step "health"`,
			}, second...)
		}
		e.must("discard") // the way out
	})
	if r := <-first; r.code != 1 || !strings.Contains(r.stderr, "discarded while it was being deployed") {
		t.Errorf("the discarded deploy: %+v", r)
	}
}

func TestALostConnectionIsExit8WithTheOperationThatGoesOn(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	cmd := exec.Command("bluegreen", "deploy", "b")
	cmd.Env = append(environ(), "BLUEGREEN_SOCKET="+e.socket())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewScanner(stdout).Scan() // its first line: it follows the operation
	st := e.eventually("deploying", func(st admin.Status) bool { return st.Operation != nil && st.Operation.Step != "" })
	cmd.Process.Signal(os.Interrupt)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 8 || !strings.Contains(stderr.String(), st.Operation.ID) || !strings.Contains(stderr.String(), "goes on") {
		t.Errorf("exit %d, operation %s:\n%s", cmd.ProcessState.ExitCode(), st.Operation.ID, stderr.String())
	}
	e.eventually("deployed all the same", func(st admin.Status) bool { return st.Phase == switcher.PhaseTesting })
	if text := e.must("history", "--json").stdout; !strings.Contains(text, st.Operation.ID) {
		t.Errorf("the history does not tell of operation %s:\n%s", st.Operation.ID, text)
	}
}

func TestStaleExpectationsAreRefused(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	e.must("deploy", "b")
	e.untouched(func() {
		e.fails(3, []string{"blue is active, not green as expected", "bluegreen status"}, "switch", "--expect-active", "green")
		e.fails(3, []string{"is in test, not old as expected"}, "switch", "--expect-release", "old")
	})
	e.must("switch", "--expect-active", "blue", "--expect-release", "b")
	e.untouched(func() {
		e.fails(3, []string{"the last switch is baking for another", "bluegreen confirm"}, "deploy", "c")
	})
}

// Invariant 9: a bad configuration is refused whole, every problem with its
// line; a running edge keeps the old one.
func TestABadConfigurationIsRefusedWhole(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	good, err := os.ReadFile(e.config())
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("[app.localhost]", "[app.localhost, new.localhost]", "runtime: process", "runtime: kubernetes",
		"drain:", "drian:").Replace(string(good))
	e.write("bluegreen.yaml", bad)
	problems := []string{"bluegreen.yaml:" + lineOf(bad, "kubernetes"), "bluegreen.yaml:" + lineOf(bad, "drian"), "2 problems"}
	e.untouched(func() {
		e.fails(2, problems, "reload")
		e.fails(2, problems, "serve", "--config", e.config())
		e.process.Process.Signal(syscall.SIGHUP)
		e.await("the log tells of the refusal", func() bool { return strings.Contains(e.logged(), "the new configuration is not applied") })
	})
	if _, err := e.client().Get("https://new.localhost/"); err == nil {
		t.Error("a host of the refused configuration is answered")
	}
	e.write("bluegreen.yaml", string(good))
	e.must("reload")
}

// lineOf is the number of the first line that holds text, and a colon.
func lineOf(document, text string) string {
	before, _, _ := strings.Cut(document, text)
	return fmt.Sprintf("%d:", 1+strings.Count(before, "\n"))
}

func TestTheEnvironmentOfTheFirstUserCounts(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.env = []string{"BLUE_GREEN_ACTIVE=green", "INTERNAL_DOMAIN=tests.localhost"}
	e.start()
	if r := e.cliEnv([]string{"DOCKER_IMAGE_TAG=v7"}, "deploy"); r.code != 0 {
		t.Fatalf("deploy with DOCKER_IMAGE_TAG: %+v", r)
	}
	if st := e.status(); st.Active != switcher.Green || st.Slots["green"].Release.Commit != "v7" {
		t.Errorf("active = %s with %+v, want green with v7", st.Active, st.Slots["green"].Release)
	}
	if got := e.release("tests.localhost"); got != "v7" {
		t.Errorf("the internal domain of the environment shows %q", got)
	}
	if _, err := e.client().Get("https://internal.app.localhost/"); err == nil {
		t.Error("the internal host of the file still has a certificate")
	}
	r := e.cliEnv([]string{"BLUE_GREEN_ACTIVE=purple"}, "serve", "--config", e.config())
	if r.code != 2 || !strings.Contains(r.stderr, `BLUE_GREEN_ACTIVE is "purple"`) {
		t.Errorf("serve with a colour that is none: %+v", r)
	}
}

const otherApp = `  other:
    production: [other.localhost]
    internal: [internal.other.localhost]
    runtime: process
    process: { command: [%s], environment: { GORACE: "atexit_sleep_ms=0" } }
    slots: { blue: { port: %d }, green: { port: %d } }
    health: { interval: 100ms }
`

// Invariant 4: an unreadable state is a refusal for that app alone, with the
// reason and the fix, and the fix works beside the running edge.
func TestAnUnreadableStateDisablesThatAppAloneAndIsRestored(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	ports := freePorts(t, 2)
	e.Interval, e.Apps = "100ms", fmt.Sprintf(otherApp, e.Chat, ports[0], ports[1])
	e.configure()
	e.env = []string{}
	e.start()
	e.must("deploy", "--app", "other", "o")
	e.must("deploy", "--app", "chat", "a")
	e.must("deploy", "--app", "chat", "b")
	e.must("switch", "--app", "chat")
	e.must("confirm", "--app", "chat")
	e.fails(4, []string{"recover --app chat"}, "recover", "--offline", "--config", e.config(), "--app", "chat", "--yes")

	for _, damage := range []struct{ name, content, reason string }{
		{"corrupt", `{"version":1,"app":"chat","slots":{"blue":`, "damaged"},
		{"empty", "", "empty"},
		{"of a future version", `{"version":99,"app":"chat","slots":[]}`, "newer bluegreen"},
		{"gone", "-", "gone"},
	} {
		t.Run(damage.name, func(t *testing.T) {
			e.stop()
			if damage.content == "-" {
				os.Remove(e.stateFile())
			} else {
				e.write("state/apps/chat/state.json", damage.content)
			}
			was := len(instances(e.dir))
			e.start()
			if got := e.release("other.localhost"); got != "o" {
				t.Errorf("the other app shows %q", got)
			}
			if got := e.release("app.localhost"); got != "status 503" {
				t.Errorf("the app without state shows %q", got)
			}
			if st, err := e.ask(); err != nil || !strings.Contains(st.Error, damage.reason) {
				t.Errorf("status says %q, %v; want the reason: %s", st.Error, err, damage.reason)
			}
			for _, args := range [][]string{{"deploy", "c"}, {"switch"}, {"rollback"}, {"cleanup"}, {"recover"}} {
				e.fails(1, []string{damage.reason, "bluegreen recover --offline --app chat"}, append(args, "--app", "chat")...)
			}
			offline := []string{"recover", "--offline", "--config", e.config(), "--app", "chat"}
			e.fails(2, []string{"--yes"}, offline...)
			if r := e.must(append(offline, "--yes")...); !strings.Contains(r.stdout, damage.reason) || !strings.Contains(r.stdout, "last good copy") {
				t.Errorf("recover --offline says:\n%s", r.stdout)
			}
			e.must("recover", "--app", "chat")
			if got := e.release("app.localhost"); got != "b" {
				t.Errorf("after the restore production shows %q, want b", got)
			}
			if got := len(instances(e.dir)); got != was {
				t.Errorf("%d instances run, there were %d", got, was)
			}
			e.must("deploy", "--app", "chat", "c") // a state to lose again
			e.must("discard", "--app", "chat")
		})
	}
}

func TestALiveEdgeIsNeverReplaced(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	e.untouched(func() {
		mine, err := os.ReadFile(e.config())
		if err != nil {
			t.Fatal(err)
		}
		ports := freePorts(t, 2)
		addresses := strings.NewReplacer(e.HTTP, loopback(ports[0]), e.HTTPS, loopback(ports[1]))
		e.write("second.yaml", addresses.Replace(string(mine)))
		e.fails(3, []string{"another bluegreen already answers on " + e.socket()}, "serve", "--config", e.file("second.yaml"))
		e.write("second.yaml", strings.ReplaceAll(addresses.Replace(string(mine)), "admin.sock", "second.sock"))
		e.fails(4, []string{"another bluegreen owns", "state.dir"}, "serve", "--config", e.file("second.yaml"))
		e.write("second.yaml", strings.NewReplacer("admin.sock", "second.sock", "/state }", "/second }").Replace(string(mine)))
		e.fails(1, []string{"listening on " + e.HTTP, "another program has the port"}, "serve", "--config", e.file("second.yaml"))
	})
	e.kill()
	e.fails(8, []string{"nobody answers on " + e.socket(), "systemctl status bluegreen"}, "status")
	e.start() // takes the socket that the dead one left
}

// mountSmall puts a disk of the given size over a folder; the caller unmounts it.
func mountSmall(t *testing.T, folder, size string) {
	t.Helper()
	err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size="+size)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("mounting a small file system: %v", err)
	default:
		t.Skipf("mounting a small file system needs root: %v", err)
	}
}

// Invariant 6 with a real disk: a full one refuses a deploy in clear words and
// still takes a rollback.
func TestARollbackWorksOnAFullDisk(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	state := e.file("state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	mountSmall(t, state, "4m")
	t.Cleanup(func() {
		e.powerCut() // while their files still tell whose they are
		unix.Unmount(state, unix.MNT_DETACH)
	})
	e.start()
	e.must("deploy", "a")
	e.must("deploy", "b")
	e.must("switch")
	e.must("confirm")
	e.fill("state/other data")
	e.untouched(func() {
		e.fails(1, []string{"no space left on device", "rollback"}, "deploy", "c")
	})
	e.fill("state/still more")
	e.must("rollback")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q, want a", got)
	}
	e.kill()
	e.start()
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("after a restart production shows %q, want a", got)
	}
	os.Remove(e.file("state/other data"))
	os.Remove(e.file("state/still more"))
	e.must("discard")
	e.must("deploy", "c")
}

// fill writes a file until its disk is full.
func (e *testEdge) fill(name string) {
	e.t.Helper()
	f, err := os.Create(e.file(name))
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, unix.ENOSPC) {
		e.t.Fatalf("filling the disk: %v", err)
	}
}

// Invariant 10: what the configuration keeps secret, and what a request
// carries, is in no answer, no log and no record, also when things fail.
func TestSecretsAreToldToNobodyElse(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-4f1d"
	e := newTestEdge(t, "")
	e.Deadline = "2s"
	e.Environment += `, DATABASE_URL: "postgres://chat:` + secret + `@db/chat", API_TOKEN: "${CHAT_TOKEN}"`
	e.env = []string{"CHAT_TOKEN=" + secret}
	e.configure()
	e.start()
	var told strings.Builder
	say := func(args ...string) {
		r := e.cliEnv(e.env, args...)
		told.WriteString(r.stdout + r.stderr)
	}
	for _, args := range [][]string{
		{"deploy", "a"}, {"deploy", "dies"}, {"deploy", "bad"}, {"discard"}, {"deploy", "b", "--json"}, {"switch"}, {"rollback"},
		{"status"}, {"status", "--json"}, {"history", "--json"}, {"health"}, {"recover"}, {"reload"}, {"config", "check", e.config()},
	} {
		say(args...)
	}
	e.write("bluegreen.yaml", strings.Replace(mustRead(t, e.config()), `"${CHAT_TOKEN}"`, `["${CHAT_TOKEN}"]`, 1))
	say("reload")
	for _, pid := range instances(e.dir) {
		syscall.Kill(pid, syscall.SIGKILL) // so that requests fail too
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.localhost/api/messages?token="+secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+secret)
	request.Header.Set("Cookie", "session="+secret)
	answer, err := e.client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	told.Write(body)
	e.stop()

	told.WriteString(e.logged())
	if strings.Contains(told.String(), secret) {
		t.Errorf("the secret is told:\n%s", told.String())
	}
	if !strings.Contains(told.String(), "API_TOKEN") {
		t.Errorf("the bad entry of the environment is not told by its name:\n%s", told.String())
	}
	err = filepath.WalkDir(e.file("state"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(mustRead(t, path), secret) {
			t.Errorf("the secret is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
