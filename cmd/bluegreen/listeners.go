package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// listeners are what the edge listens on.
type listeners struct{ http, https, admin net.Listener }

// openListeners takes the sockets that systemd passed under the names http,
// https and admin (sd_listen_fds(3)), and opens those that it did not pass.
func (e *edge) openListeners(c *config.Config) (l listeners, err error) {
	passed, err := activation.ListenersWithNames()
	if err != nil {
		return l, fmt.Errorf("taking over the sockets that were passed: %w", err)
	}
	take := func(name string, open func() (net.Listener, error)) net.Listener {
		if ready := passed[name]; len(ready) > 0 {
			return ready[0]
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
