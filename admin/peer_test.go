package admin

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

func TestPeerOfTheSocketDecidesWhatMayBeDone(t *testing.T) {
	group, gid := anotherGroup(t)
	const nobody = 65534
	e := startEdge(t, func(o *Options) { o.Group = group })
	openToEverybody(t, e.socket)

	for _, c := range []struct {
		who      string
		uid, gid int
		scope    Scope
		actor    switcher.Actor
	}{
		{"root", 0, 0, ScopeAdmin, "root@host"},
		{"member of the group by its process", nobody, gid, ScopeOperate, "nobody@host"},
		{"member of the group by the user database", daemonUID(t), nobody, ScopeOperate, "daemon@host"},
		{"somebody else", nobody, nobody, ScopeNone, "nobody@host"},
		{"somebody without a name", 54321, nobody, ScopeNone, "54321@host"},
	} {
		t.Run(c.who, func(t *testing.T) {
			client := only(t, dialAs(t, e.socket, c.uid, c.gid))
			_, err := client.Apps(t.Context())
			if c.scope == ScopeNone {
				wantError(t, err, switcher.CodeForbidden, string(c.actor)+" may not use this edge")
				return
			}
			if err != nil {
				t.Fatalf("asking for the apps: %v", err)
			}
			_, err = client.Recover(t.Context(), "chat", nil)
			if c.scope == ScopeAdmin && err != nil {
				t.Errorf("an admin may not recover: %v", err)
			} else if c.scope < ScopeAdmin {
				wantError(t, err, switcher.CodeForbidden, string(c.actor)+" has scope operate, this needs admin")
			}
		})
	}
}

func TestRecordedActorIsTheSocketsPeer(t *testing.T) {
	group, gid := anotherGroup(t)
	e := startEdge(t, func(o *Options) { o.Group = group })
	openToEverybody(t, e.socket)
	client := only(t, dialAs(t, e.socket, 65534, gid))
	if _, err := client.Deploy(t.Context(), "chat", switcher.DeployRequest{Commit: "a"}, nil); err != nil {
		t.Fatal(err)
	}
	history, err := e.client.History(t.Context(), "chat")
	if err != nil || len(history.History) == 0 {
		t.Fatalf("history = %+v, %v", history, err)
	}
	if got := history.History[len(history.History)-1].Actor; got != "nobody@host" {
		t.Errorf("recorded actor = %q, want nobody@host", got)
	}
}

func TestRequestWithoutAnIdentityIsRefused(t *testing.T) {
	e := startEdge(t)
	if got := serveAs(e, identity{}, "GET", "/v1/apps", ""); got.Code != 403 {
		t.Errorf("answered %d, want 403", got.Code)
	}
}

// dialAs connects from a thread that has become somebody else and ends with
// its goroutine, for it is never unlocked.
func dialAs(t *testing.T, socket string, uid, gid int) net.Conn {
	t.Helper()
	type dialled struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		runtime.LockOSThread()
		for _, become := range [][4]uintptr{
			{unix.SYS_SETGROUPS, 0, 0, 0},
			{unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)},
			{unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)},
		} {
			if _, _, errno := syscall.RawSyscall(become[0], become[1], become[2], become[3]); errno != 0 {
				done <- dialled{err: errno}
				return
			}
		}
		conn, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
		done <- dialled{conn, err}
	}()
	d := <-done
	if d.err != nil {
		t.Fatalf("connecting as %d:%d: %v", uid, gid, d.err)
	}
	t.Cleanup(func() { _ = d.conn.Close() })
	return d.conn
}

// openToEverybody takes away what the file system protects, so that what the
// server itself checks is seen.
func openToEverybody(t *testing.T, socket string) {
	t.Helper()
	if err := errors.Join(os.Chmod(filepath.Dir(socket), 0o755), os.Chmod(socket, 0o666)); err != nil {
		t.Fatal(err)
	}
}

// daemonUID is a user whose primary group is daemon.
func daemonUID(t *testing.T) int {
	t.Helper()
	daemon, err := user.Lookup("daemon")
	if err != nil {
		t.Fatalf("every Debian has a user daemon: %v", err)
	}
	uid, err := strconv.Atoi(daemon.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}
