package proxy

import (
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// PathOptions says what serves the requests below a path, instead of the
// backend of the route.
type PathOptions struct {
	// Path begins with a slash and is clean. One that ends with a slash holds
	// everything below it, and without the slash it is redirected to it; one
	// that does not, such as /app, holds itself and everything below, but not
	// /application.
	Path string
	// Backend gets the requests; nil means Static. The Paths close it.
	Backend *Backend
	// Strip has the backend asked for what follows the path.
	Strip bool
	// Static is the folder that is served; nil with a nil Backend leads to
	// the backend of the route after all.
	Static fs.FS
	// Cache is how long clients may use a file without asking again; 0 has
	// them ask each time.
	Cache time.Duration
}

// Paths are the path routes of a policy. Of those that hold a request the
// longest gets it.
type Paths struct{ routes []*pathRoute }

// pathRoute is one path of them.
type pathRoute struct {
	PathOptions
	// redirects says that the path without its slash belongs to it.
	redirects bool
}

// NewPaths returns the path routes. No two may have the same path.
func NewPaths(options []PathOptions) *Paths {
	p := new(Paths)
	for _, o := range options {
		bare := strings.TrimSuffix(o.Path, "/")
		taken := slices.ContainsFunc(options, func(other PathOptions) bool { return other.Path == bare })
		p.routes = append(p.routes, &pathRoute{PathOptions: o, redirects: bare != o.Path && bare != "" && !taken})
	}
	slices.SortFunc(p.routes, func(a, b *pathRoute) int { return len(b.Path) - len(a.Path) })
	return p
}

// Close closes the idle connections to the backends. Requests in flight are
// not touched.
func (p *Paths) Close() {
	for _, at := range p.routes {
		if at.Backend != nil {
			at.Backend.Close()
		}
	}
}

// find returns the place of a request, or nil when it belongs to the backend
// of the route. A path that can be read in two ways is clear only when both
// lead to the same place: literally, and with everything decoded that some
// backend might decode. Otherwise what was meant for one place could be
// answered from another.
func (p *Paths) find(u *url.URL) (at *pathRoute, clear bool) {
	if isUnambiguous(u) {
		return p.match(u.Path), true
	}
	at = p.match(literalPath(u))
	return at, at == p.match(lenientPath(u.Path))
}

func (p *Paths) match(name string) *pathRoute {
	for _, at := range p.routes {
		if at.holds(name) {
			return at
		}
	}
	return nil
}

// name is the path; empty for no place.
func (at *pathRoute) name() string {
	if at == nil {
		return ""
	}
	return at.Path
}

func (at *pathRoute) holds(name string) bool {
	if rest, ok := strings.CutPrefix(name, at.Path); ok {
		return rest == "" || rest[0] == '/' || strings.HasSuffix(at.Path, "/")
	}
	return at.isBare(name)
}

// isBare reports whether name is the path without its slash.
func (at *pathRoute) isBare(name string) bool {
	return at.redirects && len(name) == len(at.Path)-1 && strings.HasPrefix(at.Path, name)
}

// isUnambiguous reports whether there is one way only to read a path.
func isUnambiguous(u *url.URL) bool {
	return u.RawPath == "" && !strings.Contains(u.Path, "//") && !strings.Contains(u.Path, "/.") && !strings.ContainsAny(u.Path, `\;`)
}

var encodedSlash = strings.NewReplacer("%2f", "%252F", "%2F", "%252F")

// literalPath is the decoded path in which an encoded slash separates nothing.
func literalPath(u *url.URL) string {
	if u.RawPath == "" {
		return u.Path
	}
	name, err := url.PathUnescape(encodedSlash.Replace(u.RawPath))
	if err != nil {
		return u.Path
	}
	return name
}

// lenientPath is the decoded path as the most obliging backend would read it:
// encoded slashes and backslashes separate, parameters of a segment are cut
// off, empty segments and dots are resolved.
func lenientPath(decoded string) string {
	segments := strings.Split(strings.ReplaceAll(decoded, `\`, "/"), "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	name := strings.Join(segments, "/")
	last := segments[len(segments)-1]
	clean := path.Clean("/" + name)
	if clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean
}

// elsewhere serves a request that belongs to a path route, and reports whether
// it did. Probes ask the release, whatever else there is.
func (s *Server) elsewhere(f *flight, r *http.Request) bool {
	paths := f.route.Policy.Paths
	if paths == nil || f.probe {
		return false
	}
	at, clear := paths.find(r.URL)
	switch {
	case !clear:
		s.fail(f, r, FailureAmbiguous, http.StatusBadRequest)
	case at == nil, at.Backend == nil && at.Static == nil:
		return false
	case at.isBare(r.URL.Path):
		f.moveTo(nil, at)
		f.Header().Set("Cache-Control", redirectAge)
		writeRedirect(f, "", &url.URL{Path: at.Path, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery})
	case at.Static != nil:
		f.moveTo(nil, at)
		s.serveFile(f, r)
	default:
		f.moveTo(at.Backend, at)
		s.proxy(f, r)
	}
	return true
}

// proxy takes the request to the backend of the flight.
func (s *Server) proxy(f *flight, r *http.Request) {
	f.proxied = true
	if r = r.WithContext(&f.ctx); isWebSocket(r) {
		s.upgrade(f, r)
	} else {
		s.forward(f, r)
	}
}

// moveTo counts the flight on b instead of the backend of its route, which a
// drain must not have to wait for.
func (f *flight) moveTo(b *Backend, at *pathRoute) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slot != nil {
		f.slot.Store(nil)
		f.slot = nil
		f.backend.release()
	}
	f.path, f.backend = at, b
	if b != nil {
		b.acquire()
		f.slot = b.flights.add(f)
	}
}

// strip removes the path of the route from u, of which it holds the literal
// reading: as many segments as the path has.
func (at *pathRoute) strip(u *url.URL) {
	rest := u.EscapedPath()
	for range strings.Count(strings.TrimSuffix(at.Path, "/"), "/") {
		_, after, found := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if rest = "/" + after; !found {
			break
		}
	}
	if name, err := url.PathUnescape(rest); err == nil {
		u.Path, u.RawPath = name, rest
	}
}
