package main

import (
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/troubles"
)

// newTroubles returns what looks for troubles that no operation notices.
func (e *edge) newTroubles() *troubles.Watcher {
	return troubles.New(troubles.Options{
		Tell: e.alerts.Tell, Certificates: e.certificatesOfApps, Apps: e.productions, Figures: e.productionOf,
		Folders: func() ([]string, float64) {
			c := e.current()
			return []string{c.State.Dir, c.Logs.Dir}, float64(c.Disk.Warn)
		},
	})
}

func (e *edge) certificatesOfApps() []troubles.Certificate {
	apps := appsOfHosts(e.current())
	var all []troubles.Certificate
	for _, s := range e.certs.Status() {
		all = append(all, troubles.Certificate{Host: s.Host, App: apps[s.Host], NotAfter: s.NotAfter, Expiring: s.Expiring, Error: s.Error})
	}
	return all
}

func appsOfHosts(c *config.Config) map[string]string {
	apps := map[string]string{}
	for name, app := range c.Apps {
		for _, hosts := range [][]string{app.Production, app.Internal} {
			for _, host := range hosts {
				apps[host] = name
			}
		}
	}
	return apps
}

// productionOf counts the requests of production that a release has served, and
// those of them that failed or that their clients gave up.
func (e *edge) productionOf(app string, colour switcher.Colour, release string, from, to time.Time) (requests, errors int64) {
	f := e.metrics.Figures(app, string(switcher.Production), string(colour), release, from, to)
	return f.Requests + f.Abandoned, f.Errors + f.Abandoned
}

func (e *edge) productions() []troubles.App {
	c := e.current()
	var all []troubles.App
	for _, app := range e.sortedApps() {
		if section := c.Apps[app.Name()]; section != nil {
			all = append(all, troubles.App{Status: app.Status(), Limit: float64(section.Notify.ErrorRate)})
		}
	}
	return all
}
