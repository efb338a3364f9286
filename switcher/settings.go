package switcher

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// Settings are what a configuration says of one app. A reload replaces them
// whole; ports and what a runtime starts apply from the next deploy on.
type Settings struct {
	Hosts    map[RouteName][]string
	Policies map[RouteName]proxy.Policy
	Image    string // repository without tag; empty: a release is its commit
	Runtime  Runtime
	Ports    map[Colour]int
	Backend  proxy.BackendOptions // its address is set per slot
	Health   HealthSettings
	Drain    DrainSettings
	Bake     time.Duration
	Database Database // that the releases share; nil: none
}

// firstHost is the one that probes ask for; empty when there is none.
func (s *Settings) firstHost() string {
	if hosts := s.Hosts[Production]; len(hosts) > 0 {
		return hosts[0]
	}
	return ""
}

// HealthSettings say how a slot is probed and when the verdict changes.
type HealthSettings struct {
	Path     string
	Interval time.Duration // at rest; at most a second while deploying, baking and failing
	Timeout  time.Duration // of one probe
	Rise     int           // successes in a row that make a slot healthy
	Fall     int           // failures in a row that make it unhealthy
	Deadline time.Duration // for a new release to become healthy
}

// DrainSettings say how long what a slot has in flight may last.
type DrainSettings struct {
	Timeout    time.Duration // requests
	Websockets time.Duration // upgraded connections
	Spread     time.Duration // over which those are closed after that
}

// Probes ask whether a release answers. The switcher does not know how.
type Probes struct {
	// Backend asks a backend directly, at its address and in its protocol; host
	// is the Host it is asked for. nil means healthy.
	Backend func(ctx context.Context, backend proxy.BackendOptions, host, path string) error

	// Public asks through the public listener and returns the label of the
	// route that answered. An error that is ErrListener says that the edge
	// itself could not be asked, which tells nothing about the backend.
	Public func(ctx context.Context, host, path string) (label string, err error)
}

// ErrListener is in the chain of a Public probe's error when the listener
// could not be reached.
var ErrListener = errors.New("the public listener does not answer")

// Options make an App.
type Options struct {
	App         string
	Dir         string // state directory of the edge; the app has a folder in it
	FirstActive Colour // slot of the very first deploy; empty: blue
	Settings    Settings
	Probes      Probes
	Logger      *slog.Logger             // nil: nothing is logged
	Origin      func(host string) string // the URL of a host; nil: https on the usual port

	// Notify is told what the team should hear of. It must not block, nor ask
	// anything of the app; nil tells nobody.
	Notify func(Notice)

	// Judge says what figures say of a release in its bake.
	Judge Judge

	// Recorder returns what records the requests of a route while it leads to
	// the slot and the release; nil: they are not recorded.
	Recorder func(name RouteName, slot Colour, release string) proxy.Recorder

	// Tracer returns what records the requests of a route as spans while it
	// leads to the slot and the release; nil, also from the function: they are
	// not recorded. It is asked again when settings are applied.
	Tracer func(name RouteName, slot Colour, release string) proxy.Tracer

	// AccessLog returns what logs the requests of a route while it leads to
	// the slot and the release; nil: they are not logged.
	AccessLog func(name RouteName, slot Colour, release string) slog.Handler

	// Failpoint is called before and after every durable step with the step's
	// name, so that a test can end the process there. nil in production.
	Failpoint func(name string)
}
