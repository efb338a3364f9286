package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// edge starts instance i1 in dir, says so, and waits to be killed.
func edge(dir string) {
	r, err := New(options(dir, strings.Split(os.Getenv("TEST_EDGE_COMMAND"), "\x1f")))
	if err == nil && os.Getenv("TEST_EDGE_JOB") != "" {
		_, err = r.Once(context.Background(), job(os.Getenv("TEST_EDGE_JOB")), func(l switcher.Line) { fmt.Println(string(l.Text)) })
		fmt.Println("ended:", err)
		return
	}
	if err == nil {
		err = r.Start(context.Background(), switcher.Spec{Instance: "i1", Colour: switcher.Blue, Port: 1, Release: switcher.Release{ID: "r1"}})
	}
	if err == nil && os.Getenv("TEST_EDGE_KEEP") != "" {
		err = r.Keep(context.Background(), "i1")
	}
	fmt.Println("started:", err)
	select {}
}

func edgeCommand(dir string, command []string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_EDGE_DIR="+dir, "TEST_EDGE_COMMAND="+strings.Join(command, "\x1f"))
	cmd.Stderr = os.Stderr
	return cmd
}

// crashedEdge has another process start i1 in dir, and kills that process.
func crashedEdge(t *testing.T, dir string, command []string, env ...string) {
	t.Helper()
	cmd := edgeCommand(dir, command)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	if line != "started: <nil>\n" {
		t.Fatalf("the edge said %q", line)
	}
}

func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("python3 is not there")
	}
	return path
}

