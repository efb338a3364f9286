package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/internal/chat"
	"sofiacall.com/bluegreen/internal/load"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

const (
	demoHost     = "app.localhost"
	demoInternal = "internal.app.localhost"

	// demoFault makes the health check of v3 fail soon after production has
	// reached it, while what users ask for is still answered.
	demoFault = "v3=failing-after-requests=300"
)

// demoStage is the demo's edge, its load, and the folder it all lives in.
type demoStage struct {
	app    string // its name
	images demoImages
	dir    string
	log    *os.File
	https  string // address
	edge   *edge
	client *admin.Client
	load   *demoLoad
	roots  *x509.CertPool
}

// newDemoStage prepares everything and starts nothing but listeners.
func newDemoStage(ctx context.Context, p *program, o demoOptions) (_ *demoStage, err error) {
	dir, err := os.MkdirTemp("", "bluegreen-demo")
	if err != nil {
		return nil, err
	}
	s := &demoStage{app: "chat", dir: dir}
	if o.docker {
		s.app = "demo-" + strings.ToLower(rand.Text()[:8])
		s.images.repository = "bluegreen/" + s.app
	}
	defer func() {
		if err != nil {
			_ = s.forget() // what went wrong first is what matters
		}
	}()
	if s.https, err = demoAddress(o.https); err != nil {
		return nil, err
	}
	text, err := s.configuration(ctx, o.docker)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bluegreen.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	load := func() (*config.Config, error) {
		c, err := config.Load(file, config.Options{Env: p.lookupEnv})
		return c, configError(err)
	}
	c, err := load()
	if err != nil {
		return nil, err
	}
	if s.log, err = os.Create(filepath.Join(dir, "edge.log")); err != nil {
		return nil, err
	}
	s.edge, err = newEdge(edgeOptions{Config: c, Load: load, Version: p.version(), Logger: slog.New(slog.NewTextHandler(s.log, nil))})
	if err != nil {
		return nil, err
	}
	root, err := edgetls.Root(c.State.Dir)
	if err != nil {
		return nil, err
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(root)
	s.client = admin.Dial(c.Admin.Socket)
	s.load = newDemoLoad(s.https, s.roots)
	return s, nil
}

// demoAddress is what was asked for; else the usual port, or one that is free
// for TCP and UDP when something else has that.
func demoAddress(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	for _, address := range []string{"127.0.0.1:8443", "127.0.0.1:0"} {
		if l, datagrams, err := listenBoth(address); err == nil {
			defer l.Close()
			defer datagrams.Close()
			return l.Addr().String(), nil
		}
	}
	return "", errors.New("finding a free port on loopback")
}

// configuration is what a user would write, with a short bake and short
// deadlines so that there is something to see.
func (s *demoStage) configuration(ctx context.Context, inDocker bool) (string, error) {
	ports, err := quietPorts(2)
	if err != nil {
		return "", err
	}
	backend, err := s.processes()
	if inDocker {
		backend, err = s.images.configuration(), s.images.build(ctx)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`edge: { http: "127.0.0.1:0", https: %q }
tls: { issuer: internal }
admin: { socket: %s }
state: { dir: %s }
logs: { dir: %s }
apps:
  %s:
    production: [%s]
    internal: [%s]
%s
    slots: { blue: { port: %d }, green: { port: %d } }
    health: { interval: 500ms, deadline: 30s }
    drain: { timeout: 10s, websockets: 4s, spread: 2s }
    switch: { bake: 30s }
`, s.https, s.path("admin.sock"), s.path("state"), s.path("logs"), s.app, demoHost, demoInternal, backend, ports[0], ports[1]), nil
}

func (s *demoStage) path(name string) string { return filepath.Join(s.dir, name) }

// processes is the part of the configuration that runs this very program as
// the backend.
func (s *demoStage) processes() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program: %w", err)
	}
	return fmt.Sprintf(`    runtime: process
    process:
      command: [%q, chat, --fault, %q]
      environment: { CHAT_HOST: 127.0.0.1 }
      stop_grace_period: 3s`, self, demoFault), nil
}

// quietPorts returns ports that are free for TCP and UDP, and below those that
// the kernel gives to connections (ip_local_port_range begins at 32768): between
// two instances of a slot its port must not be taken by one.
func quietPorts(n int) (ports []int, err error) {
	for tries := 0; len(ports) < n; tries++ {
		port := 20000 + mathrand.IntN(12000)
		l, datagrams, err := listenBoth(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		switch {
		case err == nil:
			defer l.Close() // held until all are found, so that they differ
			defer datagrams.Close()
			ports = append(ports, port)
		case tries > 100:
			return nil, fmt.Errorf("finding a free port on loopback: %w", err)
		}
	}
	return ports, nil
}

// clear removes the backends, which a real edge would leave running, and what
// they were made from.
func (s *demoStage) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.client.Close()
	problem := s.edge.removeInstances(ctx)
	s.edge.close()
	s.log.Close()
	return errors.Join(problem, s.forget())
}

// forget removes the images and the folder.
func (s *demoStage) forget() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(s.images.remove(ctx), os.RemoveAll(s.dir))
}

// removeInstances takes away what the edge has started.
func (e *edge) removeInstances(ctx context.Context) error {
	var problems []error
	for _, h := range e.apps {
		instances, err := h.runtime.List(ctx)
		problems = append(problems, err)
		for _, i := range instances {
			problems = append(problems, h.runtime.Remove(ctx, i.ID))
		}
	}
	return errors.Join(problems...)
}

// url is what a browser would open.
func (s *demoStage) url(host string) string {
	_, port, _ := net.SplitHostPort(s.https)
	return "https://" + net.JoinHostPort(host, port)
}

// release asks a host which release answers.
func (s *demoStage) release(ctx context.Context, host string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(host)+"/release", nil)
	if err != nil {
		return "", err
	}
	answer, err := s.browser().Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered with %s", host, answer.Status)
	}
	return answer.Header.Get(chat.HeaderRelease), nil
}

// status is what `bluegreen status` would show.
func (s *demoStage) status(ctx context.Context) (admin.Status, error) {
	return s.client.Status(ctx, s.app)
}

// browser is a client that trusts the demo's CA and needs no name server.
func (s *demoStage) browser() *http.Client {
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: s.roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.https)
			},
		},
	}
}

// durations lists how long the operations of a kind took.
func (s *demoStage) durations(ctx context.Context, kind switcher.Kind) (byHand, byItself []time.Duration) {
	history, err := s.client.History(ctx, s.app)
	if err != nil {
		return nil, nil
	}
	for _, r := range history.History {
		switch {
		case r.Kind != kind || !r.OK:
		case r.Actor == switcher.Self:
			byItself = append(byItself, r.Took)
		default:
			byHand = append(byHand, r.Took)
		}
	}
	return byHand, byItself
}

// demoLoad is the load on production, running from the first release on.
type demoLoad struct {
	*load.Load
	cancel context.CancelFunc
	done   chan struct{}
}

func newDemoLoad(address string, roots *x509.CertPool) *demoLoad {
	l := load.New(load.Options{Address: address, Host: demoHost, RootCAs: roots})
	return &demoLoad{Load: l}
}

func (l *demoLoad) start(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		l.Run(ctx)
	}()
}

// stop lets every request that is on its way end.
func (l *demoLoad) stop() {
	if l.cancel != nil {
		l.cancel()
		<-l.done
	}
}
