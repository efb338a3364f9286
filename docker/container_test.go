package docker_test

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

func publish(config *container.Config, host *container.HostConfig, port int) {
	inside := network.MustParsePort("3000/tcp")
	config.ExposedPorts = network.PortSet{inside: {}}
	host.PortBindings = network.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port)}}}
}

func TestContainerIsPublishedOnLoopbackOnly(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "A")
	b.start(spec)
	if got := get(t, spec.Port, "/", nil); got != "A\n" {
		t.Fatalf("the instance answers %q", got)
	}
	for inside, bindings := range b.inspect(b.app + "-blue").NetworkSettings.Ports {
		for _, binding := range bindings {
			if binding.HostIP.String() != "127.0.0.1" {
				t.Errorf("port %v is published on %v", inside, binding.HostIP)
			}
		}
	}
}

func TestContainerHasNoNewPrivilegesAndBoundedLogs(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	status := get(t, spec.Port, "/file", url.Values{"path": {"/proc/self/status"}})
	if !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Error("the process may gain privileges")
	}
	host := b.inspect(b.app + "-blue").HostConfig
	if host.Privileged || len(host.CapAdd) > 0 {
		t.Errorf("privileged %v, added capabilities %v", host.Privileged, host.CapAdd)
	}
	if host.LogConfig.Type != "local" || host.LogConfig.Config["max-size"] == "" || host.LogConfig.Config["max-file"] == "" {
		t.Errorf("log driver %+v", host.LogConfig)
	}
}

func TestContainerKnowsItsAppColourAndRelease(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	environment := strings.Split(get(t, spec.Port, "/env", nil), "\n")
	for _, want := range []string{"BLUEGREEN_APP=" + b.app, "BLUEGREEN_COLOUR=blue", "BLUEGREEN_RELEASE=r1"} {
		if !slices.Contains(environment, want) {
			t.Errorf("%s is missing in %v", want, environment)
		}
	}
	labels := b.inspect(b.app + "-blue").Config.Labels
	want := map[string]string{
		docker.LabelApp: b.app, docker.LabelColour: "blue", docker.LabelInstance: spec.Instance, docker.LabelRelease: "r1",
	}
	for name, value := range want {
		if labels[name] != value {
			t.Errorf("label %s is %q, want %q", name, labels[name], value)
		}
	}
}

func TestEnvironmentWinsOverEnvFilesAndLaterFilesWin(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.env"), filepath.Join(dir, "second.env")
	write(t, first, "# comment\nA=file1\nB=file1\nC=file1\n")
	write(t, second, "B=file2\nC=file2\nQUOTED=\"two words\"\n")
	b := newBench(t, func(o *docker.Options) {
		o.EnvFile = []string{first, second}
		o.Environment = map[string]string{"C": "configured", "BLUEGREEN_APP": "forged"}
	})
	spec := b.spec()
	b.start(spec)
	environment := strings.Split(get(t, spec.Port, "/env", nil), "\n")
	for _, want := range []string{"A=file1", "B=file2", "C=configured", "QUOTED=two words", "BLUEGREEN_APP=" + b.app} {
		if !slices.Contains(environment, want) {
			t.Errorf("%s is missing in %v", want, environment)
		}
	}
}

func TestSecretsOfAnEnvFileAreNotInErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.env")
	write(t, path, "OK=1\nTOKEN=\"hunter2-not-closed\n")
	b := newBench(t, func(o *docker.Options) { o.EnvFile = []string{path} })
	err := b.Start(t.Context(), b.spec())
	text, hint := wantCode(t, err, switcher.CodeUsage)
	if strings.Contains(text+hint, "hunter2") || !strings.Contains(text, path) || !strings.Contains(text, "line ") {
		t.Errorf("error %q, hint %q", text, hint)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestContainerJoinsAllItsNetworks(t *testing.T) {
	api := enginetest.Require(t)
	one, two := enginetest.Network(t, api), enginetest.Network(t, api)
	b := newBench(t, func(o *docker.Options) { o.Networks = []string{one, two} })
	spec := b.spec("--release", "networked")
	b.start(spec)
	if got := get(t, spec.Port, "/", nil); got != "networked\n" {
		t.Errorf("the published port answers %q", got)
	}
	networks := b.inspect(b.app + "-blue").NetworkSettings.Networks
	for _, name := range []string{one, two} {
		if endpoint := networks[name]; endpoint == nil || !endpoint.IPAddress.IsValid() {
			t.Errorf("not in network %s: %v", name, networks)
		}
	}
	if err := b.Remove(t.Context(), spec.Instance); err != nil {
		t.Error(err)
	}
}

func TestMissingNetworkIsToldAndLeavesNoContainer(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Networks = []string{"bgtest-nowhere"} })
	text, hint := wantCode(t, b.Start(t.Context(), b.spec()), switcher.CodeFailed)
	if !strings.Contains(text, "bgtest-nowhere does not exist") || !strings.Contains(hint, "docker network create") {
		t.Errorf("error %q, hint %q", text, hint)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestVolumesAreMountedAndReadOnlyIsKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "greeting"), "hello")
	b := newBench(t, func(o *docker.Options) {
		o.Volumes = []docker.Volume{
			{Type: "bind", Source: dir, Target: "/shared"},
			{Type: "bind", Source: dir, Target: "/fixed", ReadOnly: true},
			{Type: "tmpfs", Target: "/scratch"},
		}
	})
	spec := b.spec()
	b.start(spec)
	if got := get(t, spec.Port, "/file", url.Values{"path": {"/fixed/greeting"}}); got != "hello" {
		t.Errorf("the mounted file reads %q", got)
	}
	for path, want := range map[string]string{"/shared/new": "", "/scratch/new": "", "/fixed/new": "read-only"} {
		said := get(t, spec.Port, "/write", url.Values{"path": {path}, "text": {"x"}})
		if (want == "") != (said == "") || !strings.Contains(said, want) {
			t.Errorf("writing %s says %q", path, said)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "new")); string(text) != "x" {
		t.Errorf("what the container wrote is not there: %v", err)
	}
}

func TestLimitsUserAndCommandReachTheContainer(t *testing.T) {
	b := newBench(t, func(o *docker.Options) {
		o.MemLimit, o.CPUs, o.User = 64<<20, 0.5, "1234:5678"
		o.Command = []string{"/server", "--release", "by command", "--port", "4000"}
		o.Port, o.StopSignal = 4000, "SIGINT"
	})
	spec := b.spec("--release", "by image")
	b.start(spec)
	if got := get(t, spec.Port, "/", nil); got != "by command\n" {
		t.Errorf("the instance answers %q", got)
	}
	status := get(t, spec.Port, "/file", url.Values{"path": {"/proc/self/status"}})
	if !strings.Contains(status, "Uid:\t1234") || !strings.Contains(status, "Gid:\t5678") {
		t.Error("the process runs as another user")
	}
	host := b.inspect(b.app + "-blue").HostConfig
	if host.Memory != 64<<20 || host.NanoCPUs != 5e8 {
		t.Errorf("memory %d, cpus %d", host.Memory, host.NanoCPUs)
	}
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	said, err := b.Tail(t.Context(), spec.Instance, 10)
	if err != nil || !slices.Contains(said, "received interrupt") {
		t.Errorf("output %q, %v", said, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
