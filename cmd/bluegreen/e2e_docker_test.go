package main

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

func TestAReleaseInContainersLivesAsTheTableSays(t *testing.T) {
	t.Parallel()
	e := newDockerEdge(t, enginetest.Require(t), "a", "b")
	gate := enginetest.NewGate(t, e.api)
	e.env = []string{"DOCKER_HOST=" + gate.Host()}
	e.start()
	is := func(row, production, internal string) {
		t.Helper()
		if got := e.row().String(); got != row {
			t.Fatalf("status shows\n%s, want\n%s", got, row)
		}
		for host, want := range map[string]string{"app.localhost": production, "internal.app.localhost": internal} {
			if got := e.release(host); got != want {
				t.Errorf("%s shows %q, want %q", host, got, want)
			}
		}
		e.asRecorded(row)
	}
	// The policy that a container has until it is healthy.
	var before []string
	gate.OnRequest("/update", func() { before = e.containers() })
	e.must("deploy", "a")
	if len(before) != 1 || !strings.HasSuffix(before[0], " running no") {
		t.Errorf("a container that is not yet healthy: %q", before)
	}
	is("steady: blue active, green empty; production blue, internal blue; active blue, inactive green", "a", "a")

	if r := e.cliEnv([]string{"DOCKER_IMAGE_TAG=b"}, "deploy"); r.code != 0 {
		t.Fatalf("deploy with DOCKER_IMAGE_TAG: exit %d\n%s", r.code, r.stderr)
	}
	is("testing: blue active, green testing; production blue, internal green; active blue, inactive green", "a", "b")

	e.must("switch", "--expect-active", "blue", "--expect-release", "b")
	is("baking: blue previous, green active; production green, internal green; active green, inactive blue; rollback ready; bake", "b", "b")

	e.must("rollback", "--reason", "a typo in the logo")
	is("steady: blue active, green failed; production blue, internal blue; active blue, inactive green", "a", "a")

	e.must("discard")
	is("steady: blue active, green empty; production blue, internal blue; active blue, inactive green", "a", "a")

	e.must("deploy", "b")
	e.must("switch")
	e.must("confirm")
	is("steady: blue previous, green active; production green, internal green; active green, inactive blue; rollback ready", "b", "b")

	e.must("cleanup")
	is("steady: blue empty, green active; production green, internal green; active green, inactive blue", "b", "b")
	if got := e.containers(); len(got) != 1 {
		t.Errorf("after cleanup there are %q", got)
	}
}

// What is broken is told with the right exit code, and changes nothing.
func TestADeployThatFailsInDockerSaysWhyAndChangesNothing(t *testing.T) {
	t.Parallel()
	e := newDockerEdge(t, enginetest.Require(t), "a", "b", "dies", "bad")
	e.Deadline = "3s"
	e.configure()
	e.start()
	e.must("deploy", "a")
	watch := e.visitor()
	unchanged := func(green string) {
		t.Helper()
		want := "steady: blue active, green " + green + "; production blue, internal blue; active blue, inactive green"
		if got := e.row().String(); got != want {
			t.Errorf("status shows\n%s, want\n%s", got, want)
		}
		e.asRecorded("after a deploy that failed")
	}

	e.fails(1, []string{"unknown image " + e.Repository + ":nowhere", "pull"}, "deploy", "nowhere")
	unchanged("empty")

	taken, err := net.Listen("tcp", loopback(e.Green))
	if err != nil {
		t.Fatal(err)
	}
	e.fails(3, []string{"is taken by process", "slots.<colour>.port"}, "deploy", "b")
	taken.Close()
	unchanged("empty")

	foreign := e.foreign(e.App + "-green")
	e.fails(3, []string{"the container name " + e.App + "-green is taken by", "not an instance of app " + e.App}, "deploy", "b")
	unchanged("empty")
	if found, err := e.api.ContainerInspect(t.Context(), foreign, client.ContainerInspectOptions{}); err != nil || !found.Container.State.Running {
		t.Errorf("the foreign container: %+v, %v", found.Container.State, err)
	}
	if _, err := e.api.ContainerRemove(t.Context(), foreign, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}

	e.fails(1, []string{"exited with code 1 before it was healthy", "the schema is newer than this release knows"}, "deploy", "dies")
	unchanged("failed")

	e.fails(5, []string{"was not healthy within 3s", "/health"}, "deploy", "bad")
	unchanged("failed")

	if v := watch.stop(); v.refused > 0 || len(v.bad) > 0 {
		t.Errorf("production lost %d and answered %q", v.refused, v.bad)
	}
}

// foreign runs a container that is nobody's under a name, and returns its id.
func (e *dockerEdge) foreign(name string) string {
	e.t.Helper()
	made, err := e.api.ContainerCreate(e.t.Context(), client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: e.Repository + ":a"},
	})
	if err == nil {
		_, err = e.api.ContainerStart(e.t.Context(), made.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return made.ID
}

func TestAReleaseInDockerNamesTheImageThatItsContainerRuns(t *testing.T) {
	t.Parallel()
	e := newDockerEdge(t, enginetest.Require(t), "a", "b")
	e.start()
	e.must("deploy", "a")
	e.must("deploy", "b")
	st := e.status()
	for colour, want := range map[switcher.Colour]string{switcher.Blue: "a", switcher.Green: "b"} {
		release := st.Slots[colour].Release
		image, err := e.api.ImageInspect(t.Context(), e.Repository+":"+want)
		if err != nil {
			t.Fatal(err)
		}
		if release.Commit != want || release.Image != e.Repository+":"+want || release.ImageID != image.ID || release.DeployedBy == "" {
			t.Errorf("%s holds %+v, the image is %s", colour, release, image.ID)
		}
		if !slices.ContainsFunc(e.inspect(), func(c container.InspectResponse) bool { return c.Image == image.ID }) {
			t.Errorf("no container was started from %s", image.ID)
		}
	}
}
