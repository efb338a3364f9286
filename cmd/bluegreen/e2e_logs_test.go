package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/collect"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// fileLines returns the lines of a slot's files as `bluegreen logs` tells them,
// parts of a line put together, by instance and stream.
func (e *testEdge) fileLines(colour string) map[string][]string {
	e.t.Helper()
	said := e.must("logs", colour, "--json", "-n", "0").stdout
	lines, parts := map[string][]string{}, map[string]string{}
	for raw := range strings.Lines(said) {
		var l collect.Line
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			e.t.Fatalf("line %q: %v", raw, err)
		}
		if l.App != e.App || string(l.Colour) != colour || l.Release == "" || l.Time.IsZero() {
			e.t.Fatalf("line %q does not say whose it is", raw)
		}
		key := l.Instance + " " + l.Stream
		text := parts[key] + l.Message
		parts[key] = ""
		if l.Partial {
			parts[key] = text
			continue
		}
		lines[key] = append(lines[key], text)
	}
	return lines
}

// wantNumbered checks that the numbered lines among lines are all from first
// on, each once and in order, and returns how many they are.
func wantNumbered(t *testing.T, lines []string, first, step int) (n int) {
	t.Helper()
	for _, line := range lines {
		if !strings.HasPrefix(line, "line ") {
			continue
		}
		if want := numberedLine(first + n*step); line != want {
			t.Fatalf("after %d lines: %.60q (%d bytes), want %.60q (%d bytes)", n, line, len(line), want, len(want))
		}
		n++
	}
	return n
}

// numberedLine is what the test server writes, as a log file holds it.
func numberedLine(n int) string {
	text := fmt.Sprintf("line %d ", n) + strings.Repeat("x", n%400)
	switch {
	case n%4999 == 0:
		text += strings.Repeat("ñ", 20_000)
	case n == 777:
		text += strings.Repeat("é", 100_000)
	case n%499 == 0:
		text += "\uFFFD\uFFFD"
	}
	return text
}

// disturb restarts the edge twice and kills it once, a moment apart.
func (e *testEdge) disturb() {
	for _, end := range []func(){e.stop, e.kill, e.stop} {
		newest := func() string { return e.must("logs", "-n", "1", "--json").stdout }
		before := newest()
		e.await("more is collected", func() bool { return newest() != before })
		end()
		e.start()
	}
}

func TestTheLogsOfContainersAreComplete(t *testing.T) {
	t.Parallel()
	api := enginetest.Require(t)
	e := newDockerEdge(t, api)
	for release, lines := range map[string]string{"a": "20000", "b": "200000", "c": "0"} {
		enginetest.Image(t, api, e.Repository, release, enginetest.Server(t), "-release="+release, "-lines="+lines, "-pace=20ms")
	}
	e.edit("logs }", "logs, max_size: 256k, keep: 1000 }")
	e.start()
	e.must("deploy", "a")
	e.disturb()
	blue := e.status().Slots["blue"].Instance
	e.await("all is collected", func() bool {
		lines := e.fileLines("blue")
		return len(lines[blue+" stdout"])+len(lines[blue+" stderr"]) >= 20001
	})
	lines := e.fileLines("blue")
	if out, err := wantNumbered(t, lines[blue+" stdout"], 0, 2), wantNumbered(t, lines[blue+" stderr"], 1, 2); out+err != 20000 {
		t.Errorf("%d and %d lines, want 20000", out, err)
	}
	if packed, _ := filepath.Glob(e.file("logs/" + e.App + "/blue-*.log.zst")); len(packed) < 5 {
		t.Errorf("%d files were rotated out and compressed", len(packed))
	}

	// What a release says until it is removed is collected before.
	e.must("deploy", "b")
	green := e.status().Slots["green"].Instance
	e.must("deploy", "c")
	lines = e.fileLines("green")
	said := lines[green+" stdout"]
	if wantNumbered(t, said, 0, 2) == 0 || wantNumbered(t, lines[green+" stderr"], 1, 2) == 0 {
		t.Error("nothing of the release that was replaced")
	}
	if !strings.Contains(strings.Join(said[max(0, len(said)-5):], "|"), "received terminated") {
		t.Errorf("its last words are not there, but %q", said[max(0, len(said)-1):])
	}
}

