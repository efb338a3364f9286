package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/admin/dashboard"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/notify"
	"sofiacall.com/bluegreen/probe"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
	"sofiacall.com/bluegreen/tracing"
)

// edgeOptions make an edge.
type edgeOptions struct {
	Config      *config.Config
	Load        func() (*config.Config, error) // for a reload; nil refuses it
	FirstActive switcher.Colour
	Version     string
	Logger      *slog.Logger
	Hangups     <-chan os.Signal // each asks for a reload; nil never does
	Failpoint   func(string)     // see switcher.Options
	Ready       func()           // called once everything is listening
}

// edge joins the packages into the running program: listeners, certificates,
// routes, apps and control plane.
type edge struct {
	options edgeOptions
	log     *slog.Logger
	secret  string // marks our own probes
	prober  probe.Prober
	// announcers are edge.proxy_protocol, for our own probes.
	announcers atomic.Pointer[[]netip.Prefix]
	public     string // where the public listener is reached from here

	listeners listeners
	certs     *edgetls.Certificates
	links     *proxy.LinkKey
	passwords *proxy.Passwords
	server    *proxy.Server
	admin     *admin.Server
	dashboard *dashboard.Server
	doorCerts *edgetls.Certificates // of the dashboard alone; nil: it shares ours
	metrics   *metrics.Metrics
	tracing   *tracing.Exporter
	alerts    *notify.Notifier
	figures   http.Handler // tells them to Prometheus
	endings   endings

	reloading sync.Mutex // one reload at a time
	mu        sync.Mutex // guards what follows
	config    *config.Config
	apps      map[string]*hosted
	running   *errgroup.Group // of the apps; nil when none may be launched
	life      context.Context // of the apps
}

// newEdge opens listeners, stored certificates and recorded states, in this
// order, so that a port that is taken changes nothing. It asks neither the CA
// nor an engine.
func newEdge(o edgeOptions) (_ *edge, err error) {
	e := &edge{options: o, log: o.Logger, config: o.Config, secret: rand.Text(), metrics: newMetrics(o.Version), tracing: newTracing(o), apps: map[string]*hosted{}}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	e.alerts = e.newAlerts(o.Config)
	e.figures = e.metrics.Handler(e.state, e.log)
	e.admin = admin.New(admin.Options{
		Apps: e.sortedApps, Certificates: e.certificates, Compare: e.compare, Backups: e.backups, Reload: e.reload, Link: e.link, Dashboard: e.openDashboard, Metrics: e.figures, Logs: e.readLogs,
		TestAlerts: e.testAlerts, Alerts: e.alertStatus, Version: o.Version, Logger: e.log,
	})
	if e.listeners, err = e.openListeners(o.Config); err != nil {
		return nil, err
	}
	e.announcers.Store(&o.Config.Edge.ProxyProtocol)
	e.public = reachable(e.listeners.https.Addr())
	if e.certs, err = edgetls.New(e.certificateOptions(o.Config)); err != nil {
		return nil, err
	}
	e.links, e.passwords = newLinkKey(o.Config.State.Dir, e.log), proxy.NewPasswords()
	if e.dashboard, err = e.newDashboard(o.Config); err != nil {
		return nil, err
	}
	for _, app := range sorted(o.Config.Apps) {
		h, err := e.open(app, e.newFrontOrLess(app), e.newRuntimeOrBroken, e.newBaseOrBroken)
		if err != nil {
			return nil, err
		}
		e.apps[app.Name] = h
	}
	e.askClients()
	table, err := newTable(o.Config, e.apps)
	if err != nil {
		return nil, err
	}
	e.server = proxy.New(proxy.Options{
		Logger: e.log, HTTP: e.listeners.http, HTTPS: e.listeners.https, HTTP3: e.listeners.packets(), TLS: e.certs.Config(), Challenge: e.certs.Challenge,
		Table: table, ProbeSecret: e.secret, HTTPSPort: port(e.listeners.https.Addr()),
		Header: o.Config.Edge.Timeouts.Header, BodyIdle: o.Config.Edge.Timeouts.Body, Idle: o.Config.Edge.Timeouts.Idle,
	})
	return e, nil
}

// close gives up what newEdge opened. Instances go on running.
func (e *edge) close() {
	e.listeners.close()
	closeAll(e.apps)
}

