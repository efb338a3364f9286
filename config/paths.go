package config

import (
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
)

// UpstreamApp as Path.Upstream stands for the app's own slots.
const UpstreamApp = "app"

// Path leads the requests below a path of the app's hosts elsewhere.
type Path struct {
	// Path such as /app/ for all below it, or /app for itself and all below it. The
	// longest that matches wins.
	Path string `yaml:"path" jsonschema:"required,pattern=^/"`
	// Upstream is host:port, unix:/path of a socket, or app for the app's own slots.
	Upstream string `yaml:"upstream"`
	// Strip has the upstream asked for what follows the path; default false.
	Strip bool `yaml:"strip"`
	// Static is a folder that is served, relative to this file, instead of an upstream.
	Static string `yaml:"static"`
	// Cache is how long clients may use a file of the folder without asking again;
	// default not at all.
	Cache time.Duration `yaml:"cache"`
}

func validatePaths(a *App, key string, r *report) {
	first, app := map[string]string{}, false
	for i, p := range a.Paths {
		key := index(key, i)
		validatePath(p, a.Slots, key, r)
		app = app || p.Upstream == UpstreamApp
		if other := first[p.Path]; other != "" {
			r.key(key+".path", "%s is taken by %s (line %d): give each its own", r.shown(key+".path", p.Path), other, r.at.nearest(other).line)
		} else {
			first[p.Path] = key + ".path"
		}
	}
	if root := first["/"]; root != "" && !app {
		r.key(root, "leaves nothing for the app: add a path with upstream: app, or make this one longer")
	}
}

func validatePath(p Path, slots Slots, key string, r *report) {
	bare := strings.TrimSuffix(p.Path, "/")
	switch {
	case p.Path == "":
		r.key(key+".path", "is missing: write a path such as /app/")
	case p.Path != "/" && path.Clean(p.Path) != bare || p.Path[0] != '/':
		r.key(key+".path", "must begin with a slash and be without //, . and .., is %s", r.shown(key+".path", p.Path))
	case strings.ContainsAny(p.Path, "%?#;\\ ") || strings.ContainsFunc(p.Path, isControl):
		r.key(key+".path", "must be written plainly, without %%, ?, #, ;, \\ and spaces, is %s", r.shown(key+".path", p.Path))
	}
	switch {
	case p.Upstream == "" && p.Static == "":
		r.key(key, "leads nowhere: write upstream with an address, or static with a folder")
	case p.Upstream != "" && p.Static != "":
		r.key(key+".static", "cannot stand beside upstream, for a path leads to one place: remove one of them")
	case p.Upstream != "":
		validateUpstream(p.Upstream, slots, key+".upstream", r)
	}
	if p.Strip && (p.Upstream == "" || p.Upstream == UpstreamApp) {
		r.key(key+".strip", "works only with an upstream of its own (host:port or unix:/path): remove it")
	}
	if p.Cache > 0 && p.Static == "" {
		r.key(key+".cache", "works only with static: remove it")
	}
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

func validateUpstream(upstream string, slots Slots, key string, r *report) {
	if upstream == UpstreamApp {
		return
	}
	if socket, ok := strings.CutPrefix(upstream, "unix:"); ok {
		if !path.IsAbs(socket) {
			r.key(key, "needs the absolute path of the socket, such as unix:/run/front.sock, is %s", r.shown(key, upstream))
		}
		return
	}
	host, port, err := net.SplitHostPort(upstream)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notNumber != nil || host == "" || number == 0 || strings.ContainsAny(host, "/@ ") {
		r.key(key, "must be host:port, unix:/path of a socket, or app, is %s", r.shown(key, upstream))
		return
	}
	if address, err := netip.ParseAddr(host); (host == "localhost" || err == nil && address.IsLoopback()) && (int(number) == slots.Blue.Port || int(number) == slots.Green.Port) {
		r.key(key, "is the port of a slot, so that a switch would not move this path: write app, which is whatever slot is routed to")
	}
}
