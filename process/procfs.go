package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// identity names one process for all time: a pid alone is used again, but not
// twice at the same clock tick of the same boot. It holds also for a process
// that overwrote its environment.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot: proc(5), stat field 22
	Boot  string `json:"boot"`
}

// ticksPerSecond is USER_HZ, in which the kernel tells processor time and when
// a process was started; it is 100 on every architecture that Go runs on
// (proc(5), times(2)).
const ticksPerSecond = 100

// statFields returns what proc(5) tells of a process as stat, from field 3 on,
// at least up to field 24.
func statFields(pid int) ([]string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, false
	}
	// The second field is the program's name in brackets, and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return nil, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	return fields, len(fields) > 24-3
}

// identify returns the identity of a process, and false if there is none or
// only its remains that nobody has waited for yet.
func identify(pid int) (identity, bool) {
	fields, ok := statFields(pid)
	if !ok || fields[0] == "Z" || fields[0] == "X" {
		return identity{}, false
	}
	start, err := strconv.ParseUint(fields[22-3], 10, 64)
	if err != nil {
		return identity{}, false
	}
	return identity{PID: pid, Start: start, Boot: bootID()}, true
}

// alive reports whether exactly this process still runs.
func (id identity) alive() bool {
	if id.PID <= 0 {
		return false
	}
	now, ok := identify(id.PID)
	return ok && now == id
}

// began is when a process was started, as exactly as the kernel counts.
func (id identity) began() time.Time {
	const tick = time.Second / ticksPerSecond
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil || id.Start == 0 {
		return time.Now()
	}
	return time.Now().Add(time.Duration(id.Start)*tick - time.Duration(now.Nano()))
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// pids returns all processes of this machine that can be seen.
func pids() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var found []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// variables returns the environment that a process was started with, none
// while it executes another program.
func variables(pid int) map[string]string {
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	found := make(map[string]string)
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok {
			found[name] = value
		}
	}
	return found
}

// marked returns the processes that were started as part of an instance, its
// descendants too.
func (r *Runtime) marked(instance string) []int {
	var found []int
	for _, pid := range pids() {
		if r.carriesMark(pid, instance) {
			found = append(found, pid)
		}
	}
	return found
}

func (r *Runtime) carriesMark(pid int, instance string) bool {
	return r.isMark(variables(pid), instance)
}

// isMark reports whether an environment is one that an instance was given.
func (r *Runtime) isMark(told map[string]string, instance string) bool {
	return told[envInstance] == instance && told[envApp] == r.app && told[envRecords] == r.dir
}

// programName returns what an operator knows a process by. It is not the full
// command line, whose arguments may hold secrets.
func programName(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(comm))
}