// run serves until ctx ends. It stops in order: the public listeners first,
// then, when nothing is in flight any more, the apps and the control plane.
func (e *edge) run(ctx context.Context) error {
	behind, stopBehind := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBehind()
	group, failed := errgroup.WithContext(behind)
	front, stopFront := context.WithCancel(ctx)
	defer context.AfterFunc(failed, stopFront)()

	alerting, stopAlerts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAlerts()
	apps, life := errgroup.WithContext(failed)
	e.mu.Lock()
	e.running, e.life = apps, life
	for _, h := range e.apps {
		e.launch(h)
	}
	e.mu.Unlock()
	group.Go(func() error {
		<-life.Done()
		e.mu.Lock()
		e.running = nil // no reload launches anything any more
		e.mu.Unlock()
		defer stopAlerts() // the apps may have something to tell until they end
		defer e.closeDatabases()
		return apps.Wait()
	})
	group.Go(func() error {
		defer stopBehind()
		return wrap("serving", e.server.Run(front))
	})
	group.Go(func() error { return wrap("managing certificates", e.certs.Run(failed)) })
	group.Go(func() error { return wrap("serving the admin socket", e.admin.Serve(failed, e.listeners.admin)) })
	group.Go(func() error { return e.metrics.Run(failed) })
	group.Go(func() error { return e.tracing.Run(failed) })
	group.Go(func() error { return e.alerts.Run(alerting) })
	if e.listeners.metrics != nil {
		group.Go(func() error { return e.serveMetrics(failed) })
	}
	group.Go(func() error { return e.newTroubles().Run(failed) })
	group.Go(func() error { return e.serveDashboard(failed) })
	group.Go(func() error { return e.reloadOnHangups(failed) })
	e.log.Info("serving", "http", address(e.listeners.http), "https", address(e.listeners.https), "http3", e.listeners.udp(), "admin", address(e.listeners.admin))
	if e.options.Ready != nil {
		e.options.Ready()
	}
	err := group.Wait()
	e.log.Info("stopped; backends go on running")
	return err
}

func wrap(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// launch runs an app until it is dropped or the edge ends. Called with e.mu
// held.
func (e *edge) launch(h *hosted) {
	ctx, stop := context.WithCancel(e.life)
	done := make(chan struct{})
	h.stop = func() { stop(); <-done }
	e.look(h)
	e.running.Go(func() error {
		defer close(done)
		defer stop()
		behind, stopLogs := context.WithCancel(context.WithoutCancel(ctx)) // an instance may be removed until the very end
		var both errgroup.Group
		both.Go(func() error {
			defer stopLogs()
			return wrap("running app "+h.app.Name(), h.app.Run(ctx))
		})
		both.Go(func() error { return wrap("writing the logs of "+h.app.Name(), h.logs.run(behind)) })
		return both.Wait()
	})
}

// newTable is the host table of a configuration whose apps are open.
func newTable(c *config.Config, apps map[string]*hosted) (*proxy.Table, error) {
	services := map[string]*proxy.Service{}
	for name, app := range c.Apps {
		for _, host := range app.Production {
			services[host] = apps[name].app.Service(switcher.Production)
		}
		for _, host := range app.Internal {
			services[host] = apps[name].app.Service(switcher.Internal)
		}
	}
	return proxy.NewTable(proxy.TableOptions{
		TrustedProxies: c.Edge.TrustedProxies, Announcers: c.Edge.ProxyProtocol, Connections: c.Edge.Connections,
		Services: services, Language: c.Language,
	})
}

func (e *edge) certificateOptions(c *config.Config) edgetls.Options {
	o := edgetls.Options{
		Issuer: c.TLS.Issuer, Email: c.TLS.Email, Directory: c.TLS.Directory, Root: c.TLS.Root,
		StateDir: c.State.Dir, Hosts: hosts(c), Logger: e.log,
		HTTPPort: port(e.listeners.http.Addr()), TLSPort: port(e.listeners.https.Addr()),
	}
	for _, pair := range c.TLS.Certificates {
		o.Files = append(o.Files, edgetls.KeyPair{Cert: pair.Cert, Key: pair.Key})
	}
	return o
}

// current is the configuration that is served now.
func (e *edge) current() *config.Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

func (e *edge) certificates() []admin.Certificate {
	var all []admin.Certificate
	for _, s := range e.certs.Status() {
		all = append(all, admin.Certificate(s))
	}
	return all
}

func (e *edge) sortedApps() []*switcher.App {
	e.mu.Lock()
	defer e.mu.Unlock()
	var apps []*switcher.App
	for _, h := range e.apps {
		apps = append(apps, h.app)
	}
	slices.SortFunc(apps, func(a, b *switcher.App) int { return cmp.Compare(a.Name(), b.Name()) })
	return apps
}

// probes lets the switcher ask backends and our own public listener.
func (e *edge) probes(timeout time.Duration) switcher.Probes {
	return switcher.Probes{
		Backend: func(ctx context.Context, b proxy.BackendOptions, host, path string) error {
			return e.prober.Backend(ctx, probe.Target{Address: b.Address, H2C: b.H2C, Host: host, Path: path, Timeout: timeout})
		},
		Public: func(ctx context.Context, host, path string) (string, error) {
			label, err := e.prober.Public(ctx, probe.Target{
				Address: e.public, Host: host, Path: path, Timeout: timeout, Announcers: *e.announcers.Load(),
			}, e.secret)
			if errors.Is(err, probe.ErrListener) {
				err = fmt.Errorf("%w: %w", switcher.ErrListener, err)
			}
			return label, err
		},
	}
}

// origin is the URL of a host, as clients reach it.
func (e *edge) origin(host string) string {
	if p := port(e.listeners.https.Addr()); p != 0 && p != 443 {
		return fmt.Sprintf("https://%s:%d", host, p)
	}
	return "https://" + host
}

// reachable is the address at which this machine reaches its own listener.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", fmt.Sprint(tcp.Port))
	}
	return a.String()
}
