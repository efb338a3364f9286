package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// reloadOnHangups reloads for every signal until ctx ends.
func (e *edge) reloadOnHangups(ctx context.Context) error {
	for {
		select {
		case <-e.options.Hangups:
			if err := e.reload(ctx); err != nil {
				e.log.Error("the new configuration is not applied, the old one stays", "error", err)
				logOutput(e.log, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// logOutput logs the lines that explain err.
func logOutput(log *slog.Logger, err error) {
	for _, line := range admin.ProblemOf(err).Output {
		log.Error(line)
	}
}

// reload applies the configuration file anew, whole or not at all.
// Connections are not touched. What concerns a container applies at the next
// deploy.
func (e *edge) reload(context.Context) error {
	if e.options.Load == nil {
		return &switcher.Error{Code: switcher.CodeRefused, What: "this edge was not started from a configuration file"}
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	next, err := e.options.Load()
	if err != nil {
		return err
	}
	if err := e.sameEdge(next); err != nil {
		return err
	}
	release, err := e.hold()
	if err != nil {
		return err
	}
	defer release()
	if err := e.sameApps(next); err != nil {
		return err
	}
	return e.apply(next)
}

// hold keeps the operations of all apps from beginning until release is
// called, and is refused while one runs. A runtime that is replaced meanwhile
// is nobody's any more.
func (e *edge) hold() (release func(), err error) {
	var held []func()
	release = func() {
		for _, let := range held {
			let()
		}
	}
	for _, app := range e.sortedApps() {
		let, err := app.Hold()
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, let)
	}
	return release, nil
}

// sameEdge refuses what a running edge cannot change of itself.
func (e *edge) sameEdge(next *config.Config) error {
	now := e.config
	var fixed []string
	for key, same := range map[string]bool{
		"edge.http": now.Edge.HTTP == next.Edge.HTTP, "edge.https": now.Edge.HTTPS == next.Edge.HTTPS,
		"edge.http3": now.Edge.HTTP3 == next.Edge.HTTP3, "edge.timeouts": now.Edge.Timeouts == next.Edge.Timeouts,
		"admin": reflect.DeepEqual(now.Admin, next.Admin), "state": now.State == next.State, "logs": now.Logs == next.Logs, "metrics": now.Metrics == next.Metrics,
		"tls": reflect.DeepEqual(now.TLS, next.TLS),
	} {
		if !same {
			fixed = append(fixed, key)
		}
	}
	slices.Sort(fixed)
	if len(fixed) > 0 {
		return &switcher.Error{Code: switcher.CodeRefused,
			What: "a running edge cannot change " + strings.Join(fixed, ", "),
			Hint: "`systemctl restart bluegreen` applies the whole file; the old configuration stays until then"}
	}
	return nil
}

// sameApps refuses what a running edge cannot change of its apps: none may go
// that has containers, or of which nobody knows.
func (e *edge) sameApps(next *config.Config) error {
	for name, h := range e.apps {
		app, status := next.Apps[name], h.app.Status()
		switch {
		case app == nil && status.Error != "":
			return &switcher.Error{Code: switcher.CodeRefused,
				What: fmt.Sprintf("app %s is gone from the file while it is out of service, and may be deployed: %s", name, status.Error),
				Hint: "put it back; an app is taken away by a restart of the edge, and its containers are then yours to remove"}
		case app == nil && deployed(status):
			return &switcher.Error{Code: switcher.CodeRefused,
				What: fmt.Sprintf("app %s is gone from the file while it is deployed", name),
				Hint: "put it back; an app is taken away by a restart of the edge, and its containers are then yours to remove"}
		case app != nil && app.Runtime != h.section.Runtime:
			return &switcher.Error{Code: switcher.CodeRefused,
				What: fmt.Sprintf("app %s cannot change its runtime from %s to %s while the edge runs", name, h.section.Runtime, app.Runtime),
				Hint: "restart the edge"}
		}
	}
	return nil
}

// deployed reports whether a slot holds anything, whatever is being done just
// now.
func deployed(status switcher.Status) bool {
	for _, slot := range status.Slots {
		if slot.State != switcher.Empty {
			return true
		}
	}
	return false
}

// apply makes next the configuration. Everything that can fail comes before
// the first change, or is undone.
func (e *edge) apply(next *config.Config) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running == nil {
		return &switcher.Error{Code: switcher.CodeUnreachable, What: "the edge is starting or stopping", Hint: "try again in a moment"}
	}
	fronts, err := newFronts(next)
	if err != nil {
		return err
	}
	opened, err := e.openNew(next, fronts)
	if err != nil {
		return err
	}
	all := maps.Clone(e.apps)
	maps.Copy(all, opened)
	table, err := newTable(next, all)
	if err != nil {
		closeAll(opened)
		return err
	}
	fresh, undo, err := e.newRuntimes(next)
	if err != nil {
		closeAll(opened)
		return err
	}
	bases, err := e.newBases(next)
	if err == nil {
		if err = e.certs.SetHosts(hosts(next)); err != nil {
			closeBases(bases)
		}
	}
	if err != nil {
		undo()
		closeAll(opened)
		return err
	}
	e.commit(next, opened, fresh, bases, fronts, table)
	return nil
}

// commit cannot fail. Called with e.mu held.
func (e *edge) commit(next *config.Config, opened map[string]*hosted, fresh map[string]closingRuntime, bases map[string]*base, fronts map[string]*front, table *proxy.Table) {
	for name, h := range opened {
		e.apps[name] = h
		e.launch(h)
	}
	e.tracing.Apply(traceTarget(next)) // before the routes ask for their tracers
	for name, app := range next.Apps {
		h := e.apps[name]
		if runtime := fresh[name]; runtime != nil {
			h.runtime.Close()
			h.use(runtime)
		}
		replaced := h.base
		newer, renewed := bases[name]
		if renewed {
			h.base = newer
		}
		old := h.front
		h.section, h.front = *app, fronts[name]
		h.app.Apply(e.settings(app, h.front, h.logs.collecting(h.runtime), h.base))
		if renewed {
			replaced.end()
			e.look(h)
		}
		h.judge.setRules(app)
		if old != h.front {
			old.close()
		}
	}
	e.server.SetTable(table)
	e.announcers.Store(&next.Edge.ProxyProtocol)
	for name, h := range e.apps {
		if next.Apps[name] == nil {
			h.stop()
			h.base.end()
			h.runtime.Close()
			h.front.close()
			delete(e.apps, name)
		}
	}
	e.askClients()
	e.alerts.Apply(alertSettings(next))
	e.config = next
	e.log.Info("the new configuration is applied", "apps", len(next.Apps))
}

func closeAll(apps map[string]*hosted) {
	for _, h := range apps {
		h.close()
	}
}

// openNew opens the apps that the running configuration does not have.
func (e *edge) openNew(next *config.Config, fronts map[string]*front) (opened map[string]*hosted, err error) {
	opened = map[string]*hosted{}
	for _, app := range sorted(next.Apps) {
		if e.apps[app.Name] == nil {
			h, err := e.open(app, fronts[app.Name], e.newRuntime, e.newBase)
			if err != nil {
				closeAll(opened)
				return nil, err
			}
			opened[app.Name] = h
		}
	}
	return opened, nil
}

// newRuntimes makes the runtimes of the apps for which what a runtime is made
// from has changed. Those of processes come last, for each takes over a
// directory that has one owner at a time; undo gives it back.
func (e *edge) newRuntimes(next *config.Config) (fresh map[string]closingRuntime, undo func(), err error) {
	fresh = map[string]closingRuntime{}
	var closed []*hosted
	undo = func() {
		for _, runtime := range fresh {
			runtime.Close()
		}
		for _, h := range closed {
			runtime, _ := e.newRuntimeOrBroken(&h.section)
			h.use(runtime)
			h.app.Apply(e.settings(&h.section, h.front, h.logs.collecting(h.runtime), h.base))
		}
	}
	for _, processes := range []bool{false, true} {
		for _, app := range sorted(next.Apps) {
			h := e.apps[app.Name]
			if h == nil || !h.outdated(app) || processes != (app.Runtime == config.RuntimeProcess) {
				continue
			}
			if processes {
				h.runtime.Close()
				closed = append(closed, h)
			}
			runtime, err := e.newRuntime(app)
			if err != nil {
				undo()
				return nil, nil, err
			}
			fresh[app.Name] = runtime
		}
	}
	return fresh, undo, nil
}

// outdated reports whether the app needs a new runtime.
func (h *hosted) outdated(next *config.App) bool {
	_, broken := h.runtime.(brokenRuntime)
	now := &h.section
	return broken || now.Pull != next.Pull ||
		!reflect.DeepEqual(now.Container, next.Container) || !reflect.DeepEqual(now.Process, next.Process)
}
