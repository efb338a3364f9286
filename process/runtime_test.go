package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/switcher"
)

// TestMain is also the edge that the crash tests kill, and the keeper of jobs.
func TestMain(m *testing.M) {
	if os.Args[0] == keeper {
		os.Exit(Keep(os.Args[1:]))
	}
	if dir := os.Getenv("TEST_EDGE_DIR"); dir != "" {
		edge(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestInstanceIsToldItsSlotAndNothingOfTheEdge(t *testing.T) {
	t.Setenv("EDGE_SECRET", "hunter2")
	o := options(t.TempDir(), script("env; echo done; exec sleep 60"))
	o.Environment = map[string]string{"GREETING": "hola", "PORT": "1"}
	r := open(t, o)
	s := spec(t, "i1")
	start(t, r, s)
	says(t, r, "i1", "done")
	out := output(t, r, "i1")
	for _, want := range []string{
		"BLUEGREEN_APP=chat", "BLUEGREEN_COLOUR=green", "BLUEGREEN_RELEASE=r-i1", "BLUEGREEN_COMMIT=abc1234",
		"BLUEGREEN_INSTANCE=i1", "GREETING=hola", "PORT=" + strconv.Itoa(s.Port),
	} {
		if !slices.Contains(strings.Split(out, "\n"), want) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Error("the edge's environment reached the instance")
	}
	if in := listed(t, r, "i1"); !in.Running || in.Colour != switcher.Green || in.Release != "r-i1" {
		t.Errorf("listed as %+v", in)
	}
}

func TestStartLeavesARunningInstanceAlone(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	s := spec(t, "i1")
	start(t, r, s)
	pid := pidOf(t, r, "i1")
	start(t, r, s)
	if now := pidOf(t, r, "i1"); now != pid {
		t.Errorf("process %d became %d", pid, now)
	}
}

func TestStoppedInstanceKeepsItsOutputAndStartsAgain(t *testing.T) {
	r := open(t, options(t.TempDir(), script("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")))
	s := spec(t, "i1")
	for n := range 2 {
		start(t, r, s)
		eventually(t, "it is ready once more", func() bool { return strings.Count(output(t, r, "i1"), "ready") == n+1 })
		if err := r.Stop(t.Context(), "i1"); err != nil {
			t.Fatal(err)
		}
		says(t, r, "i1", "bye")
		if in := listed(t, r, "i1"); in.Running || in.ExitCode != 7 {
			t.Fatalf("listed as %+v", in)
		}
	}
	if n := strings.Count(output(t, r, "i1"), "ready"); n != 2 {
		t.Errorf("the output tells of %d starts, want 2", n)
	}
}

func TestInstanceThatExitsAtOnceIsWaitedFor(t *testing.T) {
	r := open(t, options(t.TempDir(), script("echo no database; exit 3")))
	start(t, r, spec(t, "i1"))
	code, err := r.Wait(t.Context(), "i1")
	if err != nil || code != 3 {
		t.Fatalf("exit code %d, %v; want 3", code, err)
	}
	if out := output(t, r, "i1"); out != "no database" {
		t.Errorf("output %q", out)
	}
	if err := r.Keep(t.Context(), "i1"); err == nil {
		t.Error("an instance that does not run was kept")
	}
}

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	o := options(t.TempDir(), script("trap '' TERM; echo ready; while :; do sleep 0.01; done"))
	o.StopGracePeriod = 50 * time.Millisecond
	r := open(t, o)
	start(t, r, spec(t, "i1"))
	says(t, r, "i1", "ready")
	if err := r.Stop(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	if in := listed(t, r, "i1"); in.Running || in.ExitCode != 128+int(syscall.SIGKILL) {
		t.Errorf("listed as %+v", in)
	}
}

func TestStopEndsDescendantsEvenOutsideTheGroup(t *testing.T) {
	r := open(t, options(t.TempDir(), script("sleep 60 & setsid sleep 60 & echo ready; wait")))
	start(t, r, spec(t, "i1"))
	says(t, r, "i1", "ready")
	eventually(t, "three processes", func() bool { return len(r.marked("i1")) == 3 })
	if err := r.Stop(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no process", func() bool { return len(r.marked("i1")) == 0 })
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	r := open(t, options(t.TempDir(), script("trap '' TERM; echo ready; while :; do sleep 0.01; done")))
	start(t, r, spec(t, "i1"))
	says(t, r, "i1", "ready")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.Stop(ctx, "i1"); switcher.CodeOf(err) != switcher.CodeTimeout {
		t.Fatalf("got %v, want a timeout", err)
	}
	syscall.Kill(-pidOf(t, r, "i1"), syscall.SIGKILL)
}

func TestUnknownInstance(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	if err := errors.Join(r.Stop(t.Context(), "nobody"), r.Remove(t.Context(), "nobody")); err != nil {
		t.Error("stop and remove of an unknown instance:", err)
	}
	if _, err := r.Wait(t.Context(), "nobody"); err == nil {
		t.Error("wait for an unknown instance is no error")
	}
	if err := r.Keep(t.Context(), "nobody"); err == nil {
		t.Error("keep of an unknown instance is no error")
	}
	if _, err := r.Tail(t.Context(), "nobody", 1); err == nil {
		t.Error("tail of an unknown instance is no error")
	}
	wantCode(t, r.Stop(t.Context(), "../etc/passwd"), switcher.CodeUsage)
}

func TestFailedStartLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r := open(t, options(dir, []string{"/nonexistent/backend"}))
	if err := r.Start(t.Context(), spec(t, "i1")); err == nil {
		t.Fatal("started")
	}
	entries, _ := os.ReadDir(dir)
	if list, _ := r.List(t.Context()); len(list) != 0 || len(entries) != 0 {
		t.Errorf("left: %v, %v", list, entries)
	}
	if _, err := r.Fetch(t.Context(), "chat:1", nil); err == nil {
		t.Error("fetched a command that does not exist")
	}
}

func TestFailedRestartLeavesTheInstanceStoppedWithItsOutput(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "backend")
	install := func() { os.WriteFile(program, []byte("#!/bin/sh\necho ready; exec sleep 60\n"), 0o755) }
	records := filepath.Join(dir, "records")
	for name, restart := range map[string]func(*Runtime, switcher.Spec){
		"stranger": func(r *Runtime, s switcher.Spec) { refuse(t, r, s) },
		"no program": func(r *Runtime, s switcher.Spec) {
			os.Remove(program)
			wantCode(t, r.Start(t.Context(), s), switcher.CodeFailed)
		},
		"no interpreter": func(r *Runtime, s switcher.Spec) {
			os.WriteFile(program, []byte("#!/nonexistent\n"), 0o755)
			wantCode(t, r.Start(t.Context(), s), switcher.CodeFailed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			install()
			r := open(t, options(records, []string{program}))
			s := spec(t, "i1")
			start(t, r, s)
			says(t, r, "i1", "ready")
			if err := errors.Join(r.Keep(t.Context(), "i1"), r.Stop(t.Context(), "i1")); err != nil {
				t.Fatal(err)
			}
			before := listed(t, r, "i1")
			other := s
			other.Colour, other.Release.ID = switcher.Blue, "other"
			restart(r, other)
			if after := listed(t, r, "i1"); after != before || after.Running {
				t.Errorf("listed as %+v, before as %+v", after, before)
			}
			if out := output(t, r, "i1"); out != "ready" {
				t.Errorf("output %q", out)
			}
			onDisk, _, err := readRecords(records)
			if err != nil || len(onDisk) != 1 || onDisk[0].State != stopped || onDisk[0].Kept {
				t.Errorf("on disk: %+v, %v", onDisk, err)
			}
			install()
			start(t, r, s)
			pidOf(t, r, "i1")
		})
	}
}

func TestRemoveDeletesRecordAndOutput(t *testing.T) {
	dir := t.TempDir()
	r := open(t, options(dir, script(serve)))
	start(t, r, spec(t, "i1"))
	pid := pidOf(t, r, "i1")
	if err := r.Remove(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	if _, ok := identify(pid); ok {
		t.Error("the process still runs")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestInstanceOfAnotherAppIsRefused(t *testing.T) {
	dir := t.TempDir()
	o := options(dir, script(serve))
	o.App = "other"
	foreign := open(t, o)
	start(t, foreign, spec(t, "i1"))
	r := open(t, options(dir, script(serve)))
	wantCode(t, r.Stop(t.Context(), "i1"), switcher.CodeRefused)
	wantCode(t, r.Remove(t.Context(), "i1"), switcher.CodeRefused)
	wantCode(t, r.Start(t.Context(), spec(t, "i1")), switcher.CodeRefused)
	if list, _ := r.List(t.Context()); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
	pidOf(t, foreign, "i1")
}

func TestKeptInstanceIsStartedAgainUntilStopped(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	start(t, r, spec(t, "i1"))
	if err := r.Keep(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	first := pidOf(t, r, "i1")
	syscall.Kill(first, syscall.SIGKILL)
	in, _ := r.known("i1")
	eventually(t, "started again", func() bool { life := in.running(); return life != nil && life.pid != first })
	if err := r.Stop(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	if listed(t, r, "i1").Running || in.record().Kept {
		t.Error("it runs, or would be started again")
	}
}

func TestInstanceThatIsNotKeptStaysDown(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	start(t, r, spec(t, "i1"))
	syscall.Kill(pidOf(t, r, "i1"), syscall.SIGKILL)
	if code, err := r.Wait(t.Context(), "i1"); code != 128+9 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	r.Close() // returns when nobody is left who would start it
	if listed(t, r, "i1").Running {
		t.Error("it was started again")
	}
}

func TestFetchIdentifiesTheExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backend")
	os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755)
	r := open(t, options(t.TempDir(), []string{path}))
	one, err := r.Fetch(t.Context(), "chat:1", func(switcher.Progress) {})
	if err != nil || !strings.HasPrefix(one.ID, "sha256:") {
		t.Fatalf("%+v, %v", one, err)
	}
	os.WriteFile(path, []byte("#!/bin/sh\nexit\n"), 0o755)
	if two, _ := r.Fetch(t.Context(), "chat:1", nil); two.ID == one.ID {
		t.Error("another executable has the same id")
	}
}

func TestTailIsBounded(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Write(bytes.Repeat([]byte("0123456789\n"), 1000))
	lines, err := tail(file, 1<<20, 105)
	if err != nil || len(lines) != 9 || lines[0] != "0123456789" {
		t.Errorf("%d lines, %v: %q", len(lines), err, lines)
	}
	if lines, _ = tail(file, 2, 1<<20); len(lines) != 2 {
		t.Errorf("%d lines, want 2", len(lines))
	}
}

func TestConfigurationErrors(t *testing.T) {
	for name, o := range map[string]Options{
		"no app":         {Dir: t.TempDir(), Command: script(serve)},
		"no command":     {App: "chat", Dir: t.TempDir()},
		"unknown signal": {App: "chat", Dir: t.TempDir(), Command: script(serve), StopSignal: "SIGNONE"},
	} {
		if r, err := New(o); err == nil {
			r.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConcurrentCallsAgreeInTheEnd(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	specs := []switcher.Spec{spec(t, "i1"), spec(t, "i2")}
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			s := specs[n%2]
			for range 5 {
				if err := r.Start(t.Context(), s); err != nil && !strings.Contains(err.Error(), "was removed") {
					t.Error(err)
				}
				r.Keep(t.Context(), s.Instance) // it may be stopped already
				r.List(t.Context())
				r.Tail(t.Context(), s.Instance, 1)
				stop := r.Stop
				if n == 7 {
					stop = r.Remove
				}
				if err := stop(t.Context(), s.Instance); err != nil {
					t.Error(err)
				}
				r.Wait(t.Context(), "nobody")
			}
		})
	}
	group.Wait()
	for _, s := range specs {
		if listed(t, r, s.Instance).Running || len(r.marked(s.Instance)) != 0 {
			t.Errorf("%s still runs", s.Instance)
		}
		start(t, r, s)
		pidOf(t, r, s.Instance)
	}
}

func TestTailLeavesOutTheValuesOfTheEnvironment(t *testing.T) {
	o := options(t.TempDir(), script(`echo "password $DB_PASSWORD on $BLUEGREEN_COLOUR"; `+serve))
	o.Environment = map[string]string{"DB_PASSWORD": "hunter22"}
	r := open(t, o)
	s := spec(t, "i1")
	start(t, r, s)
	says(t, r, s.Instance, "password … on "+string(s.Colour))
}
