package docker_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

func TestImageThatExitsAtOnceTellsItsCodeAndLastLines(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "broken", "--exit", "42")
	b.start(spec)
	code, err := b.Wait(timeout(t, 20*time.Second), spec.Instance)
	if err != nil || code != 42 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	said, err := b.Tail(t.Context(), spec.Instance, 2)
	slices.Sort(said) // the engine does not keep the order between the two streams
	if want := []string{"fatal: cannot go on", "release broken begins"}; err != nil || !slices.Equal(said, want) {
		t.Errorf("last lines %q, %v", said, err)
	}
	instances, err := b.List(t.Context())
	want := []switcher.Instance{{
		ID: spec.Instance, Colour: switcher.Blue, Release: "r1", ExitCode: 42,
		Image: spec.Release.Image, ImageID: spec.Release.ImageID,
	}}
	if err != nil || !slices.Equal(instances, want) {
		t.Errorf("instances %+v, %v", instances, err)
	}
}

func TestStartOfARunningInstanceLeavesItAlone(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	before := b.inspect(b.app + "-blue").State.Pid
	b.start(spec)
	if after := b.inspect(b.app + "-blue").State.Pid; after != before {
		t.Errorf("the process was replaced: %d, then %d", before, after)
	}
	if err := b.Check(t.Context(), spec); err != nil {
		t.Errorf("the app's own instance is an obstacle: %v", err)
	}
}

func TestStartAfterStopRunsTheSameContainerAgain(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "again")
	b.start(spec)
	first := b.inspect(b.app + "-blue").ID
	for range 2 { // the second finds nothing to stop
		if err := b.Stop(t.Context(), spec.Instance); err != nil {
			t.Fatal(err)
		}
	}
	if instances, err := b.List(t.Context()); err != nil || len(instances) != 1 || instances[0].Running {
		t.Fatalf("after Stop: %+v, %v", instances, err)
	}
	b.start(spec)
	if second := b.inspect(b.app + "-blue").ID; second != first {
		t.Error("it is another container")
	}
	if got := get(t, spec.Port, "/", nil); got != "again\n" {
		t.Errorf("it answers %q", got)
	}
}

func TestStopKillsWhatIgnoresTheSignalAfterTheGracePeriod(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.StopGracePeriod = time.Second })
	spec := b.spec("--lingers")
	b.start(spec)
	get(t, spec.Port, "/", nil)
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if code, err := b.Wait(t.Context(), spec.Instance); err != nil || code != 137 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if said, err := b.Tail(t.Context(), spec.Instance, 9); err != nil || !slices.Contains(said, "received terminated") {
		t.Errorf("output %q, %v", said, err)
	}
}

func TestNewRuntimeAdoptsContainersByLabel(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "kept")
	spec.Release.Commit = "4f2a1c9"
	b.start(spec)
	after := b.runtime(func(o *docker.Options) { o.Name = "renamed-" + b.app + "-{colour}" })
	instances, err := after.List(t.Context())
	want := []switcher.Instance{{
		ID: spec.Instance, Colour: switcher.Blue, Release: "r1", Running: true,
		Commit: "4f2a1c9", Image: spec.Release.Image, ImageID: spec.Release.ImageID, Port: spec.Port,
	}}
	if err != nil || !slices.Equal(instances, want) {
		t.Fatalf("instances %+v, %v", instances, err)
	}
	if err := after.Remove(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestOlderInstanceInTheSlotMakesRoom(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "any")
	b.start(spec)
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	next := spec
	next.Instance = spec.Instance + "-next"
	b.start(next)
	instances, err := b.List(t.Context())
	if err != nil || len(instances) != 1 || instances[0].ID != next.Instance || !instances[0].Running {
		t.Errorf("instances %+v, %v", instances, err)
	}
}

