package process

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listener is a socket that listens where an instance wants to.
type listener struct {
	inode string
	pid   int // 0 if the process could not be found, mostly another user's
}

// listenersOn returns the sockets that keep 127.0.0.1:port from being bound.
func listenersOn(port int) []listener {
	var found []listener
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		for _, inode := range listening(table, port) {
			found = append(found, listener{inode: inode})
		}
	}
	if len(found) > 0 {
		findOwners(found)
	}
	return found
}

// listening returns the inodes of the listening sockets in one of the kernel's
// socket tables (proc_net_tcp: local address in field 2, state in 4, inode in 10).
func listening(table string, port int) []string {
	file, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer file.Close()
	const listen = "0A"
	var inodes []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		address, hexPort, _ := strings.Cut(fields[1], ":")
		if p, err := strconv.ParseUint(hexPort, 16, 16); err == nil && int(p) == port && coversLoopback(address) {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// coversLoopback reports whether a socket bound to address takes connections
// for 127.0.0.1. The kernel prints 32-bit words in the byte order of the host.
func coversLoopback(address string) bool {
	if strings.Trim(address, "0") == "" {
		return true // any address
	}
	switch strings.TrimPrefix(address, "0000000000000000FFFF0000") { // IPv4 in IPv6
	case "0100007F", "7F000001":
		return true
	}
	return false
}

// findOwners fills in the processes that hold the sockets.
func findOwners(sockets []listener) {
	for _, pid := range pids() {
		descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, descriptor := range descriptors {
			target, err := os.Readlink(descriptor)
			if err != nil {
				continue
			}
			for i := range sockets {
				if sockets[i].pid == 0 && target == "socket:["+sockets[i].inode+"]" {
					sockets[i].pid = pid
				}
			}
		}
	}
}
