package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

// job is a shell script to be run once.
func job(text string) switcher.Job {
	return switcher.Job{ID: "j1", Release: switcher.Release{ID: "r1", Commit: "abc1234"}, Command: script(text)}
}

// heard is what a job was heard to say.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) take(l switcher.Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, string(l.Text))
}

func (h *heard) said(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.lines, text)
}

func deaf(switcher.Line) {}

// begin runs a job in the background, until it has said that it is ready.
func begin(t *testing.T, r *Runtime, j switcher.Job) (h *heard, cancel context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h, done := &heard{}, make(chan error, 1)
	go func() {
		_, err := r.Once(ctx, j, h.take)
		done <- err
	}()
	t.Cleanup(cancel)
	eventually(t, "the job is ready", func() bool { return h.said("ready") })
	return h, cancel, done
}

// crashedJob has another process run a job in dir, and kills that process when
// the job is ready.
func crashedJob(t *testing.T, dir, text string) {
	t.Helper()
	cmd := edgeCommand(dir, script(serve))
	cmd.Env = append(cmd.Env, "TEST_EDGE_JOB="+text)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if line != "ready\n" {
		t.Fatalf("the edge said %q", line)
	}
}

// nothingLeft checks that a job and all its files are gone.
func nothingLeft(t *testing.T, r *Runtime) {
	t.Helper()
	ids, err := r.Jobs(t.Context())
	if err != nil || len(ids) != 0 {
		t.Errorf("jobs %q, %v", ids, err)
	}
	files, _ := filepath.Glob(filepath.Join(r.dir, "j1*"))
	if len(files) != 0 || len(r.marked("j1")) != 0 {
		t.Errorf("left: files %q, processes %v", files, r.marked("j1"))
	}
}

func TestJobTellsItsLinesAndItsExitCodeAndIsRemoved(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	for text, want := range map[string]int{"exit 0": 0, "exit 42": 42, "kill -KILL $$": 137} {
		var h heard
		code, err := r.Once(t.Context(), job("seq 3000; echo oops >&2; printf 'no end'; "+text), h.take)
		if err != nil || code != want {
			t.Errorf("%s: exit code %d, %v", text, code, err)
		}
		if len(h.lines) != 3002 || h.lines[2999] != "3000" || h.lines[3001] != "no end" {
			t.Errorf("%s: %d lines, the last of them %q", text, len(h.lines), h.lines[max(0, len(h.lines)-3):])
		}
		nothingLeft(t, r)
	}
}

func TestJobGetsWhatAnInstanceGetsButNoPort(t *testing.T) {
	t.Setenv("EDGE_SECRET", "hunter2")
	o := options(t.TempDir(), script(serve))
	o.Directory = t.TempDir()
	o.Environment = map[string]string{"A": "configured", "with.dots": "kept", "B": "configured"}
	r := open(t, o)
	j := job("env; pwd; ls -l /proc/self/fd | wc -l; trap")
	j.Environment = map[string]string{"B": "job's", envInstance: "forged"}
	var h heard
	if code, err := r.Once(t.Context(), j, h.take); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	for _, want := range []string{
		"A=configured", "B=job's", "BLUEGREEN_APP=chat", "BLUEGREEN_RELEASE=r1", "BLUEGREEN_COMMIT=abc1234",
		"BLUEGREEN_JOB=j1", "BLUEGREEN_INSTANCE=j1", o.Directory,
	} {
		if !slices.Contains(h.lines, want) {
			t.Errorf("%s is missing in %q", want, h.lines)
		}
	}
	for _, line := range h.lines {
		if strings.Contains(line, "hunter2") || strings.HasPrefix(line, "PORT=") || strings.HasPrefix(line, envColour) {
			t.Errorf("it was told %s", line)
		}
	}
}

// The command must not inherit what its keeper writes to, nor ignore the signal
// by which it is asked to end.
func TestJobInheritsNothingOfItsKeeper(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	var h heard
	if code, err := r.Once(t.Context(), job("test -e /proc/self/fd/3 && echo open; grep SigIgn /proc/self/status"), h.take); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	// What started this test may ignore signals itself.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(status), "SigIgn:")
	own, _, _ = strings.Cut(own, "\n")
	if want := "SigIgn:" + own; len(h.lines) != 1 || h.lines[0] != want {
		t.Errorf("it said %q, want %q", h.lines, want)
	}
}

