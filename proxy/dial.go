package proxy

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	dialAttempts   = 3
	firstDialPause = 50 * time.Millisecond

	unixPrefix = "unix:"
)

// dialer connects to one backend.
type dialer struct {
	network, address string
	timeout          time.Duration
	pause            time.Duration // before the second attempt
}

// newDialer takes host:port or unix:/path.
func newDialer(address string, timeout time.Duration) *dialer {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return &dialer{"unix", path, timeout, firstDialPause}
	}
	return &dialer{"tcp", address, timeout, firstDialPause}
}

// authority is what stands for the backend in a URL. It is never sent, for the
// client's Host is.
func (d *dialer) authority() string {
	if d.network == "unix" {
		return "unix"
	}
	return d.address
}

// dial connects within the timeout. A backend that does not listen is tried
// again for a moment: it may just be starting, and nothing was sent to it.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	within := net.Dialer{Deadline: time.Now().Add(d.timeout)}
	for attempt, pause := 1, d.pause; ; attempt, pause = attempt+1, 2*pause {
		conn, err := within.DialContext(ctx, d.network, d.address)
		if err == nil || attempt == dialAttempts || !notListening(err) || time.Until(within.Deadline) < pause {
			return conn, err
		}
		if !sleep(ctx, pause) {
			return nil, err
		}
		retried(ctx)
	}
}

// notListening reports whether a dial found nobody: no listener, no socket
// file, or (EAGAIN) a Unix socket whose queue is full.
func notListening(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EAGAIN)
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
