package main

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

func TestFrontKeysReachTheirRoutes(t *testing.T) {
	f := &front{section: &config.App{Canonical: "a.example.com", HSTS: config.HSTS{MaxAge: time.Minute}, Compression: true, Limits: config.Limits{Rate: 1, Burst: 2, Body: 3}}}
	e := &edge{links: newLinkKey(t.TempDir(), slog.New(slog.DiscardHandler)), passwords: proxy.NewPasswords()}
	p := e.policies(f)
	production, internal := p[switcher.Production], p[switcher.Internal]
	if production.Canonical != "a.example.com" || internal.Canonical != "" {
		t.Errorf("canonical: %q, %q", production.Canonical, internal.Canonical)
	}
	if production.HSTS != "max-age=60" || internal.HSTS != "max-age=60" {
		t.Errorf("hsts: %q, %q", production.HSTS, internal.HSTS)
	}
	if !production.Compress || !internal.Compress {
		t.Error("compression is off")
	}
	if production.Rate == nil || internal.Rate == nil || production.Rate == internal.Rate || production.BodyLimit != 3 || internal.BodyLimit != 3 {
		t.Error("each route must have its own rate, and the limit of bodies")
	}
}

// pagesOf returns the own error pages on production.
func (e *edge) pagesOf(app string) *proxy.Pages {
	return e.apps[app].app.Service(switcher.Production).Route().Policy.Pages
}

func TestAReloadWithPagesThatCannotBeReadKeepsTheOldOnes(t *testing.T) {
	e := newTestEdge(t, "")
	e.edit("\n  chat:\n", "\n  chat:\n    pages: pages\n")
	if err := os.Mkdir(e.file("pages"), 0o700); err != nil {
		t.Fatal(err)
	}
	e.write("pages/5xx.html", "ours")
	edge, load := e.inside()
	serve(t, edge)
	before := edge.pagesOf("chat")
	if before == nil {
		t.Fatal("the pages were not read")
	}
	next := load()
	next.Apps["chat"].Pages = e.file("gone")
	if err := edge.reloadWith(next); err == nil {
		t.Error("the reload was not refused")
	}
	if edge.pagesOf("chat") != before {
		t.Error("the pages have changed")
	}
	if err := edge.reloadWith(load()); err != nil || edge.pagesOf("chat") == before {
		t.Errorf("the pages were not read anew: %v", err)
	}
}

func TestAnEdgeStartsWithoutPagesThatCannotBeRead(t *testing.T) {
	e := newTestEdge(t, "")
	e.edit("\n  chat:\n", "\n  chat:\n    pages: gone\n")
	if edge, _ := e.inside(); edge.pagesOf("chat") != nil {
		t.Error("there are pages from nowhere")
	}
}

func TestPathsReachBothRoutesAndAreReplacedByAReload(t *testing.T) {
	e := newTestEdge(t, "")
	e.edit("\n  chat:\n", "\n  chat:\n    paths: [{ path: /files/, static: "+e.dir+" }, { path: /app/, upstream: \"127.0.0.1:1\" }]\n")
	edge, load := e.inside()
	serve(t, edge)
	policy := func(name switcher.RouteName) proxy.Policy { return edge.apps["chat"].app.Service(name).Route().Policy }
	before := policy(switcher.Production).Paths
	if before == nil || policy(switcher.Internal).Paths != before {
		t.Fatal("the routes do not share the paths")
	}
	next := load()
	next.Apps["chat"].Paths = nil
	if err := edge.reloadWith(next); err != nil || policy(switcher.Production).Paths != nil {
		t.Errorf("the paths are still there: %v", err)
	}
}
