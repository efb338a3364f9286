package docker_test

import (
	"testing"

	"github.com/moby/moby/api/types/container"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/switcher"
)

func TestUsageIsThatOfTheContainer(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.MemLimit = 64 << 20 })
	spec := b.spec()
	b.start(spec)
	used, err := b.Usage(t.Context(), spec.Instance)
	if err != nil {
		t.Fatal(err)
	}
	if used.CPUSeconds <= 0 || used.CPUSeconds > 60 || used.Memory < 100<<10 || used.Memory > 64<<20 || used.MemoryLimit != 64<<20 || used.Restarts != 0 {
		t.Errorf("usage is %+v", used)
	}
	if err := b.Keep(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	name := b.app + "-blue"
	kill(t, b, name)
	eventually(t, "the restart is told", func() bool {
		used, err := b.Usage(t.Context(), spec.Instance)
		return err == nil && used.Restarts >= 1
	})
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if b.inspect(name).State.Status != container.StateExited {
		t.Fatal("it was not stopped")
	}
	for _, id := range []string{spec.Instance, "unknown"} {
		_, err := b.Usage(t.Context(), id)
		wantCode(t, err, switcher.CodeFailed)
	}
}
