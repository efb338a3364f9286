package config

import (
	"path"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

const colourPlaceholder = "{colour}"

// objectName is what the engine accepts as the name of a container, volume or network.
var objectName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

var restartPolicy = regexp.MustCompile(`^(no|unless-stopped|on-failure(:[1-9][0-9]{0,5})?)$`)

func validateContainer(c *Container, key string, r *report, u *unique) {
	validateContainerName(c.Name, key+".name", r, u)
	validatePort(c.Port, key+".port", r)
	validateVolumes(c.Volumes, key+".volumes", r)
	validateNetworks(c.Networks, key+".networks", r)
	if c.StopSignal != "" {
		validateSignal(c.StopSignal, key+".stop_signal", r)
	}
	validateRestart(c.Restart, key+".restart", r)
}

func validateContainerName(name, key string, r *report, u *unique) {
	switch {
	case !strings.Contains(name, colourPlaceholder):
		r.key(key, "must contain %s, for the containers of both slots cannot have one name: write for example %s",
			colourPlaceholder, "backend_"+colourPlaceholder)
	case !objectName.MatchString(strings.ReplaceAll(name, colourPlaceholder, "blue")):
		r.key(key, "%s is not a name for a container: use letters, digits, _, . and -", r.shown(key, name))
	default:
		for _, colour := range []string{"blue", "green"} {
			u.claim(u.names, strings.ReplaceAll(name, colourPlaceholder, colour), key, "container name")
		}
	}
}

func validateVolumes(volumes []Volume, key string, r *report) {
	targets := map[string]bool{}
	for i, v := range volumes {
		validateVolume(v, index(key, i), r)
		if target := path.Clean(v.Target); v.Target != "" && targets[target] {
			r.key(index(key, i), "has the target of an earlier volume: each needs its own")
		} else {
			targets[target] = true
		}
	}
}

func validateVolume(v Volume, key string, r *report) {
	switch v.Type {
	case "bind":
		required(r, key+".source", v.Source, "name the path to mount")
	case "volume":
		if !objectName.MatchString(v.Source) {
			r.key(key, "has a source that is neither a path nor the name of a volume: begin a path with / or ./")
		}
	case "tmpfs":
		if v.Source != "" {
			r.key(key+".source", "has no meaning for a tmpfs: remove it")
		}
	case "":
		r.key(key+".type", "is missing: write bind, volume or tmpfs")
	default:
		oneOf(r, key+".type", v.Type, "bind", "volume", "tmpfs")
	}
	if !path.IsAbs(v.Target) {
		r.key(key, "needs a target that is an absolute path in the container, such as /data")
	}
}

func validateNetworks(networks []string, key string, r *report) {
	for i, name := range networks {
		switch {
		case name == "host" || name == "none" || strings.HasPrefix(name, "container:"):
			r.key(index(key, i), "is a mode without ports that could be published on 127.0.0.1 only, as are host, none and container:…: name a network of its own, or remove it")
		case !objectName.MatchString(name):
			r.key(index(key, i), "is not the name of a network: use letters, digits, _, . and -")
		}
	}
}

func validateSignal(name, key string, r *report) {
	if unix.SignalNum(name) == 0 {
		r.key(key, "must be the name of a signal, such as SIGTERM, is %s", r.shown(key, name))
	}
}

func validateRestart(policy, key string, r *report) {
	if policy == "always" {
		r.key(key, "always is refused, because a container that was stopped on purpose would come back by itself at the engine's next start: write unless-stopped")
		return
	}
	if !restartPolicy.MatchString(policy) {
		r.key(key, "must be no, on-failure, on-failure:N or unless-stopped, is %s", r.shown(key, policy))
	}
}
