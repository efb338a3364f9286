package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// The contenders, in the order in which they are shown.
const (
	nginx      = "nginx"
	haproxy    = "haproxy"
	caddy      = "caddy"
	bluegreen  = "bluegreen"
	otherBuild = "bluegreen-other" // another build of it
)

// ours reports whether a contender is bluegreen, which starts its own backends.
func ours(name string) bool { return name == bluegreen || name == otherBuild }

// site is what every contender serves: the same hosts with the same
// certificate, from the same backend.
type site struct {
	Dir       string   // of this contender alone
	Hosts     []string // the first is the one that is asked, unless a case says otherwise
	Cert, Key string   // PEM files
	Both      string   // certificate and key in one file, as HAProxy wants it
	Address   string   // of the TLS listener
	Plain     string   // of a listener without TLS, for who cannot be without
	Backend   string   // address of the backend
	Files     int      // that may be open at once
	Root      bool     // whether this program runs as root

	// For bluegreen alone, which starts its backends itself.
	Blue, Green int
	Command     string // of the backend
}

// contender is a proxy that runs, pinned to its core.
type contender struct {
	name    string
	label   string // its name in the results
	site    site
	process *exec.Cmd
	ended   chan struct{}
	pids    []int // whose CPU time and memory count
}

// program is how a kind of contender is configured and started.
type program struct {
	binary string
	config *template.Template
	file   string // name of the configuration
	run    func(file string) []string
}

// pinned makes a command run on one core only. GOMAXPROCS follows from it.
func pinned(cpu int, command ...string) *exec.Cmd {
	args := append([]string{"-c", strconv.Itoa(cpu)}, command...)
	return exec.Command("taskset", args...)
}

// start configures a contender, starts it on a core of its own, and returns
// once it answers.
func (p program) start(ctx context.Context, name string, s site, cpu int) (_ *contender, err error) {
	var text strings.Builder
	if err := p.config.Execute(&text, s); err != nil {
		return nil, fmt.Errorf("configuring %s: %w", name, err)
	}
	file := filepath.Join(s.Dir, p.file)
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	output, err := os.OpenFile(filepath.Join(s.Dir, "output.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	c := &contender{name: name, label: name, site: s, ended: make(chan struct{})}
	c.process = pinned(cpu, append([]string{p.binary}, p.run(file)...)...)
	c.process.Dir = s.Dir
	c.process.Stdout, c.process.Stderr = output, output
	// Nothing that was started outlives this program, however it ends.
	c.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(c.ended)
		_ = c.process.Wait() // how it ended is in its output
	}()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w; its output:\n%s", err, tail(output.Name())), c.stop())
		}
	}()
	if err := c.listening(ctx); err != nil {
		return c, err
	}
	return c, nil
}

// listening waits until a TLS handshake succeeds.
func (c *contender) listening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := dial(ctx, c.site.Address, c.site.Hosts[0])
		if err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-c.ended:
			return fmt.Errorf("%s has ended before it listened", c.name)
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s: %w", c.name, c.site.Address, err)
		}
	}
}

// account notes the processes that belong to the contender now. Backends that
// bluegreen has started are its children, but not its cost.
func (c *contender) account() (err error) {
	if ours(c.name) {
		c.pids = []int{c.process.Process.Pid}
		return nil
	}
	c.pids, err = tree(c.process.Process.Pid)
	return err
}

// stop ends the contender and waits for it.
func (c *contender) stop() error {
	_ = c.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return nil
	case <-time.After(20 * time.Second):
		_ = c.process.Process.Kill()
		<-c.ended
		return fmt.Errorf("%s did not stop and was killed", c.name)
	}
}

// dial opens a TLS connection for HTTP/1.1. It offers X25519 only, which all
// contenders know, and never resumes a session.
func dial(ctx context.Context, address, host string) (*tls.Conn, error) {
	return dialFrom(ctx, nil, address, host)
}

// dialFrom is dial from a certain local address; nil is any.
func dialFrom(ctx context.Context, local net.Addr, address, host string) (*tls.Conn, error) {
	plain, err := (&net.Dialer{LocalAddr: local}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // the certificate is this run's own
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		NextProtos:         []string{"http/1.1"},
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, err
	}
	return conn, nil
}

// tail returns the end of a file, for an error text.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(text[max(0, len(text)-most):])
}