func TestInstanceIsRestartedOnlyAfterKeep(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	name := b.app + "-blue"
	if policy := b.inspect(name).HostConfig.RestartPolicy.Name; policy != container.RestartPolicyDisabled {
		t.Fatalf("restart policy before Keep: %s", policy)
	}
	if err := b.Keep(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	get(t, spec.Port, "/", nil)
	before := b.inspect(name).State.Pid
	exited := make(chan int, 1)
	go func() {
		code, _ := b.Wait(timeout(t, 20*time.Second), spec.Instance)
		exited <- code
	}()
	eventually(t, "Wait tells of a run that was killed", func() bool {
		kill(t, b, name) // again, if Wait had not begun before the last one
		select {
		case code := <-exited:
			if code != 137 {
				t.Errorf("Wait tells exit code %d of the run that ended, want 137", code)
			}
			return true
		case <-time.After(200 * time.Millisecond):
			return false
		}
	})
	eventually(t, "the container is restarted", func() bool {
		state := b.inspect(name).State
		return state.Running && state.Pid != before && state.Pid != 0
	})
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if policy := b.inspect(name).HostConfig.RestartPolicy.Name; policy != container.RestartPolicyDisabled {
		t.Errorf("restart policy after Stop: %s", policy)
	}
}

func TestInstanceThatKeepsDyingCanBeStopped(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--exit", "1", "--slow", "1s")
	b.start(spec)
	if err := b.Keep(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	name := b.app + "-blue"
	eventually(t, "the engine pauses between two runs", func() bool {
		return b.inspect(name).State.Restarting && b.inspect(name).RestartCount > 1
	})
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	found := b.inspect(name)
	if found.State.Running || found.State.Restarting || found.HostConfig.RestartPolicy.Name != container.RestartPolicyDisabled {
		t.Errorf("state %+v, restart %s", found.State, found.HostConfig.RestartPolicy.Name)
	}
}

// kill ends the container's process behind the engine's back: a kill through
// the engine counts as a stop and is not followed by a restart.
func kill(t *testing.T, b *bench, name string) {
	t.Helper()
	pid := b.inspect(name).State.Pid
	if pid == 0 {
		return // on its way back up
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		enginetest.Unavailable(t, "cannot kill process "+strconv.Itoa(pid)+" of a container: "+err.Error())
	}
}

func TestDyingInstanceStaysDownBeforeKeep(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	get(t, spec.Port, "/", nil)
	_, _ = webGet(spec.Port, "/exit", url.Values{"code": {"3"}})
	if code, err := b.Wait(timeout(t, 20*time.Second), spec.Instance); err != nil || code != 3 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if state := b.inspect(b.app + "-blue").State; state.Running || state.ExitCode != 3 {
		t.Errorf("state %+v", state)
	}
}

func TestUnknownInstances(t *testing.T) {
	b := newBench(t, nil)
	if err := b.Stop(t.Context(), "nobody"); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := b.Remove(t.Context(), "nobody"); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if _, err := b.Wait(t.Context(), "nobody"); err == nil {
		t.Error("Wait: no error")
	}
	if err := b.Keep(t.Context(), "nobody"); err == nil {
		t.Error("Keep: no error")
	}
	if _, err := b.Tail(t.Context(), "nobody", 5); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("Tail: %v", err)
	}
}

func TestTwoRemovalsAtOnceBothSucceed(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	removed := make(chan error, 2)
	for range cap(removed) {
		go func() { removed <- b.Remove(t.Context(), spec.Instance) }()
	}
	for range cap(removed) {
		if err := <-removed; err != nil {
			t.Error(err)
		}
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestInstanceOfAnotherAppIsOutOfReach(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	other := b.runtime(func(o *docker.Options) { o.App = b.app + "-other" })
	for _, touch := range []error{other.Stop(t.Context(), spec.Instance), other.Remove(t.Context(), spec.Instance)} {
		if touch != nil {
			t.Error(touch)
		}
	}
	if !b.inspect(b.app + "-blue").State.Running {
		t.Error("the instance of another app was stopped")
	}
}

func TestPruneRemovesUnusedImagesAndLeavesUsedOnes(t *testing.T) {
	b := newBench(t, nil)
	used := b.spec("--release", "used")
	b.start(used)
	ref := enginetest.Image(t, b.api, b.repo, "v2", enginetest.Server(t), "--release", "unused")
	unused, err := b.Fetch(t.Context(), ref, ignore)
	if err != nil {
		t.Fatal(err)
	}
	drop := []string{used.Release.ImageID, unused.ID, "sha256:" + strings.Repeat("0", 64)}
	if err := b.Prune(t.Context(), drop); err != nil {
		t.Fatal(err)
	}
	if _, err := b.api.ImageInspect(t.Context(), used.Release.ImageID); err != nil {
		t.Errorf("the used image: %v", err)
	}
	if _, err := b.api.ImageInspect(t.Context(), unused.ID); err == nil {
		t.Error("the unused image is still there")
	}
}

func TestPausedContainerCanBeStoppedAndStarted(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "awake")
	b.start(spec)
	for _, end := range []func(context.Context, string) error{b.Stop, b.Remove} {
		get(t, spec.Port, "/", nil)
		if _, err := b.api.ContainerPause(t.Context(), b.app+"-blue", client.ContainerPauseOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := end(t.Context(), spec.Instance); err != nil {
			t.Fatal(err)
		}
		b.start(spec)
	}
	if got := get(t, spec.Port, "/", nil); got != "awake\n" {
		t.Errorf("it answers %q", got)
	}
}
