package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemd's side of the protocol, as sd_listen_fds(3) and sd_notify(3) describe
// it: sockets passed by name, and a datagram when the edge is ready and when it
// stops.
func TestSocketsArePassedByNameAndReadinessIsTold(t *testing.T) {
	e := newTestEdge(t, "")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(e.dir, "notify")})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	notify.SetReadDeadline(time.Now().Add(30 * time.Second))
	said := func() string {
		t.Helper()
		message := make([]byte, 1024)
		n, err := notify.Read(message)
		if err != nil {
			t.Fatalf("waiting for a notification: %v\n%s", err, e.logged())
		}
		return string(message[:n])
	}

	// The addresses of the file are not the ones that are passed: a listener
	// opened by the edge itself would be seen by its absence here.
	passed := freePorts(t, 2)
	e.HTTP, e.HTTPS = loopback(passed[0]), loopback(passed[1])
	// The variable must name the process that takes the sockets.
	e.process = exec.Command("sh", "-c", `LISTEN_PID=$$ exec bluegreen serve --config "$1"`, "sh", e.config())
	e.process.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES=https:http:http3", "NOTIFY_SOCKET="+filepath.Join(e.dir, "notify"))
	for _, address := range []string{e.HTTPS, e.HTTP} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		defer file.Close()
		e.process.ExtraFiles = append(e.process.ExtraFiles, file)
	}
	datagrams, err := net.ListenPacket("udp", e.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	file, err := datagrams.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	datagrams.Close()
	defer file.Close()
	e.process.ExtraFiles = append(e.process.ExtraFiles, file)
	log, err := os.Create(filepath.Join(e.dir, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	e.process.Stdout, e.process.Stderr = log, log
	if err := e.process.Start(); err != nil {
		t.Fatal(err)
	}
	if got := said(); !strings.Contains(got, "READY=1") {
		t.Errorf("first notification = %q, want READY=1", got)
	}
	e.must("deploy", "a")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("the passed socket shows %q", got)
	}
	client := e.client3()
	if answer, err := client.Get("https://app.localhost/release"); err != nil {
		t.Errorf("over the passed UDP socket: %v", err)
	} else {
		answer.Body.Close()
	}
	client.CloseIdleConnections()
	e.stop()
	if got := said(); !strings.Contains(got, "STOPPING=1") {
		t.Errorf("last notification = %q, want STOPPING=1", got)
	}
}
