package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// identity names one process for all time: a pid alone is used again, but not
// twice at the same clock tick of the same boot. It holds also for a process
// that overwrote its environment.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot: proc(5), stat field 22
	Boot  string `json:"boot"`
}

// identify returns the identity of a process, and false if there is none or
// only its remains that nobody has waited for yet.
func identify(pid int) (identity, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return identity{}, false
	}
	// The second field is the program's name in brackets, and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return identity{}, false
	}
	fields := strings.Fields(string(stat[end+1:])) // from field 3 on
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
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
