package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// passable is a socket that systemd could pass.
type passable interface{ File() (*os.File, error) }

// pass hands a socket over under a name, as its only owner.
func pass(t *testing.T, name string, socket passable) *os.File {
	t.Helper()
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), name)
}

// passables are one socket of each kind, that end with the test.
func passables(t *testing.T) map[string]passable {
	t.Helper()
	dir := t.TempDir()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	local, err := net.Listen("unix", filepath.Join(dir, "stream"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "datagrams")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { datagrams.Close() })
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	return map[string]passable{
		"tcp": tcp.(*net.TCPListener), "unix": local.(*net.UnixListener), "unixgram": datagrams, "udp": udp,
	}
}

func TestPassedByNameIsAllThatWasPassed(t *testing.T) {
	sockets := passables(t)
	type socket struct{ name, kind string }
	for about, c := range map[string]struct {
		passed []socket
		says   []string // nil: they are taken
	}{
		"nothing":                    {},
		"all four":                   {passed: []socket{{"http", "tcp"}, {"https", "tcp"}, {"http3", "udp"}, {"admin", "unix"}}},
		"a stream for datagrams":     {[]socket{{"http3", "tcp"}}, []string{"http3 (not a UDP socket)"}},
		"datagrams of a path":        {[]socket{{"http3", "unixgram"}}, []string{"http3 (not a UDP socket)"}},
		"two for datagrams":          {[]socket{{"http3", "udp"}, {"http3", "udp"}}, []string{"http3 (a second one)"}},
		"the name of the unit":       {[]socket{{"bluegreen.socket", "tcp"}, {"https", "tcp"}}, []string{"bluegreen.socket (unknown name)"}},
		"datagrams":                  {[]socket{{"https", "udp"}, {"admin", "unixgram"}}, []string{"https (not a listening stream socket)", "admin (not a listening stream socket)"}},
		"two of one name":            {[]socket{{"http", "tcp"}, {"http", "tcp"}}, []string{"http (a second one)"}},
		"the wrong kind of a stream": {[]socket{{"https", "unix"}, {"admin", "tcp"}}, []string{"https (a unix socket, not tcp)", "admin (a tcp socket, not unix)"}},
	} {
		t.Run(about, func(t *testing.T) {
			var files []*os.File
			for _, s := range c.passed {
				files = append(files, pass(t, s.name, sockets[s.kind]))
			}
			taken, err := takePassed(files)
			defer taken.close()
			count := len(taken.streams)
			if taken.http3 != nil {
				count++
			}
			if c.says == nil {
				if err != nil || count != len(c.passed) {
					t.Fatalf("taken: %v, %v", taken, err)
				}
				return
			}
			if err == nil || switcher.CodeOf(err) != switcher.CodeUsage || count > 0 {
				t.Fatalf("taken: %v, %v; want a refusal", taken, err)
			}
			missing := func(text string) bool { return !strings.Contains(err.Error(), text) }
			if slices.ContainsFunc(c.says, missing) {
				t.Errorf("refused with %q, want %q", err, c.says)
			}
		})
	}
}
