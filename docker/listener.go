package docker

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listenerOn names the process that listens on a TCP port of this machine, as
// far as this user may know it.
func listenerOn(port int) string {
	const unknown = "a process that this user cannot look into"
	inode := listeningInode(port)
	if inode == "" {
		return unknown
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == "socket:["+inode+"]" {
			pid := strings.Split(link, "/")[2]
			name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			if err != nil {
				return unknown
			}
			return fmt.Sprintf("process %s (pid %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return unknown
}

// listeningInode returns the inode of the socket that listens on the port, from
// the tables described in proc_pid_net(5), or "".
func listeningInode(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		inode := scanTable(bufio.NewScanner(file), port)
		_ = file.Close()
		if inode != "" {
			return inode
		}
	}
	return ""
}

func scanTable(lines *bufio.Scanner, port int) string {
	const listen = "0A"
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if local, err := strconv.ParseUint(hex, 16, 16); err == nil && int(local) == port {
			return fields[9]
		}
	}
	return ""
}