func TestJobIsNoInstance(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	var told []switcher.Incident
	watching, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Watch(watching, func(i switcher.Incident) { told = append(told, i) }) }()
	eventually(t, "somebody watches", func() bool {
		r.telling.Lock()
		defer r.telling.Unlock()
		return len(r.watchers) == 1
	})
	_, cancel, ended := begin(t, r, job("echo ready; exec sleep 60"))
	if in := listed(t, r, "j1"); in.ID != "" {
		t.Errorf("listed as %+v", in)
	}
	_, usage := r.Usage(t.Context(), "j1")
	_, wait := r.Wait(t.Context(), "j1")
	_, tail := r.Tail(t.Context(), "j1", 1)
	for name, err := range map[string]error{
		"Usage": usage, "Wait": wait, "Tail": tail, "Keep": r.Keep(t.Context(), "j1"),
		"Follow": r.Follow(t.Context(), "j1", nil, nil), "Start": r.Start(t.Context(), spec(t, "j1")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := r.Stop(t.Context(), "j1"); err != nil {
		t.Error(err)
	}
	if ids, err := r.Jobs(t.Context()); err != nil || !slices.Equal(ids, []string{"j1"}) || len(r.marked("j1")) != 2 {
		t.Errorf("jobs %q, %v, processes %v", ids, err, r.marked("j1"))
	}
	cancel()
	<-ended
	if err := r.Remove(t.Context(), "j1"); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil || len(told) != 0 {
		t.Errorf("told %+v, %v", told, err)
	}
	start(t, r, spec(t, "i1"))
	instance := job("exit 0")
	instance.ID = "i1"
	_, err := r.Once(t.Context(), instance, deaf)
	wantCode(t, err, switcher.CodeRefused)
}

func TestJobGoesOnWhenItsWaiterGivesUpAndIsNotRunTwice(t *testing.T) {
	dir := t.TempDir()
	r := open(t, options(t.TempDir(), script(serve)))
	j := job("echo ready; until test -e " + dir + "/go; do sleep 0.01; done; echo once >>" + dir + "/count; echo done; exit 7")
	_, cancel, ended := begin(t, r, j)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter was told %v", err)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var h heard
	code, err := r.Once(t.Context(), j, h.take)
	if err != nil || code != 7 || !slices.Equal(h.lines, []string{"ready", "done"}) {
		t.Errorf("exit code %d, %v, lines %q", code, err, h.lines)
	}
	if text, _ := os.ReadFile(dir + "/count"); string(text) != "once\n" {
		t.Errorf("it ran: %q", text)
	}
	nothingLeft(t, r)
}

func TestExitCodeAndLinesOfAJobSurviveTheEdge(t *testing.T) {
	for name, c := range map[string]struct {
		rest  string
		until func(*Runtime) bool
	}{
		"running":  {"sleep 0.3; seq 5000; exit 9", nil},
		"ended":    {"seq 5000; exit 9", func(r *Runtime) bool { return len(r.marked("j1")) == 0 }},
		"orphaned": {"(sleep 60 &); seq 5000; exit 9", nil},
	} {
		dir := t.TempDir()
		crashedJob(t, dir, "echo ready; "+c.rest)
		if c.until != nil {
			eventually(t, "the job has ended", func() bool { return c.until(&Runtime{app: "chat", dir: dir}) })
		}
		r := open(t, options(dir, script(serve)))
		if ids, err := r.Jobs(t.Context()); err != nil || !slices.Equal(ids, []string{"j1"}) {
			t.Errorf("%s: jobs %q, %v", name, ids, err)
		}
		var h heard
		code, err := r.Once(t.Context(), switcher.Job{ID: "j1"}, h.take)
		if err != nil || code != 9 || len(h.lines) != 5001 || h.lines[0] != "ready" || h.lines[5000] != "5000" {
			t.Errorf("%s: exit code %d, %v, %d lines", name, code, err, len(h.lines))
		}
		nothingLeft(t, r)
	}
}

// A job that was read once is read again from its first line: unlike what
// instances write, none of it is given back to the disk.
func TestLongOutputOfAJobIsTheSameTheSecondTime(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	j := job("echo first; yes 0123456789012345678901234567890 | head -n 400000; echo ready; exec sleep 60")
	first, cancel, ended := begin(t, r, j)
	cancel()
	<-ended
	second, _, _ := begin(t, r, j)
	if !slices.Equal(first.lines, second.lines) || second.lines[0] != "first" {
		t.Errorf("%d lines, then %d", len(first.lines), len(second.lines))
	}
}

func TestUnknownEndOfAJobIsAnError(t *testing.T) {
	dir := t.TempDir()
	crashedJob(t, dir, "echo ready; exec sleep 60")
	records, _, err := readRecords(dir)
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	syscall.Kill(-records[0].Process.PID, syscall.SIGKILL)
	r := open(t, options(dir, script(serve)))
	code, err := r.Once(t.Context(), switcher.Job{ID: "j1"}, deaf)
	if wantCode(t, err, switcher.CodeFailed); code == 0 || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("exit code %d, %v", code, err)
	}
	nothingLeft(t, r)
}

func TestKilledKeeperIsNoGoodEnd(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	_, _, ended := begin(t, r, job("echo ready; exec sleep 60"))
	in, _ := r.findAny("j1")
	syscall.Kill(in.running().pid, syscall.SIGKILL)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("the waiter was told %v", err)
	}
	nothingLeft(t, r)
}

