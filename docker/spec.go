package docker

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// wanted describes the container of an instance to the engine. It starts with
// restart `no`: one that dies before it was healthy stays down, with its exit
// code and its last words.
func (r *Runtime) wanted(spec switcher.Spec) (client.ContainerCreateOptions, error) {
	wanted, err := r.options.wanted(spec.Release, map[string]string{"BLUEGREEN_COLOUR": string(spec.Colour)})
	if err != nil {
		return wanted, err
	}
	inside, _ := network.PortFrom(uint16(r.options.Port), network.TCP)
	outside := network.PortBinding{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(spec.Port)}
	wanted.Name = r.options.containerName(spec.Colour)
	wanted.Config.Cmd = r.options.Command
	wanted.Config.ExposedPorts = network.PortSet{inside: {}}
	wanted.Config.Labels[LabelColour] = string(spec.Colour)
	wanted.Config.Labels[LabelInstance] = spec.Instance
	wanted.HostConfig.PortBindings = network.PortMap{inside: {outside}}
	return wanted, nil
}

// wanted describes what all containers of the app have in common. Variables of
// the caller win over all others.
func (o Options) wanted(release switcher.Release, variables map[string]string) (client.ContainerCreateOptions, error) {
	environment, err := o.environment(release, variables)
	if err != nil {
		return client.ContainerCreateOptions{}, err
	}
	grace := seconds(o.StopGracePeriod)
	return client.ContainerCreateOptions{
		Config: &container.Config{
			Image:       release.ImageID,
			Env:         environment,
			User:        o.User,
			StopSignal:  o.StopSignal,
			StopTimeout: &grace,
			Labels:      o.labels(release),
		},
		HostConfig: &container.HostConfig{
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
			SecurityOpt:   []string{"no-new-privileges"},
			LogConfig: container.LogConfig{
				Type: "local",
				// Not compressed: Follow looks at the files often, and the engine
				// would unpack all of them each time.
				Config: map[string]string{"max-size": "20m", "max-file": "5", "compress": "false"},
			},
			Mounts: o.mounts(),
			Resources: container.Resources{
				Memory:   o.MemLimit,
				NanoCPUs: int64(math.Round(o.CPUs * 1e9)),
			},
		},
	}, nil
}

func (o Options) labels(release switcher.Release) map[string]string {
	labels := map[string]string{
		LabelApp:     o.App,
		LabelRelease: release.ID,
		LabelCommit:  release.Commit,
		LabelImage:   release.Image,
	}
	if o.Owner != "" {
		labels[LabelOwner] = o.Owner
	}
	return labels
}

func (o Options) mounts() []mount.Mount {
	mounts := make([]mount.Mount, len(o.Volumes))
	for i, v := range o.Volumes {
		mounts[i] = mount.Mount{Type: mount.Type(v.Type), Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly}
	}
	return mounts
}

// environment returns the container's variables as NAME=value, sorted. Later
// sources win: the files in their order, the configured ones, our own, and those
// of the caller.
func (o Options) environment(release switcher.Release, more map[string]string) ([]string, error) {
	variables, err := Variables(o.EnvFile, o.Environment)
	if err != nil {
		return nil, err
	}
	variables["BLUEGREEN_APP"] = o.App
	variables["BLUEGREEN_RELEASE"] = release.ID
	maps.Copy(variables, more)

	list := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		list = append(list, name+"="+variables[name])
	}
	return list, nil
}

// Variables returns what a container gets of the files, of which a later one
// wins, and of the environment, which wins over them. The files are read anew;
// no error holds a value of theirs.
func Variables(files []string, environment map[string]string) (map[string]string, error) {
	variables := make(map[string]string)
	for _, path := range files {
		read, err := readEnvFile(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(variables, read)
	}
	maps.Copy(variables, environment)
	return variables, nil
}

var lineNumber = regexp.MustCompile(`line \d+`)

// readEnvFile reads a file in the format of the Compose specification. The
// parser's errors quote what they could not read, which may be a secret: only
// the line number is passed on.
func readEnvFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &switcher.Error{Code: switcher.CodeUsage, What: "reading env_file", Err: err}
	}
	defer file.Close()
	variables, err := dotenv.ParseWithLookup(file, os.LookupEnv)
	if err != nil {
		where := lineNumber.FindString(err.Error())
		if where == "" {
			where = "some line"
		}
		return nil, &switcher.Error{
			Code: switcher.CodeUsage,
			What: fmt.Sprintf("env_file %s: %s is not NAME=value", path, where),
			Hint: "quote values with spaces or quotes in them",
		}
	}
	return variables, nil
}

// seconds rounds up, for the engine takes whole seconds and 0 means no grace.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
