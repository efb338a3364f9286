package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

// desk is an operator before a running edge: a real admin server on a socket,
// with real apps behind it.
type desk struct {
	t       *testing.T
	environ []string
}

func newDesk(t *testing.T, benches ...*apptest.Bench) *desk {
	t.Helper()
	return newDeskWith(t, func(*admin.Options) {}, benches...)
}

func newDeskWith(t *testing.T, change func(*admin.Options), benches ...*apptest.Bench) *desk {
	t.Helper()
	dir, err := os.MkdirTemp("", "bg") // short: a socket's path is limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	options := admin.Options{Hostname: "host", Apps: func() (apps []*switcher.App) {
		for _, b := range benches {
			apps = append(apps, b.App)
		}
		return apps
	}}
	change(&options)
	server := admin.New(options)
	socket := filepath.Join(dir, "s")
	ln, err := server.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &desk{t: t, environ: []string{"BLUEGREEN_SOCKET=" + socket}}
}

// does runs a command that must end with exit code want, and returns what it
// said.
func (d *desk) does(want int, args ...string) (stdout, stderr string) {
	d.t.Helper()
	code, stdout, stderr := cli(d.t, d.environ, args...)
	if code != want {
		d.t.Fatalf("bluegreen %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout, stderr)
	}
	return stdout, stderr
}

func (d *desk) says(text string, part string) {
	d.t.Helper()
	if !strings.Contains(text, part) {
		d.t.Errorf("said\n%s\nwithout %q", text, part)
	}
}

func TestReleaseThroughTheCommandLine(t *testing.T) {
	d := newDesk(t, apptest.Start(t, "chat"))

	d.environ = append(d.environ, "DOCKER_IMAGE_TAG=a")
	out, _ := d.does(0, "deploy")
	d.says(out, "done ")
	_, errs := d.does(3, "switch")
	d.says(errs, "bluegreen: no release is in test: green is empty\n  `bluegreen deploy COMMIT` brings one\n")
	d.does(0, "deploy", "b") // the argument is stronger than the variable

	out, _ = d.does(0, "status")
	d.says(out, "- green  testing    <- internal\n  release    b ")
	out, _ = d.does(0, "switch", "--dry-run", "--expect-active", "blue")
	d.says(out, "production from blue to green")
	d.says(out, "ok health")
	_, errs = d.does(3, "switch", "--expect-release", "c")
	d.says(errs, "not c as expected")
	d.does(0, "switch", "--expect-active", "blue", "--expect-release", "b", "--bake", "1h")
	_, errs = d.does(3, "deploy", "c")
	d.says(errs, "baking")

	out, _ = d.does(0, "rollback", "--reason", "messages arrive twice")
	d.says(out, "production is back on blue")
	d.does(0, "discard")
	d.does(0, "deploy", "c")
	d.does(0, "switch")
	d.does(0, "confirm")
	d.does(0, "health")
	d.does(0, "drain")
	d.does(0, "cleanup")
	d.does(0, "recover")

	out, _ = d.does(0, "history")
	for _, part := range []string{"WHEN", "deploy", "rollback", "messages arrive twice", "root@host"} {
		d.says(out, part)
	}
	if n := strings.Count(out, "messages arrive twice"); n != 1 {
		t.Errorf("the reason is told %d times:\n%s", n, out)
	}
	out, _ = d.does(0, "history", "-n", "1", "--json")
	var history admin.History
	if err := json.Unmarshal([]byte(out), &history); err != nil || len(history.History) != 1 {
		t.Errorf("history --json = %s (%v)", out, err)
	}
}

func TestJSONOfAnOperationIsItsEvents(t *testing.T) {
	d := newDesk(t, apptest.Start(t, "chat"))
	out, errs := d.does(0, "deploy", "a", "--json")
	if errs != "" {
		t.Errorf("stderr = %s", errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, line := range lines {
		var e switcher.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if last := i == len(lines)-1; (e.Result != nil) != last {
			t.Errorf("line %d of %d: %s", i+1, len(lines), line)
		}
	}
	out, errs = d.does(1, "deploy", "unknown", "--json")
	d.says(out, `"result":{"ok":false,"code":"failed"`)
	d.says(errs, `"code":"failed","hint":"push it first","output":["manifest unknown"]`)

	var status admin.Status
	out, _ = d.does(0, "status", "--json")
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Active != "blue" {
		t.Errorf("status --json = %s (%v)", out, err)
	}
}

func TestFailureOfAnOperationIsToldOnStandardError(t *testing.T) {
	d := newDesk(t, apptest.Start(t, "chat"))
	out, errs := d.does(1, "deploy", "unknown")
	d.says(out, "failed ")
	d.says(errs, "there is no image registry.test/chat:unknown")
	d.says(errs, "\n  push it first\n  | manifest unknown\n")
}

func TestHealthCommandTellsByItsExitCode(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	b.SetSick("b", true)
	d.does(0, "health", "blue")
	out, errs := d.does(5, "health")
	d.says(out, "ok blue   healthy")
	d.says(out, "NO green")
	d.says(errs, "not healthy: green")
}

func TestAppMayBeLeftOutOnlyWhenThereIsOne(t *testing.T) {
	d := newDesk(t, apptest.Start(t, "chat"), apptest.Start(t, "mail"))
	_, errs := d.does(2, "status")
	d.says(errs, "there are 2 apps")
	d.says(errs, "chat, mail")
	out, _ := d.does(0, "status", "--app", "mail")
	d.says(out, "mail  empty")
	_, errs = d.does(2, "status", "--app", "maul")
	d.says(errs, `there is no app "maul"`)
	out, _ = d.does(0, "__complete", "--app", "")
	d.says(out, "chat\nmail\n")
	d.environ = append(d.environ, "BLUEGREEN_APP=chat")
	out, _ = d.does(0, "status")
	d.says(out, "chat  empty")
}

func TestWaitStaysUntilDrainAndBakeHaveEnded(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	out, _ := d.does(0, "switch", "--wait", "--bake", "600ms", "--timeout", "1m")
	d.says(out, "bake ")
	d.says(out, "has ended")
	if st := b.App.Status(); st.Bake != nil || st.Drain != nil || st.Active != "green" {
		t.Errorf("status = %+v", st)
	}
}

func TestWaitStaysForWhatTheOldSlotHasInFlight(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	release := b.Occupy(t)
	out, _ := d.does(0, "status")
	d.says(out, "in flight  1 request, 0 long connections")
	go func() {
		for b.App.Status().Drain == nil && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.AfterFunc(2*waitEvery, release) // the waiting must have seen it
	}()
	out, _ = d.does(0, "switch", "--wait", "--bake", "0s", "--timeout", "1m")
	d.says(out, "drain                   1 request\n")
	d.says(out, "blue is drained, nothing was cut")
}

func TestWaitTellsWhatARollbackHasCut(t *testing.T) {
	b := apptest.Start(t, "chat", func(s *switcher.Settings) { s.Drain.Timeout = 2 * waitEvery })
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	b.Switch(t)
	b.Occupy(t)
	out, _ := d.does(0, "rollback", "--wait", "--timeout", "1m")
	d.says(out, "1 request, cut in ")
	d.says(out, "ended at their deadline: 1 request")
	if st := b.App.Status(); st.Active != "blue" || st.Slots["green"].State != switcher.Failed {
		t.Errorf("status = %+v", st)
	}
}

func TestWaitGivesUpAtItsTimeout(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	_, errs := d.does(6, "switch", "--wait", "--timeout", "300ms")
	d.says(errs, "the bake")
	d.says(errs, "production has moved")
	if st := b.App.Status(); st.Bake == nil || st.Active != "green" {
		t.Errorf("giving up has changed something: %+v", st)
	}
}

func TestWaitTellsOfAnAutomaticRollback(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	go func() {
		for t.Context().Err() == nil { // not before the switch has ended: it probes as well
			if st := b.App.Status(); st.Bake != nil && st.Operation == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		b.SetSick("b", true)
	}()
	_, errs := d.does(5, "switch", "--wait", "--timeout", "1m")
	d.says(errs, "production was rolled back to blue")
	d.says(errs, "503")
}

func TestWaitTellsWhoMovedProductionBack(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	go func() {
		for !b.App.Status().Rollback.Ready && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		for t.Context().Err() == nil {
			if _, err := b.App.Rollback("pedro@host", switcher.RollbackRequest{Reason: "wrong colours"}); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, errs := d.does(1, "switch", "--wait", "--timeout", "1m")
	d.says(errs, "moved back to blue by pedro@host: wrong colours")
}

func TestInterruptedCommandLeavesTheOperationAndSaysSo(t *testing.T) {
	b := apptest.Start(t, "chat")
	d := newDesk(t, b)
	release := b.HoldFetch()
	defer release()
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = bufio.NewReader(r).ReadString('\n') // the first line is out
		interrupt()
		_, _ = io.Copy(io.Discard, r)
	}()
	var errs strings.Builder
	code := run(ctx, []string{"deploy", "a"}, strings.NewReader(""), w, &errs, d.environ)
	_ = w.Close()
	if code != 8 {
		t.Errorf("exit code %d, want 8: %s", code, &errs)
	}
	running := b.App.Status().Operation
	if running == nil {
		t.Fatal("the operation was stopped")
	}
	d.says(errs.String(), "operation "+running.ID+" goes on")
}