func TestJobWhoseStartWasCutShort(t *testing.T) {
	for name, c := range map[string]struct {
		end  string // what its keeper had written
		code int
		want string // error
	}{
		"nothing done": {"", 0, ""}, // so it is done now
		"begun":        {"began\n", switcher.ExitUnknown, "is not known"},
		"torn":         {"began\nexit 1", switcher.ExitUnknown, "is not known"},
		"ended":        {"began\nexit 3\n", 3, ""},
		"failed":       {"began\nfailed exec format error\n", 127, "exec format error"},
	} {
		dir := t.TempDir()
		rewrite(t, dir, record{App: "chat", Instance: "j1", State: starting, Job: true})
		if err := os.WriteFile(filepath.Join(dir, "j1.end"), []byte(c.end), 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, options(dir, script(serve)))
		code, err := r.Once(t.Context(), job("exit 0"), deaf)
		if code != c.code || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
		nothingLeft(t, r)
	}
}

func TestJobThatIsNotThereCannotBeAttachedTo(t *testing.T) {
	dir := t.TempDir()
	rewrite(t, dir, record{App: "chat", Instance: "j1", State: starting, Job: true})
	r := open(t, options(dir, script(serve)))
	for _, want := range []string{"never started", "there is no job j1"} {
		_, err := r.Once(t.Context(), switcher.Job{ID: "j1"}, deaf)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	nothingLeft(t, r)
}

func TestEndedJobWithADamagedRecordIsNotRunAgain(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"j1.json": "{", "j1.log": "done\n", "j1.end": "began\nexit 3\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, options(dir, script(serve)))
	var h heard
	if code, err := r.Once(t.Context(), job("echo again"), h.take); err != nil || code != 3 || !slices.Equal(h.lines, []string{"done"}) {
		t.Errorf("exit code %d, %v, lines %q", code, err, h.lines)
	}
	crashedJob(t, dir, "echo ready; sleep 0.3; exit 4")
	if err := os.WriteFile(filepath.Join(dir, "j1.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, options(dir, script(serve)))
	if code, err := second.Once(t.Context(), job("echo again"), deaf); err != nil || code != 4 {
		t.Errorf("exit code %d, %v", code, err)
	}
	nothingLeft(t, second)
}

func TestRemoveEndsAJobGently(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	h, _, ended := begin(t, r, job("trap 'echo bye; sleep 0.2; exit 0' TERM; echo ready; while :; do sleep 0.01; done"))
	if err := r.Remove(t.Context(), "j1"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "removed") { // nil: it saw the end first
		t.Errorf("the waiter was told %v", err)
	}
	if !h.said("bye") {
		t.Errorf("it said %q", h.lines)
	}
	nothingLeft(t, r)
}

func TestJobThatCannotRunSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/garbage", []byte("\x7fELF nonsense"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := open(t, options(t.TempDir(), script(serve)))
	for command, want := range map[string]string{
		"/bin/no-such-migrate": `command "/bin/no-such-migrate" of job j1 cannot be executed`,
		dir + "/garbage":       "exec format error",
	} {
		j := job("")
		j.Command = []string{command}
		_, err := r.Once(t.Context(), j, deaf)
		if wantCode(t, err, switcher.CodeFailed); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", command, err)
		}
		nothingLeft(t, r)
	}
	_, err := r.Once(t.Context(), switcher.Job{ID: "../j1", Command: script("exit 0")}, deaf)
	wantCode(t, err, switcher.CodeUsage)
}

func TestSameJobIDOfAnotherEdgeIsLeftAlone(t *testing.T) {
	one, two := open(t, options(t.TempDir(), script(serve))), open(t, options(t.TempDir(), script(serve)))
	begin(t, one, job("echo ready; exec sleep 60"))
	begin(t, two, job("echo ready; exec sleep 60"))
	if err := one.Remove(t.Context(), "j1"); err != nil {
		t.Fatal(err)
	}
	if len(two.marked("j1")) != 2 {
		t.Error("the other edge's job was ended")
	}
}

// The edge is killed as soon as a file of the job shows up, which meets it
// before, in and after the start. Whatever is left, the job is run once.
func TestCrashAtAnyPointOfTheStartOfAJob(t *testing.T) {
	for _, name := range []string{"j1.json", "j1.end", "j1.log", "count"} {
		for range 5 {
			dir := t.TempDir()
			text := fmt.Sprintf("echo once >>%s/count; exit 6", dir)
			cmd := edgeCommand(dir, script(serve))
			cmd.Env = append(cmd.Env, "TEST_EDGE_JOB="+text)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, name, func() bool {
				_, err := os.Stat(filepath.Join(dir, name))
				if err == nil {
					return true
				}
				_, err = os.Stat(filepath.Join(dir, "count"))
				return err == nil
			})
			cmd.Process.Kill()
			cmd.Wait()
			if hasEnded(t, dir) { // and was told before the edge was killed
				continue
			}
			r := open(t, options(dir, script(serve)))
			if code, err := r.Once(t.Context(), job(text), deaf); err != nil || code != 6 {
				t.Errorf("%s: exit code %d, %v", name, code, err)
			}
			if times, _ := os.ReadFile(filepath.Join(dir, "count")); string(times) != "once\n" {
				t.Errorf("%s: it ran %q", name, times)
			}
			nothingLeft(t, r)
		}
	}
}

// hasEnded reports whether a job has run and left nothing.
func hasEnded(t *testing.T, dir string) bool {
	t.Helper()
	records, _, err := readRecords(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(filepath.Join(dir, "count"))
	return err == nil && len(records) == 0
}
