package main

import (
	"cmp"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/process"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// hosted is an app with the runtime that its configuration asked for.
type hosted struct {
	app     *switcher.App
	section config.App // what the runtime was made from
	runtime closingRuntime
	jobs    *currentJobs // of the runtime
	base    *base        // nil: it has no database
	front   *front
	logs    *appLogs
	judge   *judge
	stop    func() // ends the app's Run and waits; nil before run
}

// closingRuntime is a Runtime whose own resources can be given up; instances
// go on running.
type closingRuntime interface {
	switcher.Runtime
	io.Closer
}

// open restores an app as its state says. The state comes first: an edge that
// does not own it must not look after the app's instances either.
func (e *edge) open(app *config.App, f *front, newRuntime func(*config.App) (closingRuntime, error), newBase newBase) (*hosted, error) {
	logs, judge := newAppLogs(e.config, app.Name, e.log, e.alerts.Tell), newJudge(e.metrics, app)
	opened, err := switcher.Open(switcher.Options{
		App: app.Name, Dir: appsDir(e.config), FirstActive: e.options.FirstActive,
		Settings: e.settings(app, f, nil, nil), Probes: e.probes(app.Health.Timeout), AccessLog: logs.handler,
		Recorder: recorders(e.metrics, app.Name), Tracer: e.tracers(app.Name), Notify: e.alerts.Tell, Judge: judge.switcher(),
		Logger: e.log, Origin: e.origin, Failpoint: e.options.Failpoint,
	})
	if err != nil {
		return nil, err
	}
	runtime, err := newRuntime(app)
	if err != nil {
		opened.Close()
		return nil, err
	}
	h := &hosted{app: opened, section: *app, jobs: &currentJobs{}, front: f, logs: logs, judge: judge}
	h.use(runtime)
	if h.base, err = newBase(h, app); err != nil {
		opened.Close()
		runtime.Close()
		return nil, err
	}
	opened.Apply(e.settings(app, f, logs.collecting(runtime), h.base))
	e.endings.begin(opened)
	return h, nil
}

// use makes the runtime the app's.
func (h *hosted) use(r closingRuntime) {
	h.runtime = r
	h.jobs.runtime.Store(&r)
}

// newRuntimeOrBroken never fails: what an app's containers serve is worth more
// than a complaint about the rest of it.
func (e *edge) newRuntimeOrBroken(app *config.App) (closingRuntime, error) {
	runtime, err := e.newRuntime(app)
	if err != nil {
		e.log.Error("app keeps its routes but has no runtime", "app", app.Name, "error", err)
		return newBrokenRuntime(app.Name, err), nil
	}
	return runtime, nil
}

// close gives up an app that does not run. Its instances go on.
func (h *hosted) close() {
	h.app.Close()
	h.base.close()
	h.runtime.Close()
	h.front.close()
}

// appsDir holds a folder with the recorded state of each app.
func appsDir(c *config.Config) string { return filepath.Join(c.State.Dir, "apps") }

func (e *edge) newRuntime(app *config.App) (closingRuntime, error) {
	if app.Runtime == config.RuntimeProcess {
		return process.New(process.Options{
			App: app.Name, Dir: filepath.Join(e.config.State.Dir, "processes", app.Name),
			Command: app.Process.Command, Keeper: []string{"bluegreen", keepJob}, Directory: app.Process.Directory, Environment: app.Process.Environment,
			StopGracePeriod: app.Process.StopGracePeriod, StopSignal: app.Process.StopSignal, Logger: e.log,
		})
	}
	id, err := owner(e.config.State.Dir)
	if err != nil {
		return nil, err
	}
	c := app.Container
	o := docker.Options{
		App: app.Name, Owner: id, Pull: app.Pull, Name: c.Name, Port: c.Port, Command: c.Command, Environment: c.Environment,
		EnvFile: c.EnvFile, Networks: c.Networks, MemLimit: int64(c.MemLimit), CPUs: float64(c.CPUs), User: c.User,
		StopGracePeriod: c.StopGracePeriod, StopSignal: c.StopSignal, Restart: c.Restart, Logger: e.log,
	}
	for _, v := range c.Volumes {
		o.Volumes = append(o.Volumes, docker.Volume(v))
	}
	return docker.New(o)
}

// settings turns a section of the configuration into the switcher's terms.
func (e *edge) settings(app *config.App, f *front, runtime switcher.Runtime, b *base) switcher.Settings {
	return switcher.Settings{
		Hosts:    map[switcher.RouteName][]string{switcher.Production: app.Production, switcher.Internal: app.Internal},
		Policies: e.policies(f),
		Image:    app.Image,
		Runtime:  runtime,
		Database: b.database(),
		Ports:    map[switcher.Colour]int{switcher.Blue: app.Slots.Blue.Port, switcher.Green: app.Slots.Green.Port},
		Backend: proxy.BackendOptions{
			IdleTimeout: app.Upstream.IdleTimeout, DialTimeout: app.Upstream.DialTimeout,
			HeaderTimeout: app.Upstream.HeaderTimeout, H2C: app.Upstream.Protocol == config.ProtocolH2C,
		},
		Health: switcher.HealthSettings{
			Path: app.Health.Path, Interval: app.Health.Interval, Timeout: app.Health.Timeout,
			Rise: app.Health.Rise, Fall: app.Health.Fall, Deadline: app.Health.Deadline,
		},
		Drain: switcher.DrainSettings{Timeout: app.Drain.Timeout, Websockets: app.Drain.Websockets, Spread: app.Drain.Spread},
		Bake:  app.Switch.Bake,
	}
}

func sorted(apps map[string]*config.App) []*config.App {
	return slices.SortedFunc(maps.Values(apps), func(a, b *config.App) int { return cmp.Compare(a.Name, b.Name) })
}

// hosts lists every name that the edge answers for.
func hosts(c *config.Config) (names []string) {
	for _, app := range sorted(c.Apps) {
		names = append(append(names, app.Production...), app.Internal...)
	}
	if c.Admin.Host != "" && c.Admin.TLS.Cert == "" {
		names = append(names, c.Admin.Host) // its certificate is ours to get
	}
	return names
}
