package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// datagramBuffer is what HTTP/3 wants the kernel to hold while the edge is
// busy; quic-go asks for as much.
const datagramBuffer = 7 << 20

// listenBoth opens a TCP and a UDP socket with the same port. Where the address
// leaves the port to the kernel, which chooses for TCP, the same one may be
// taken for UDP: then it is asked for another.
func listenBoth(address string) (net.Listener, *net.UDPConn, error) {
	_, asked, _ := net.SplitHostPort(address)
	for tries := 1; ; tries++ {
		stream, err := listen(address, "edge.https")
		if err != nil {
			return nil, nil, err
		}
		datagrams, err := listenUDP(stream.Addr())
		if err == nil {
			return stream, datagrams, nil
		}
		stream.Close()
		if asked != "0" || tries == 100 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, err
		}
	}
}

// listenUDP opens the UDP socket beside a TCP listener.
func listenUDP(beside net.Addr) (*net.UDPConn, error) {
	tcp, ok := beside.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("listening for HTTP/3 beside %s: not a TCP address", beside)
	}
	at := &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone}
	conn, err := net.ListenUDP("udp", at)
	if err == nil {
		return conn, nil
	}
	told := &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf("listening on UDP %s for HTTP/3", at), Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		told.Hint = "another program has the port (`ss -lunp` tells which): stop it, or set `edge.http3: false`"
	case errors.Is(err, syscall.EACCES):
		told.Hint = "ports below 1024 need root or CAP_NET_BIND_SERVICE, which the systemd unit gives, or a socket unit with ListenDatagram=; or set `edge.http3: false`"
	default:
		told.Hint = "set `edge.http3: false` to do without HTTP/3"
	}
	return nil, told
}

// datagramSocket takes over a passed UDP socket.
func datagramSocket(file *os.File) (*net.UDPConn, error) {
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, errors.New("not a UDP socket")
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		conn.Close()
		return nil, errors.New("not a UDP socket")
	}
	return udp, nil
}

// widen asks the kernel for large buffers and tells once when it gives less:
// under load packets are then lost and sent anew, which costs speed only.
func (e *edge) widen(conn *net.UDPConn) error {
	// quic-go would tell by itself, past our log.
	if err := os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true"); err != nil {
		return fmt.Errorf("setting the environment for HTTP/3: %w", err)
	}
	conn.SetReadBuffer(datagramBuffer)
	conn.SetWriteBuffer(datagramBuffer)
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("looking at the UDP socket: %w", err)
	}
	var size int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, datagramBuffer) // root may have it all the same
		size, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	}); err != nil || failed != nil {
		return fmt.Errorf("looking at the UDP socket: %w", errors.Join(err, failed))
	}
	if size < datagramBuffer {
		e.log.Info("the kernel keeps the buffers of HTTP/3 small, which makes it slower under load",
			"bytes", size, "hint", fmt.Sprintf("sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d", datagramBuffer, datagramBuffer))
	}
	return nil
}

// packets is the socket of HTTP/3, if there is one.
func (l listeners) packets() net.PacketConn {
	if l.http3 == nil {
		return nil
	}
	return l.http3
}

// udp is its address in words.
func (l listeners) udp() string {
	if l.http3 == nil {
		return "off"
	}
	return l.http3.LocalAddr().String()
}
