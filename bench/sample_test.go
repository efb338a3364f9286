package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestOnlyRequestsThatEndInTheWindowCount(t *testing.T) {
	from := time.Unix(1000, 0)
	w := window{from: from, to: from.Add(time.Second), cpu: 30 * time.Millisecond}
	at := func(start, took time.Duration, failed bool) request {
		return request{from.Add(start), took, failed}
	}
	s, err := w.sample([]request{
		at(-2*time.Second, time.Second, false),            // before
		at(-time.Millisecond, 2*time.Millisecond, false),  // began before, ends within
		at(500*time.Millisecond, time.Millisecond, false), // within
		at(600*time.Millisecond, time.Millisecond, true),  // failed
		at(998*time.Millisecond, time.Millisecond, false), // within
		at(999*time.Millisecond, time.Second, false),      // ends after
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests != 3 || s.Failures != 1 || s.CPU != 10000 || s.Rate != 3 || s.P50 != 1000 || s.P999 != 2000 {
		t.Errorf("the sample is %+v", s)
	}
}

func TestALoadThatDoesNotLastIsNoSample(t *testing.T) {
	from := time.Unix(1000, 0)
	w := window{from: from, to: from.Add(time.Second)}
	for name, requests := range map[string][]request{
		"begins late": {{from.Add(time.Millisecond), time.Millisecond, false}, {from.Add(time.Second), time.Millisecond, false}},
		"ends early":  {{from.Add(-time.Millisecond), 2 * time.Millisecond, false}, {from.Add(time.Second / 2), time.Millisecond, false}},
	} {
		if _, err := w.sample(requests); !errors.Is(err, errUneven) {
			t.Errorf("a load that %s gives %v", name, err)
		}
	}
}

func TestCPUTimeIsThatOfTheProcesses(t *testing.T) {
	before, err := cpuTime([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	after, err := cpuTime([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("a busy loop has cost %v", after-before)
	}
	if _, err := cpuTime([]int{1 << 22}); err == nil {
		t.Error("a process beyond the highest id has a CPU time")
	}
}

func TestTreeHasTheChildren(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	pids, err := tree(os.Getpid())
	if err != nil || pids[0] != os.Getpid() || !slices.Contains(pids, child.Process.Pid) {
		t.Errorf("the tree is %v, %v; the child is %d", pids, err, child.Process.Pid)
	}
}