func TestTheLogsOfProcessesAreComplete(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Chat = enginetest.Server(t) + ", -lines=40000, -pace=20ms"
	e.configure()
	e.edit("logs }", "logs, max_size: 256k, keep: 1000 }")
	e.start()
	e.must("deploy", "a")
	e.disturb()
	key := e.status().Slots["blue"].Instance + " " + switcher.Output
	e.await("all is collected", func() bool { return len(e.fileLines("blue")[key]) >= 40001 })
	if n := wantNumbered(t, e.fileLines("blue")[key], 0, 1); n != 40000 {
		t.Errorf("%d lines, want 40000", n)
	}
	e.edit("keep: 1000", "keep: 999")
	e.fails(3, []string{"a running edge cannot change logs"}, "reload")

	// The output file has given back what was collected.
	var info unix.Stat_t
	path := e.file("state/processes/" + e.App + "/" + e.status().Slots["blue"].Instance + ".log")
	if err := unix.Stat(path, &info); err != nil || info.Size < 8<<20 || info.Blocks*512 > 6<<20 {
		t.Errorf("the output file of %d bytes takes %d on the disk (%v)", info.Size, info.Blocks*512, err)
	}
}

func TestAFullDiskStopsLoggingNotServingAndNothingIsLost(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Chat = enginetest.Server(t) + ", -lines=20000, -pace=20ms"
	e.configure()
	e.edit("logs }", "logs, max_size: 256k, keep: 1000 }")
	logs := e.file("logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	mountSmall(t, logs, "16m")
	t.Cleanup(func() {
		e.kill()
		_ = unix.Unmount(logs, unix.MNT_DETACH)
	})
	e.start()
	e.must("deploy", "a")
	e.fill("logs/other data")
	kinds := func() string { return e.must("notify", "status", "--json").stdout }
	e.await("the team is told", func() bool { return strings.Contains(kinds(), `"kind":"logs"`) })
	answer, err := e.client().Get("https://app.localhost/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Errorf("production answers %s", answer.Status)
	}
	if err := os.Remove(e.file("logs/other data")); err != nil {
		t.Fatal(err)
	}
	key := e.status().Slots["blue"].Instance + " " + switcher.Output
	e.await("all is collected", func() bool { return len(e.fileLines("blue")[key]) >= 20001 })
	if n := wantNumbered(t, e.fileLines("blue")[key], 0, 1); n != 20000 {
		t.Errorf("%d lines, want 20000", n)
	}
	e.await("the trouble is over", func() bool { return !strings.Contains(kinds(), `"kind":"logs"`) })
}

func TestLogsAreFollowedUntilInterruptedOrTheEdgeGoesAway(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Chat = enginetest.Server(t) + ", -lines=100000, -pace=20ms"
	e.configure()
	e.edit("logs }", "logs, max_size: 64k, keep: 1000 }")
	e.start()
	e.must("deploy", "a")
	for _, c := range []struct {
		end  func(*exec.Cmd)
		code int
	}{
		{func(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGINT) }, 0},
		{func(*exec.Cmd) { e.stop() }, 8},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bluegreen", "logs", "blue", "-f", "-n", "1", "--json")
		cmd.Env = append(environ(), "BLUEGREEN_SOCKET="+e.socket())
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		next := -1
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var l collect.Line
			var n int
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscanf(l.Message, "line %d", &n); err != nil || l.Partial {
				continue
			}
			if next >= 0 && n != next && n%4999 != 1 && n != 778 {
				t.Fatalf("line %d, want %d", n, next)
			}
			if next = n + 1; next > 3000 && c.end != nil { // several files later
				c.end(cmd)
				c.end = nil
			}
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("exit code %d, want %d: %s", got, c.code, &said)
		}
	}
}
