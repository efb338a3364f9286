package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// Listen opens the unix socket at path for root, the user of this process and
// the group. A missing directory is created with mode 0750 first. The socket
// of a live daemon is never replaced: that is an error. One that a daemon left
// behind is.
//
// Closing the listener leaves the file: by then it may be the next daemon's.
func (s *Server) Listen(path string) (net.Listener, error) {
	if limit := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > limit {
		return nil, fmt.Errorf("the path of the admin socket is longer than %d bytes: %s", limit, path)
	}
	dir := filepath.Dir(path)
	if err := s.makeDirectory(dir); err != nil {
		return nil, fmt.Errorf("creating the directory of the admin socket: %w", err)
	}
	unlock, err := lockDirectory(dir)
	if err != nil {
		return nil, fmt.Errorf("locking the directory of the admin socket: %w", err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := s.bind(path)
	if err != nil {
		return nil, fmt.Errorf("opening the admin socket: %w", err)
	}
	return ln, nil
}

// bind creates the socket closed to everybody else and opens it to the group
// once it belongs to it.
func (s *Server) bind(path string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	ln, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	s.giveToGroup(path)
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func (s *Server) makeDirectory(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s.giveToGroup(dir)
	return nil
}

// giveToGroup lets the members of the group in, where there is such a group
// and this process may. Without it only root and this user can connect.
func (s *Server) giveToGroup(path string) {
	group, err := user.LookupGroup(s.options.Group)
	if err != nil {
		s.log.Debug("admin: only root and the edge's own user can use the socket", "reason", err)
		return
	}
	gid, err := strconv.Atoi(group.Gid)
	if err == nil {
		err = os.Chown(path, -1, gid)
	}
	if err != nil {
		s.log.Warn("admin: the group cannot be let in", "group", s.options.Group, "path", path, "error", err)
	}
}

// lockDirectory keeps two daemons that start at once from taking each other's
// fresh socket for a stale one.
func lockDirectory(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// removeStale removes a socket that nobody answers on, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for an admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return &switcher.Error{
			Code: switcher.CodeRefused, What: fmt.Sprintf("%s is not a socket", path),
			Hint: "move it away, or configure another admin.socket",
		}
	}
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	switch {
	case err == nil:
		return errors.Join(&switcher.Error{
			Code: switcher.CodeRefused, What: fmt.Sprintf("another bluegreen already answers on %s", path),
			Hint: "stop it first, or configure another admin.socket",
		}, conn.Close())
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("asking whether %s is in use: %w", path, err)
	}
	return os.Remove(path)
}
