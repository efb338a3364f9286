package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lab is one run's folder and what has been started in it.
type lab struct {
	options  options
	dir      string
	programs map[string]program
	running  []*contender
	started  int // contenders in all
	port     int // the next to try
}

func newLab(o options) (*lab, error) {
	dir, err := os.MkdirTemp("", "bench") // short: a socket's path is limited to 108 bytes
	if err != nil {
		return nil, err
	}
	if err := writeCertificate(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &lab{options: o, dir: dir, port: 20000 + os.Getpid()%5000, programs: programs(map[string]string{caddy: o.caddy, bluegreen: o.bluegreen, otherBuild: o.other})}, nil
}

// close ends everything that was started and removes the folder, unless it is
// to be kept.
func (l *lab) close() error {
	if l.options.keep {
		progress("the logs and configurations are in %s", l.dir)
		return l.stopFrom(0)
	}
	return errors.Join(l.stopFrom(0), os.RemoveAll(l.dir))
}

// stopFrom ends the contenders from the nth on, the latest first.
func (l *lab) stopFrom(n int) error {
	var problems []error
	for i := len(l.running) - 1; i >= n; i-- {
		problems = append(problems, l.running[i].stop())
	}
	l.running = l.running[:n]
	return errors.Join(problems...)
}

// emptyLogs keeps the access logs from filling the disk.
func (l *lab) emptyLogs() error {
	for _, c := range l.running {
		logs, err := filepath.Glob(filepath.Join(c.site.Dir, "*.log"))
		if err != nil {
			return err
		}
		for _, file := range logs {
			if err := os.Truncate(file, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// scoped runs do, and ends afterwards what it has started.
func (l *lab) scoped(do func() error) error {
	n := len(l.running)
	return errors.Join(do(), l.stopFrom(n))
}

// hostNames returns n names under the certificate's domain.
func hostNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("app%05d.%s", i, wildcard)
	}
	return names
}

// start starts a contender for the hosts. backend is where it sends requests;
// bluegreen does not need one, for it starts its own.
func (l *lab) start(ctx context.Context, name string, hosts []string, backend string) (*contender, error) {
	l.started++
	dir := filepath.Join(l.dir, fmt.Sprintf("%s%d", name, l.started))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	ports, err := l.freePorts(4)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := site{
		Dir: dir, Hosts: hosts, Backend: backend,
		Cert: filepath.Join(l.dir, "cert.pem"), Key: filepath.Join(l.dir, "key.pem"), Both: filepath.Join(l.dir, "both.pem"),
		Address: loopback(ports[0]), Plain: loopback(ports[1]), Blue: ports[2], Green: ports[3],
		Files: l.options.files, Root: os.Getuid() == 0,
		Command: fmt.Sprintf("taskset, -c, %q, %q, backend", fmt.Sprint(l.options.clientCPU), self),
	}
	switch name {
	case nginx:
		err = writeUpstream(s)
	case haproxy:
		err = os.WriteFile(filepath.Join(dir, "hosts"), []byte(strings.Join(hosts, "\n")+"\n"), 0o600)
	}
	if err != nil {
		return nil, err
	}
	c, err := l.programs[name].start(ctx, name, s, l.options.proxyCPU)
	if err != nil {
		return nil, err
	}
	l.running = append(l.running, c)
	if ours(name) {
		c.site.Backend = loopback(c.site.Blue)
		if err := c.ask(ctx, "deploy", map[string]any{"commit": "r0"}); err != nil {
			return nil, err
		}
	}
	return c, c.account()
}

// writeUpstream says where nginx sends requests.
func writeUpstream(s site) error {
	text := fmt.Sprintf("upstream backend {\n\tserver %s;\n\tkeepalive 1024;\n\tkeepalive_requests 100000000;\n\tkeepalive_timeout 1h;\n}\n", s.Backend)
	return os.WriteFile(filepath.Join(s.Dir, "upstream.conf"), []byte(text), 0o600)
}

// ask has bluegreen perform an operation and returns when it has ended.
func (c *contender) ask(ctx context.Context, operation string, request any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(c.site.Dir, "admin.sock"))
	}}
	defer transport.CloseIdleConnections()
	asked, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://bluegreen/v1/apps/app/"+operation, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(asked)
	if err != nil {
		return fmt.Errorf("asking for %s: %w", operation, err)
	}
	defer answer.Body.Close()
	events := json.NewDecoder(answer.Body)
	for {
		var event struct {
			Detail string `json:"detail"` // of a refusal
			Result *struct {
				OK   bool   `json:"ok"`
				Text string `json:"text"`
			} `json:"result"`
		}
		switch err := events.Decode(&event); {
		case err != nil:
			return fmt.Errorf("%s: reading its events: %w", operation, err)
		case answer.StatusCode >= 300:
			return fmt.Errorf("%s: %s: %s", operation, answer.Status, event.Detail)
		case event.Result == nil:
		case event.Result.OK:
			return nil
		default:
			return fmt.Errorf("%s: %s", operation, event.Result.Text)
		}
	}
}

// freePorts returns ports on loopback that are free now and that this run has
// not used before, below those from which the kernel takes the ports of
// connections.
func (l *lab) freePorts(n int) ([]int, error) {
	var ports []int
	for ; len(ports) < n; l.port++ {
		if l.port > 32000 {
			return nil, errors.New("finding free ports on loopback: all between 20000 and 32000 are taken")
		}
		if listener, err := net.Listen("tcp", loopback(l.port)); err == nil {
			listener.Close()
			ports = append(ports, l.port)
		}
	}
	return ports, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
