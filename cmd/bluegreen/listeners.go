package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// listeners are what the edge listens on.
type listeners struct{ http, https, admin net.Listener }

// expected are the names of sockets that systemd may pass (sd_listen_fds(3)),
// in FileDescriptorName= of a socket unit, and the networks that they are of.
func expected() map[string]string {
	return map[string]string{"http": "tcp", "https": "tcp", "admin": "unix"}
}

// openListeners takes the sockets that systemd passed, and opens those that it
// did not pass.
func (e *edge) openListeners(c *config.Config) (l listeners, err error) {
	passed, err := takePassed(activation.Files(true))
	if err != nil {
		return l, err
	}
	take := func(name string, open func() (net.Listener, error)) net.Listener {
		if ready := passed[name]; ready != nil {
			return ready
		}
		if err != nil {
			return nil
		}
		var opened net.Listener
		opened, err = open()
		return opened
	}
	l.http = take("http", func() (net.Listener, error) { return listen(c.Edge.HTTP, "edge.http") })
	l.https = take("https", func() (net.Listener, error) { return listen(c.Edge.HTTPS, "edge.https") })
	l.admin = take("admin", func() (net.Listener, error) { return e.admin.Listen(c.Admin.Socket) })
	if err != nil {
		l.close()
	}
	return l, err
}

// takePassed makes listeners of all files, or of none: one that is left aside
// would let clients wait for ever, or have its port taken twice.
func takePassed(files []*os.File) (_ map[string]net.Listener, err error) {
	passed := map[string]net.Listener{}
	var wrong []string
	for _, file := range files {
		switch l, err := listener(file); {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s (%v)", file.Name(), err))
		case passed[file.Name()] != nil:
			wrong = append(wrong, file.Name()+" (a second one)")
			l.Close()
		default:
			passed[file.Name()] = l
		}
		file.Close()
	}
	if len(wrong) == 0 {
		return passed, nil
	}
	for _, l := range passed {
		l.Close()
	}
	return nil, &switcher.Error{Code: switcher.CodeUsage,
		What: "systemd passed sockets that cannot be used: " + strings.Join(wrong, ", "),
		Hint: "give each socket unit one ListenStream= and FileDescriptorName=http, https or admin"}
}

// listener takes over a socket that was passed under the name of the file.
func listener(file *os.File) (net.Listener, error) {
	network, known := expected()[file.Name()]
	if !known {
		return nil, errors.New("unknown name")
	}
	listens, err := unix.GetsockoptInt(int(file.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return nil, errors.New("not a listening stream socket")
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	if l.Addr().Network() != network {
		l.Close()
		return nil, fmt.Errorf("a %s socket, not %s", l.Addr().Network(), network)
	}
	return l, nil
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.http, l.https, l.admin} {
		if one != nil {
			one.Close()
		}
	}
}

func listen(address, key string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	told := &switcher.Error{Code: switcher.CodeFailed, What: "listening on " + address, Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		told.Hint = fmt.Sprintf("another program has the port (`ss -ltnp` tells which, often nginx): stop it, or change `%s`", key)
	case errors.Is(err, syscall.EACCES):
		told.Hint = fmt.Sprintf("ports below 1024 need root or CAP_NET_BIND_SERVICE, which the systemd unit gives; or change `%s`", key)
	}
	return nil, told
}

func port(a net.Addr) int {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

func address(l net.Listener) string { return strings.TrimPrefix(l.Addr().String(), "@") }
