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
type listeners struct {
	http, https, admin net.Listener
	metrics            net.Listener // nil: none
	dashboard          net.Listener // nil: none
	http3              *net.UDPConn // nil: none
}

// expected are the names of sockets that systemd may pass (sd_listen_fds(3)),
// in FileDescriptorName= of a socket unit, and the networks that they are of.
func expected() map[string]string {
	return map[string]string{"http": "tcp", "https": "tcp", "http3": "udp", "admin": "unix"}
}

// passed are the sockets that systemd passed.
type passed struct {
	streams map[string]net.Listener
	http3   *net.UDPConn
}

func (p passed) close() {
	for _, l := range p.streams {
		l.Close()
	}
	if p.http3 != nil {
		p.http3.Close()
	}
}

// openListeners takes the sockets that systemd passed, and opens those that it
// did not pass.
func (e *edge) openListeners(c *config.Config) (l listeners, err error) {
	passed, err := takePassed(activation.Files(true))
	if err != nil {
		return l, err
	}
	if passed.http3 != nil && !c.Edge.HTTP3 {
		passed.close()
		return l, &switcher.Error{Code: switcher.CodeUsage,
			What: "systemd passed a socket for http3, which `edge.http3: false` turns off",
			Hint: "remove the ListenDatagram= of its socket unit, or that line of the configuration"}
	}
	take := func(name string, open func() (net.Listener, error)) net.Listener {
		if ready := passed.streams[name]; ready != nil {
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
	l.http3 = passed.http3
	l.https = take("https", func() (opened net.Listener, err error) {
		if !c.Edge.HTTP3 || l.http3 != nil {
			return listen(c.Edge.HTTPS, "edge.https")
		}
		opened, l.http3, err = listenBoth(c.Edge.HTTPS)
		return opened, err
	})
	if err == nil && c.Edge.HTTP3 && l.http3 == nil {
		l.http3, err = listenUDP(l.https.Addr())
	}
	l.admin = take("admin", func() (net.Listener, error) { return e.admin.Listen(c.Admin.Socket) })
	if err == nil && c.Metrics.Listen != "" {
		l.metrics, err = listen(c.Metrics.Listen, "metrics.listen")
	}
	if err == nil {
		l.dashboard, err = listenDashboard(c)
	}
	if err == nil && l.http3 != nil {
		err = e.widen(l.http3)
	}
	if err != nil {
		l.close()
	}
	return l, err
}

// takePassed makes sockets of all files, or of none: one that is left aside
// would let clients wait for ever, or have its port taken twice.
func takePassed(files []*os.File) (_ passed, err error) {
	all := passed{streams: map[string]net.Listener{}}
	var wrong []string
	for _, file := range files {
		name := file.Name()
		switch stream, datagrams, err := socket(file); {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s (%v)", name, err))
		case stream != nil && all.streams[name] != nil:
			wrong = append(wrong, name+" (a second one)")
			stream.Close()
		case datagrams != nil && all.http3 != nil:
			wrong = append(wrong, name+" (a second one)")
			datagrams.Close()
		case datagrams != nil:
			all.http3 = datagrams
		default:
			all.streams[name] = stream
		}
		file.Close()
	}
	if len(wrong) == 0 {
		return all, nil
	}
	all.close()
	return passed{}, &switcher.Error{Code: switcher.CodeUsage,
		What: "systemd passed sockets that cannot be used: " + strings.Join(wrong, ", "),
		Hint: "give each socket unit one ListenStream= and FileDescriptorName=http, https or admin, or ListenDatagram= and http3"}
}

// socket takes over a socket that was passed under the name of the file.
func socket(file *os.File) (stream net.Listener, datagrams *net.UDPConn, err error) {
	network, known := expected()[file.Name()]
	if !known {
		return nil, nil, errors.New("unknown name")
	}
	if network == "udp" {
		datagrams, err = datagramSocket(file)
		return nil, datagrams, err
	}
	listens, err := unix.GetsockoptInt(int(file.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return nil, nil, errors.New("not a listening stream socket")
	}
	stream, err = net.FileListener(file)
	if err != nil {
		return nil, nil, err
	}
	if stream.Addr().Network() != network {
		stream.Close()
		return nil, nil, fmt.Errorf("a %s socket, not %s", stream.Addr().Network(), network)
	}
	return stream, nil, nil
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.http, l.https, l.admin, l.metrics, l.dashboard} {
		if one != nil {
			one.Close()
		}
	}
	if l.http3 != nil {
		l.http3.Close()
	}
}

func listen(address, key string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, cannotListen(address, key, err)
	}
	return l, nil
}

func cannotListen(address, key string, err error) error {
	told := &switcher.Error{Code: switcher.CodeFailed, What: "listening on " + address, Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		told.Hint = fmt.Sprintf("another program has the port (`ss -ltnp` tells which, often nginx): stop it, or change `%s`", key)
	case errors.Is(err, syscall.EACCES):
		told.Hint = fmt.Sprintf("ports below 1024 need root or CAP_NET_BIND_SERVICE, which the systemd unit gives; or change `%s`", key)
	}
	return told
}

func port(a net.Addr) int {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

func address(l net.Listener) string { return strings.TrimPrefix(l.Addr().String(), "@") }
