package admin

import (
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

func TestLiveDaemonsSocketIsNeverReplaced(t *testing.T) {
	e := startEdge(t)
	_, err := New(Options{}).Listen(e.socket)
	wantError(t, err, switcher.CodeRefused, "another bluegreen already answers")
	if _, err := e.client.Apps(t.Context()); err != nil {
		t.Errorf("the live daemon does not answer any more: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for range 2 {
		ln, err := New(Options{}).Listen(socket)
		if err != nil {
			t.Fatalf("listening: %v", err)
		}
		_ = ln.Close() // leaves the file, as a killed daemon does
		if _, err := os.Lstat(socket); err != nil {
			t.Fatalf("closing a listener has removed what may be the next daemon's socket: %v", err)
		}
	}
}

func TestFileThatIsNoSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{}).Listen(path)
	wantError(t, err, switcher.CodeRefused, "is not a socket")
	if got, _ := os.ReadFile(path); string(got) != "precious" {
		t.Errorf("the file now holds %q", got)
	}
}

func TestOfDaemonsThatStartAtOnceOneGetsTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	if ln, err := New(Options{}).Listen(socket); err != nil {
		t.Fatal(err)
	} else {
		_ = ln.Close()
	}
	var won sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if ln, err := New(Options{}).Listen(socket); err == nil {
				won.Store(i, ln)
			}
		})
	}
	all.Wait()
	winners := 0
	won.Range(func(_, ln any) bool {
		winners++
		_ = ln.(net.Listener).Close()
		return true
	})
	if winners != 1 {
		t.Errorf("%d daemons believe that the socket is theirs, want 1", winners)
	}
}

func TestSocketIsClosedToEverybodyElse(t *testing.T) {
	group, gid := anotherGroup(t)
	socket := filepath.Join(t.TempDir(), "run", "bluegreen", "admin.sock")
	ln, err := New(Options{Group: group}).Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for path, want := range map[string]fs.FileMode{filepath.Dir(socket): 0o750, socket: 0o660} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s = %o, want %o", path, got, want)
		}
		var owner unix.Stat_t
		if err := unix.Stat(path, &owner); err != nil {
			t.Fatal(err)
		}
		if int(owner.Gid) != gid {
			t.Errorf("group of %s = %d, want %d (%s)", path, owner.Gid, gid, group)
		}
	}
}

func TestSocketIsClosedFromItsFirstMoment(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := New(Options{Group: "nobody-has-this"})
	ln, err := s.bind(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		t.Errorf("mode = %o: others can connect", info.Mode().Perm())
	}
}

func TestTooLongPathSaysWhatIsWrong(t *testing.T) {
	_, err := New(Options{}).Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 120)))
	if err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("error = %v", err)
	}
}

// anotherGroup is a group that exists and is not this process's own.
func anotherGroup(t *testing.T) (name string, gid int) {
	t.Helper()
	needRoot(t)
	group, err := user.LookupGroup("daemon")
	if err != nil {
		t.Fatalf("every Debian has a group daemon: %v", err)
	}
	gid, err = strconv.Atoi(group.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return group.Name, gid
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("acting as another user needs root")
	}
	t.Skip("acting as another user needs root")
}
