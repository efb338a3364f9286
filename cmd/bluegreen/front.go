package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// front is what the edge does for an app's clients by itself. It is made from
// a section of the configuration and replaced whole by a reload.
type front struct {
	section     *config.App
	pages       *proxy.Pages
	paths       *proxy.Paths
	authorities []*x509.Certificate // of clients of the internal hosts
}

// newFront reads what the section names. With an error it lacks what could not
// be read: without its authorities nobody gets in by a certificate.
func newFront(app *config.App) (*front, error) {
	f := &front{section: app, paths: newPaths(app)}
	var problems []error
	if app.Pages != "" {
		pages, err := proxy.ReadPages(os.DirFS(app.Pages))
		if err != nil {
			problems = append(problems, fmt.Errorf("pages: the folder %s: %w", app.Pages, err))
		} else {
			f.pages = pages
		}
	}
	authorities, err := app.Access.Authorities()
	if err != nil {
		problems = append(problems, fmt.Errorf("access.client_ca: the file %s: %w", app.Access.ClientCA, err))
	} else {
		f.authorities = authorities
	}
	return f, errors.Join(problems...)
}

// newFrontOrLess never fails: what an app serves is worth more than what its
// section lacks.
func (e *edge) newFrontOrLess(app *config.App) *front {
	f, err := newFront(app)
	if err != nil {
		e.log.Error("app goes without what cannot be read", "app", app.Name, "error", err)
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
	if f.paths != nil {
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

// policies are the rules of the app's routes. Links and passwords outlive a
// reload.
func (e *edge) policies(f *front) map[switcher.RouteName]proxy.Policy {
	app := f.section
	production := proxy.Policy{Public: true, Canonical: app.Canonical}
	internal := proxy.Policy{
		Public: app.Access.Public, Access: app.Access.Allow, Basic: e.passwords.Users(hashes(app.Access.Basic)),
		Authorities: f.authorities, Signed: app.Access.Signed, NoIndex: true,
	}
	for _, p := range []*proxy.Policy{&production, &internal} {
		p.Links = e.links.Links(app.Name)
		p.Pages, p.Paths = f.pages, f.paths
		p.Compress = app.Compression
		p.BodyLimit = int64(app.Limits.Body)
		if h := app.HSTS; h.MaxAge > 0 {
			p.HSTS = proxy.HSTS(h.MaxAge, h.IncludeSubdomains, h.Preload)
		}
		if l := app.Limits; l.Rate > 0 {
			p.Rate = proxy.NewRateLimit(float64(l.Rate), l.Burst)
		}
	}
	return map[switcher.RouteName]proxy.Policy{switcher.Production: production, switcher.Internal: internal}
}

func hashes(users config.Users) map[string]string {
	all := map[string]string{}
	for user, hash := range users {
		all[user] = string(hash)
	}
	return all
}

// askClients makes handshakes for internal hosts ask for certificates of what
// their apps accept.
func (e *edge) askClients() {
	byHost := map[string][]*x509.Certificate{}
	for _, h := range e.apps {
		for _, host := range h.front.section.Internal {
			byHost[host] = h.front.authorities
		}
	}
	e.certs.SetAuthorities(byHost)
}
