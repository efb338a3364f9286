package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine says where a run took place, and with which versions.
type machine struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryMB int               `json:"memory_mb"`
	Kernel   string            `json:"kernel"`
	System   string            `json:"system"`
	Load     string            `json:"load"` // of the last minute, before the run
	ProxyCPU int               `json:"proxy_cpu"`
	Versions map[string]string `json:"versions"`
}

func describe(o options) (m machine, err error) {
	m = machine{Cores: runtime.NumCPU(), ProxyCPU: o.proxyCPU, Versions: map[string]string{"go of this program": runtime.Version()}}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return m, err
	}
	m.MemoryMB = int(uint64(info.Totalram) * uint64(info.Unit) >> 20)
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, err
	}
	m.Kernel = unix.ByteSliceToString(name.Release[:])
	if m.CPU, err = valueIn("/proc/cpuinfo", "model name", ":"); err != nil {
		return m, err
	}
	if m.System, err = valueIn("/etc/os-release", "PRETTY_NAME", "="); err != nil {
		return m, err
	}
	average, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m, err
	}
	m.Load, _, _ = strings.Cut(string(average), " ")
	asked := map[string][]string{
		nginx: {"nginx", "-v"}, haproxy: {"haproxy", "-v"}, "h2load": {"h2load", "--version"},
		caddy: {"go", "version", "-m", o.caddy}, bluegreen: {o.bluegreen, "version"},
		"openssl": {"openssl", "version"},
	}
	if o.other != "" {
		asked[otherBuild] = []string{o.other, "version"}
	}
	for program, command := range asked {
		output, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			return m, fmt.Errorf("asking %s for its version: %w: %s", program, err, output)
		}
		m.Versions[program] = versionIn(string(output))
	}
	return m, nil
}

// versionIn picks the version from what a program prints about itself, or from
// what `go version -m` tells of its file: the module and the Go version.
func versionIn(output string) string {
	first, rest, _ := strings.Cut(output, "\n")
	for line := range strings.Lines(rest) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "mod" {
			_, toolchain, _ := strings.Cut(first, ": ")
			return fmt.Sprintf("%s %s (%s)", fields[1], fields[2], toolchain)
		}
	}
	return strings.TrimSpace(first)
}

// valueIn returns what a file of keys and values has for a key.
func valueIn(file, key, separator string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, separator)
		if strings.TrimSpace(name) == key {
			return strings.Trim(strings.TrimSpace(value), `"`), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", file, key)
}