func TestInstanceSurvivesTheEdgeAndIsAdopted(t *testing.T) {
	dir := t.TempDir()
	crashedEdge(t, dir, script("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"))
	r := open(t, options(dir, script("exit 1")))
	says(t, r, "i1", "ready")
	if in := listed(t, r, "i1"); !in.Running || in.Release != "r1" || in.Colour != switcher.Blue {
		t.Fatalf("listed as %+v", in)
	}
	if err := r.Stop(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	says(t, r, "i1", "bye")
	if in := listed(t, r, "i1"); in.Running || in.ExitCode != switcher.ExitUnknown {
		t.Errorf("listed as %+v", in)
	}
}

func TestAdoptedKeptInstanceIsStartedAgain(t *testing.T) {
	dir := t.TempDir()
	crashedEdge(t, dir, script(serve), "TEST_EDGE_KEEP=1")
	r := open(t, options(dir, script(serve)))
	first := pidOf(t, r, "i1")
	syscall.Kill(first, syscall.SIGKILL)
	in, _ := r.known("i1")
	eventually(t, "started again", func() bool { life := in.running(); return life != nil && life.pid != first })
}

func TestCloseLeavesInstancesRunning(t *testing.T) {
	dir := t.TempDir()
	first, err := New(options(dir, script(serve)))
	if err != nil {
		t.Fatal(err)
	}
	start(t, first, spec(t, "i1"))
	pid := pidOf(t, first, "i1")
	first.Close()
	if err := first.Start(t.Context(), spec(t, "i2")); err == nil {
		t.Error("a closed runtime started an instance")
	}
	second := open(t, options(dir, script(serve)))
	if now := pidOf(t, second, "i1"); now != pid {
		t.Errorf("process %d became %d", pid, now)
	}
}

// A crash between the fork and the record that follows it leaves a process
// that only its mark leads to.
func TestProcessWithoutRecordedPIDIsFoundByItsMark(t *testing.T) {
	dir := t.TempDir()
	crashedEdge(t, dir, script(serve))
	records, _, err := readRecords(dir)
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	pid := records[0].Process.PID
	records[0].State, records[0].Process = starting, identity{}
	rewrite(t, dir, records[0])

	r := open(t, options(dir, script(serve)))
	if got := pidOf(t, r, "i1"); got != pid {
		t.Errorf("adopted process %d, want %d", got, pid)
	}
}

func TestCrashBeforeTheForkLeavesAStoppedInstance(t *testing.T) {
	dir := t.TempDir()
	rewrite(t, dir, record{App: "chat", Instance: "i1", Colour: switcher.Blue, State: starting})
	r := open(t, options(dir, script(serve)))
	if in := listed(t, r, "i1"); in.ID == "" || in.Running {
		t.Fatalf("listed as %+v", in)
	}
	start(t, r, spec(t, "i1"))
	pidOf(t, r, "i1")
}

func TestReusedPIDIsNotTakenForTheInstance(t *testing.T) {
	dir := t.TempDir()
	innocent := exec.Command("sleep", "60")
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { innocent.Process.Kill(); innocent.Wait() }()
	id, ok := identify(innocent.Process.Pid)
	if !ok {
		t.Fatal("no identity")
	}
	earlier, otherBoot := id, id
	earlier.Start--
	otherBoot.Boot = "another"
	for name, stale := range map[string]identity{"start": earlier, "boot": otherBoot} {
		rewrite(t, dir, record{App: "chat", Instance: "i1", State: running, Process: stale})
		r := open(t, options(dir, script(serve)))
		if listed(t, r, "i1").Running {
			t.Errorf("%s: a stranger was adopted", name)
		}
		if err := r.Remove(t.Context(), "i1"); err != nil {
			t.Error(err)
		}
	}
	if !id.alive() {
		t.Error("the stranger was killed")
	}
}

func TestRemainsOfADeadLeaderAreEnded(t *testing.T) {
	dir := t.TempDir()
	crashedEdge(t, dir, script("setsid sleep 60 & echo ready; exec sleep 60"))
	records, _, _ := readRecords(dir)
	r := &Runtime{app: "chat", dir: dir}
	eventually(t, "two processes", func() bool { return len(r.marked("i1")) == 2 })
	syscall.Kill(records[0].Process.PID, syscall.SIGKILL)
	eventually(t, "the leader's end", func() bool { return len(r.marked("i1")) == 1 })

	second := open(t, options(dir, script(serve)))
	if listed(t, second, "i1").Running {
		t.Error("listed as running")
	}
	eventually(t, "no process", func() bool { return len(second.marked("i1")) == 0 })
}

// The edge is killed as soon as a file of the start shows up, which meets it
// before, in and after the fork.
func TestCrashAtAnyPointOfAStartLeavesNoProcessThatListCannotFind(t *testing.T) {
	for _, name := range []string{"i1.json.new", "i1.json", "i1.log"} {
		for range 5 {
			dir := t.TempDir()
			cmd := edgeCommand(dir, script(serve))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			appeared := func(name string) bool {
				_, err := os.Stat(filepath.Join(dir, name))
				return err == nil
			}
			// i1.json.new comes and goes, so it may be missed.
			for deadline := time.Now().Add(20 * time.Second); !appeared(name) && !appeared("i1.log"); {
				if time.Now().After(deadline) {
					t.Fatal("the edge starts nothing")
				}
			}
			cmd.Process.Kill()
			cmd.Wait()

			r := open(t, options(dir, script(serve)))
			eventually(t, "what runs is listed", func() bool {
				return listed(t, r, "i1").Running == (len(r.marked("i1")) > 0)
			})
			if err := r.Remove(t.Context(), "i1"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "nothing runs", func() bool { return len(r.marked("i1")) == 0 })
		}
	}
}

func TestSameInstanceIDOfAnotherEdgeIsLeftAlone(t *testing.T) {
	one, two := open(t, options(t.TempDir(), script(serve))), open(t, options(t.TempDir(), script(serve)))
	start(t, one, spec(t, "i1"))
	start(t, two, spec(t, "i1"))
	if err := one.Remove(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	if !listed(t, two, "i1").Running || len(two.marked("i1")) != 1 {
		t.Error("the other edge's instance was ended")
	}
}

func rewrite(t *testing.T, dir string, rec record) {
	t.Helper()
	if err := (&Runtime{dir: dir}).write(rec); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, rec.Instance+recordSuffix)); err != nil {
		t.Fatal(err)
	}
}
