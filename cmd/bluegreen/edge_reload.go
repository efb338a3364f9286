package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// notifyHangup delivers SIGHUP until stop is called, which closes the channel.
func notifyHangup(to chan struct{}) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(to)
		for range signals {
			to <- struct{}{}
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
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
	if err := e.reloadable(next); err != nil {
		return err
	}
	return e.apply(next)
}

// reloadable refuses, before anything has changed, what a running edge cannot
// take over.
func (e *edge) reloadable(next *config.Config) error {
	now := e.config
	var fixed []string
	for key, same := range map[string]bool{
		"edge.http": now.Edge.HTTP == next.Edge.HTTP, "edge.https": now.Edge.HTTPS == next.Edge.HTTPS,
		"admin": now.Admin == next.Admin, "state": now.State == next.State,
		"tls": reflect.DeepEqual(now.TLS, next.TLS),
	} {
		if !same {
			fixed = append(fixed, key)
		}
	}
	if len(fixed) > 0 {
		return &switcher.Error{Code: switcher.CodeRefused,
			What: "a running edge cannot change " + strings.Join(fixed, ", "),
			Hint: "`systemctl restart bluegreen` applies the whole file; the old configuration stays until then"}
	}
	for name, h := range e.apps {
		if err := h.app.Busy(); err != nil {
			return err
		}
		app := next.Apps[name]
		switch {
		case app == nil && h.app.Status().Phase != switcher.PhaseEmpty:
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

// apply makes next the configuration.
func (e *edge) apply(next *config.Config) error {
	opened, err := e.openNew(next)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := maps.Clone(e.apps)
	maps.Copy(all, opened)
	table, err := newTable(next, all)
	if err == nil {
		err = e.certs.SetHosts(hosts(next))
	}
	if err != nil {
		closeAll(opened)
		return err
	}
	// From here on nothing is refused any more.
	for name, h := range opened {
		e.apps[name] = h
		e.launch(h)
	}
	for name, app := range next.Apps {
		if opened[name] == nil {
			err = errors.Join(err, e.renew(e.apps[name], app))
		}
	}
	e.server.SetTable(table)
	for name, h := range e.apps {
		if next.Apps[name] == nil {
			h.stop()
			h.runtime.Close()
			delete(e.apps, name)
		}
	}
	e.config = next
	e.log.Info("the new configuration is applied", "apps", len(next.Apps))
	return err
}

func closeAll(apps map[string]*hosted) {
	for _, h := range apps {
		h.close()
	}
}

// openNew opens the apps that the running configuration does not have.
func (e *edge) openNew(next *config.Config) (opened map[string]*hosted, err error) {
	opened = map[string]*hosted{}
	for _, app := range sorted(next.Apps) {
		if e.apps[app.Name] == nil {
			h, err := e.open(app)
			if err != nil {
				closeAll(opened)
				return nil, err
			}
			opened[app.Name] = h
		}
	}
	return opened, nil
}

// renew gives an app new settings, and a new runtime only when what the
// runtime was made from has changed.
func (e *edge) renew(h *hosted, app *config.App) error {
	if !sameRuntime(&h.section, app) {
		h.runtime.Close() // a directory of processes has one owner at a time
		runtime, err := e.newRuntime(app)
		if err != nil {
			app = &h.section // which was good enough before
			old, again := e.newRuntime(app)
			if again != nil {
				return errors.Join(err, again)
			}
			runtime = old
			e.log.Error("app keeps its old settings", "app", app.Name, "error", err)
		}
		h.runtime = runtime
	}
	h.section = *app
	h.app.Apply(settings(app, h.runtime))
	return nil
}

func sameRuntime(a, b *config.App) bool {
	return a.Pull == b.Pull && reflect.DeepEqual(a.Container, b.Container) && reflect.DeepEqual(a.Process, b.Process)
}
