package docker

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"sofiacall.com/bluegreen/switcher"
)

// Labels of the containers. They are the only record of what belongs to an app
// besides the switcher's state, so their names must never change.
const (
	LabelApp      = "com.sofiacall.bluegreen.app"
	LabelColour   = "com.sofiacall.bluegreen.colour"
	LabelInstance = "com.sofiacall.bluegreen.instance"
	LabelRelease  = "com.sofiacall.bluegreen.release"
	LabelCommit   = "com.sofiacall.bluegreen.commit"
	LabelImage    = "com.sofiacall.bluegreen.image"
	LabelOwner    = "com.sofiacall.bluegreen.owner"
	LabelJob      = "com.sofiacall.bluegreen.job" // of a job's container, which has no colour and no instance
)

// Values of Options.Pull.
const (
	PullAlways  = "always"
	PullMissing = "missing"
	PullNever   = "never"
)

const defaultCallTimeout = 15 * time.Second

// Options describes the containers of an app. The fields of the container have
// the meaning of the Compose specification's keys of the same name.
type Options struct {
	// App is the name that the labels carry; required.
	App string
	// Owner is an opaque id of the installation. Containers that another owner
	// has marked are foreign; those without an owner's mark are own. Empty means
	// that nothing is marked and every container of the app is own.
	Owner string
	// Host is the engine's address, such as unix:///var/run/docker.sock; empty
	// means the environment's DOCKER_HOST and the files it goes with, else the
	// default socket.
	Host string
	// Pull says when an image is pulled: PullAlways (default), PullMissing or PullNever.
	Pull string

	// Name of the container; it must contain {colour}. Default <App>-{colour}.
	Name string
	// Port that the backend listens on inside the container; required.
	Port int
	// Command replaces the image's command if it is not empty.
	Command []string
	// Environment of the container; it wins over EnvFile.
	Environment map[string]string
	// EnvFile are files of variables, read anew at every start; a later one wins.
	EnvFile []string
	// Volumes are the mounts.
	Volumes []Volume
	// Networks that the container joins besides the default one, from which its port is published.
	Networks []string
	// MemLimit in bytes; 0 is no limit.
	MemLimit int64
	// CPUs is the number of processors it may use; 0 is no limit.
	CPUs float64
	// User, or user:group; empty means the image's.
	User string
	// StopGracePeriod between the stop signal and the kill; default 10s.
	StopGracePeriod time.Duration
	// StopSignal such as SIGINT; empty means the image's, else SIGTERM.
	StopSignal string
	// Restart is what Keep sets: no, on-failure, on-failure:N or unless-stopped (default).
	Restart string

	// CallTimeout is how long the engine may take to answer; default 15s. A
	// stop may take the grace period in addition.
	CallTimeout time.Duration
	// PullSilence is how long a pull may make no progress; default 2m.
	PullSilence time.Duration
	// Logger for what is worth knowing but no failure; default slog.Default.
	Logger *slog.Logger
}

// Volume is a mount of a container.
type Volume struct {
	Type     string // bind, volume or tmpfs
	Source   string // a path, or the name of a volume; empty for tmpfs
	Target   string // an absolute path in the container
	ReadOnly bool
}

// Runtime runs the instances of one app as containers. It is safe for
// concurrent use; Close it when it is no longer needed.
type Runtime struct {
	options Options
	restart container.RestartPolicy
	engine  *engine
}

var _ switcher.Runtime = (*Runtime)(nil)

// New returns a runtime for one app. It does not ask the engine anything: an
// engine that is down is an error of the first call. Options that no container
// could be started with are an *switcher.Error with CodeUsage.
func New(options Options) (*Runtime, error) {
	o := options.withDefaults()
	restart, err := o.check()
	if err != nil {
		return nil, &switcher.Error{Code: switcher.CodeUsage, What: "docker runtime of app " + o.App, Err: err}
	}
	api, err := dial(o.Host)
	if err != nil {
		return nil, err
	}
	return &Runtime{options: o, restart: restart, engine: newEngine(api, o.CallTimeout)}, nil
}

// Close lets go of idle connections to the engine. Containers are untouched.
func (r *Runtime) Close() error { return r.engine.api.Close() }

func (o Options) withDefaults() Options {
	if o.Pull == "" {
		o.Pull = PullAlways
	}
	if o.Name == "" {
		o.Name = o.App + "-{colour}"
	}
	if o.StopGracePeriod == 0 {
		o.StopGracePeriod = 10 * time.Second
	}
	if o.Restart == "" {
		o.Restart = string(container.RestartPolicyUnlessStopped)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.PullSilence == 0 {
		o.PullSilence = 2 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o Options) check() (restart container.RestartPolicy, err error) {
	switch {
	case o.App == "":
		return restart, fmt.Errorf("the app has no name")
	case !strings.Contains(o.Name, "{colour}"):
		return restart, fmt.Errorf("container name %q: {colour} is missing, and two slots cannot share one name", o.Name)
	case o.Port < 1 || o.Port > 65535:
		return restart, fmt.Errorf("container port %d: not a port", o.Port)
	case !slices.Contains([]string{PullAlways, PullMissing, PullNever}, o.Pull):
		return restart, fmt.Errorf("pull %q: it is always, missing or never", o.Pull)
	}
	for name := range maps.Keys(o.Environment) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return restart, fmt.Errorf("environment: %q is not a name", name)
		}
	}
	for _, name := range o.Networks {
		if name == "host" || name == "none" || strings.HasPrefix(name, "container:") {
			return restart, fmt.Errorf("network %q: its ports cannot be published on 127.0.0.1 only", name)
		}
	}
	return restartPolicy(o.Restart)
}

// restartPolicy reads the Compose syntax. `always` is not in it: it would bring
// back a container that was stopped on purpose when the engine restarts.
func restartPolicy(text string) (container.RestartPolicy, error) {
	name, times, limited := strings.Cut(text, ":")
	policy := container.RestartPolicy{Name: container.RestartPolicyMode(name)}
	switch policy.Name {
	case container.RestartPolicyDisabled, container.RestartPolicyUnlessStopped:
		if !limited {
			return policy, nil
		}
	case container.RestartPolicyOnFailure:
		if !limited {
			return policy, nil
		}
		n, err := strconv.Atoi(times)
		if err == nil && n > 0 {
			policy.MaximumRetryCount = n
			return policy, nil
		}
	}
	return policy, fmt.Errorf("restart %q: it is no, on-failure, on-failure:N or unless-stopped", text)
}

// containerName returns the name of the container in a slot.
func (o Options) containerName(c switcher.Colour) string {
	return strings.ReplaceAll(o.Name, "{colour}", string(c))
}
