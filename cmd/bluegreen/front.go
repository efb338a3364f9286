package main

import (
	"fmt"
	"os"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// front is what the edge does for an app's clients by itself. It is made from
// a section of the configuration and replaced whole by a reload.
type front struct {
	section *config.App
	pages   *proxy.Pages
	paths   *proxy.Paths
}

// newFront reads what the section names.
func newFront(app *config.App) (*front, error) {
	f := &front{section: app, paths: newPaths(app)}
	if app.Pages == "" {
		return f, nil
	}
	pages, err := proxy.ReadPages(os.DirFS(app.Pages))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", app.Pages, err)
	}
	f.pages = pages
	return f, nil
}

// newFrontOrBare never fails: what an app serves is worth more than how its
// error pages look.
func (e *edge) newFrontOrBare(app *config.App) *front {
	f, err := newFront(app)
	if err != nil {
		e.log.Error("app goes without its own error pages", "app", app.Name, "error", err)
		return &front{section: app, paths: newPaths(app)}
	}
	return f
}

// newPaths makes the backends of path routes, which the front owns. A folder
// that is not there yet is looked for with every request.
func newPaths(app *config.App) *proxy.Paths {
	if len(app.Paths) == 0 {
		return nil
	}
	var options []proxy.PathOptions
	for _, p := range app.Paths {
		o := proxy.PathOptions{Path: p.Path, Strip: p.Strip, Cache: p.Cache}
		switch {
		case p.Static != "":
			o.Static = folder(p.Static)
		case p.Upstream != config.UpstreamApp:
			o.Backend = proxy.NewBackend(proxy.BackendOptions{
				Address: p.Upstream, IdleTimeout: app.Upstream.IdleTimeout, HeaderTimeout: app.Upstream.HeaderTimeout, DialTimeout: app.Upstream.DialTimeout,
			})
		}
		options = append(options, o)
	}
	return proxy.NewPaths(options)
}

// close gives up what the front owns once nothing new comes to it. Requests in
// flight end as they would have.
func (f *front) close() {
	if f != nil && f.paths != nil {
		f.paths.Close()
	}
}

// newFronts makes those of all apps.
func newFronts(c *config.Config) (map[string]*front, error) {
	fronts := map[string]*front{}
	for _, app := range sorted(c.Apps) {
		f, err := newFront(app)
		if err != nil {
			return nil, &switcher.Error{Code: switcher.CodeUsage, What: "app " + app.Name + ": " + err.Error()}
		}
		fronts[app.Name] = f
	}
	return fronts, nil
}

// policies are the rules of the app's routes, without what outlives a reload.
func (f *front) policies() map[switcher.RouteName]proxy.Policy {
	app := f.section
	production := proxy.Policy{Public: true, Canonical: app.Canonical}
	internal := proxy.Policy{Public: app.Access.Public, Access: app.Access.Allow, NoIndex: true}
	if h := app.HSTS; h.MaxAge > 0 {
		production.HSTS = proxy.HSTS(h.MaxAge, h.IncludeSubdomains, h.Preload)
		internal.HSTS = production.HSTS
	}
	for _, p := range []*proxy.Policy{&production, &internal} {
		p.Pages, p.Paths = f.pages, f.paths
		p.Compress = app.Compression
		p.BodyLimit = int64(app.Limits.Body)
		if l := app.Limits; l.Rate > 0 {
			p.Rate = proxy.NewRateLimit(float64(l.Rate), l.Burst)
		}
	}
	return map[switcher.RouteName]proxy.Policy{switcher.Production: production, switcher.Internal: internal}
}
