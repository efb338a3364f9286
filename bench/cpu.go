package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stayOn keeps this program, with all its threads, on one core.
func stayOn(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks { // later threads inherit it
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil {
			return fmt.Errorf("staying on core %d: %w", cpu, err)
		}
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// raiseFiles lets this program and what it starts have as many files open as
// the system allows, up to what 10,000 WebSockets through a proxy need, and
// returns how many that are.
func raiseFiles() (int, error) {
	const wanted = 1 << 15
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Max < wanted && unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: wanted, Max: wanted}) == nil {
		return wanted, nil
	}
	limit.Cur = min(limit.Max, wanted)
	// Also when nothing changes: a limit that was set is handed on to children.
	return int(limit.Cur), unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// tree returns a process and all its descendants.
func tree(pid int) ([]int, error) {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pids[i]))
		if err != nil {
			return nil, err
		}
		for _, task := range tasks {
			children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pids[i], task.Name()))
			if err != nil {
				return nil, err
			}
			for field := range bytes.FieldsSeq(children) {
				child, err := strconv.Atoi(string(field))
				if err != nil {
					return nil, fmt.Errorf("reading the children of %d: %w", pids[i], err)
				}
				pids = append(pids, child)
			}
		}
	}
	return pids, nil
}

// cpuTime is what the kernel has accounted to the processes, user and system
// together. It reads the CPU-time clock of each process
// (clock_getcpuclockid(3)): the scheduler's own sum in nanoseconds, over all
// threads including those that have ended, where /proc/PID/stat has ticks of
// 10 ms and /proc/PID/schedstat the main thread only. A thread that is running
// right now lags by a scheduler tick at most.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		const sched = 2 // CPUCLOCK_SCHED of the kernel's posix-timers.h
		var at unix.Timespec
		if err := unix.ClockGettime(int32(^pid)<<3|sched, &at); err != nil {
			return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
		}
		sum += time.Duration(at.Nano())
	}
	return sum, nil
}

// memory is what processes hold, in kilobytes.
type memory struct {
	PSS int `json:"pss_kb"` // pages shared by several processes are divided among them
	RSS int `json:"rss_kb"`
}

// memoryOf sums the memory of processes up.
func memoryOf(pids []int) (memory, error) {
	var sum memory
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return memory{}, err
		}
		one, err := parseRollup(string(text))
		if err != nil {
			return memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
		}
		sum.PSS += one.PSS
		sum.RSS += one.RSS
	}
	return sum, nil
}

func parseRollup(text string) (m memory, err error) {
	found := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		var to *int
		switch fields[0] {
		case "Pss:":
			to = &m.PSS
		case "Rss:":
			to = &m.RSS
		default:
			continue
		}
		if *to, err = strconv.Atoi(fields[1]); err != nil {
			return m, err
		}
		found++
	}
	if found != 2 {
		return m, fmt.Errorf("smaps_rollup has no Pss and Rss: %q", text)
	}
	return m, nil
}
