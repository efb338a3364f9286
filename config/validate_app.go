package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// grpcHealth is the path of gRPC's own health check.
const grpcHealth = "/grpc.health.v1.Health/Check"

var appName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func validateApp(a *App, key string, r *report, u *unique) {
	if !appName.MatchString(a.Name) {
		r.key(key, "is not a name for an app: use at most 40 lower-case letters, digits and hyphens, beginning with a letter or digit")
	}
	validateHosts(a.Production, key+".production", u, "list at least one public host")
	validateHosts(a.Internal, key+".internal", u, "list at least one host on which new releases are tested")
	validateFront(a, key, r)
	validateAccess(a.Access, key+".access", r)
	for _, slot := range []struct {
		key  string
		port int
	}{{key + ".slots.blue.port", a.Slots.Blue.Port}, {key + ".slots.green.port", a.Slots.Green.Port}} {
		if validatePort(slot.port, slot.key, r); slot.port > 0 {
			u.claim(u.ports, strconv.Itoa(slot.port), slot.key, "port")
		}
	}
	oneOf(r, key+".runtime", a.Runtime, RuntimeDocker, RuntimeProcess)
	switch a.Runtime {
	case RuntimeDocker:
		validateDocker(a, key, r, u)
	case RuntimeProcess:
		validateProcess(a, key, r)
	}
	validateHealth(a.Health, key+".health", r)
	validateRules(a.Switch.Rules, key+".switch.rules", r)
	oneOf(r, key+".upstream.protocol", a.Upstream.Protocol, ProtocolHTTP1, ProtocolH2C)
	if a.Health.Path == grpcHealth && a.Upstream.Protocol == ProtocolHTTP1 {
		r.key(key+".health.path", "is gRPC's, which needs HTTP/2: set upstream.protocol to h2c, or ask for another path")
	}
}

func validateHosts(hosts []string, key string, u *unique, advice string) {
	if len(hosts) == 0 {
		u.key(key, "is missing: %s", advice)
	}
	for i := range hosts {
		hostKey := index(key, i)
		before := len(u.problems)
		if normalHost(u.report, hostKey, &hosts[i]); len(u.problems) == before && hosts[i] != "" {
			u.claim(u.hosts, hosts[i], hostKey, "host")
		}
	}
}

func validatePort(port int, key string, r *report) {
	if port < 1 || port > 65535 {
		r.key(key, "must be a port from 1 to 65535, is %s", r.number(key, port))
	}
}

func validateDocker(a *App, key string, r *report, u *unique) {
	unused(r, key, "process", RuntimeProcess)
	required(r, key+".image", a.Image, "name the repository, such as ghcr.io/example/app")
	if a.Image != "" {
		validateImage(a.Image, key+".image", r)
	}
	oneOf(r, key+".pull", a.Pull, "always", "missing", "never")
	validateContainer(&a.Container, key+".container", r, u)
}

// unused reports a key that only the other runtime knows.
func unused(r *report, app, key, runtime string) {
	if r.at.given(app + "." + key) {
		r.key(app+"."+key, "is used by runtime %s only: remove it, or set runtime to %s", runtime, runtime)
	}
}

func validateImage(image, key string, r *report) {
	named, err := reference.ParseNormalizedNamed(image)
	switch {
	case err != nil:
		r.key(key, "%s is not an image reference: write a repository such as ghcr.io/example/app", r.shown(key, image))
	case !reference.IsNameOnly(named):
		r.key(key, "%s has a tag or a digest: leave it out, for every deploy adds its own", r.shown(key, image))
	}
}

func validateProcess(a *App, key string, r *report) {
	for _, k := range []string{"container", "image", "pull"} {
		unused(r, key, k, RuntimeDocker)
	}
	if len(a.Process.Command) == 0 {
		r.key(key+".process.command", "is missing: name the program to start")
	}
	validateSignal(a.Process.StopSignal, key+".process.stop_signal", r)
}

func validateHealth(h Health, key string, r *report) {
	if u, err := url.ParseRequestURI(h.Path); err != nil || !strings.HasPrefix(h.Path, "/") || u.Host != "" || strings.ContainsAny(h.Path, "# ") {
		r.key(key+".path", "must be a path that begins with a slash, such as /health, is %s", r.shown(key+".path", h.Path))
	}
	if h.Rise < 1 {
		r.key(key+".rise", "must be at least 1, is %s", r.number(key+".rise", h.Rise))
	}
	if h.Fall < 1 {
		r.key(key+".fall", "must be at least 1, is %s", r.number(key+".fall", h.Fall))
	}
	if h.Timeout > h.Deadline && h.Deadline > 0 {
		r.key(key+".timeout", "is longer than health.deadline, so no probe could fail in time: make it at most the deadline")
	}
}
