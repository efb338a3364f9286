package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// stopped starts an instance, keeps it and stops it.
func (b *bench) stopped() (spec switcher.Spec, id string) {
	b.t.Helper()
	spec = b.spec("--release", "precious")
	b.start(spec)
	get(b.t, spec.Port, "/", nil)
	if err := errors.Join(b.Keep(b.t.Context(), spec.Instance), b.Stop(b.t.Context(), spec.Instance)); err != nil {
		b.t.Fatal(err)
	}
	return spec, b.inspect(b.app + "-blue").ID
}

// wantStopped checks that the container is there as it was, and starts again.
func (b *bench) wantStopped(spec switcher.Spec, id string) {
	b.t.Helper()
	if found := b.inspect(b.app + "-blue"); found.ID != id || found.State.Running {
		b.t.Fatalf("container %s, running %v; want %s, stopped", found.ID, found.State.Running, id)
	}
	said, err := b.Tail(b.t.Context(), spec.Instance, 10)
	if err != nil || !slices.Contains(said, "release precious begins") {
		b.t.Errorf("its output is %q, %v", said, err)
	}
	b.start(spec)
	if now := b.inspect(b.app + "-blue").ID; now != id {
		b.t.Error("it is another container")
	}
}

func TestRestartRefusedForAStrangerOnThePortLeavesTheContainerStopped(t *testing.T) {
	b := newBench(t, nil)
	spec, id := b.stopped()
	stranger, err := net.Listen("tcp4", fmt.Sprint("127.0.0.1:", spec.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	wantCode(t, b.Start(t.Context(), spec), switcher.CodeRefused)
	stranger.Close()
	b.wantStopped(spec, id)
}

func TestCancelledRestartLeavesTheContainerStopped(t *testing.T) {
	b := newBench(t, nil)
	spec, id := b.stopped()
	gate := enginetest.NewGate(t, b.api)
	r := b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 10*time.Second })
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	discarded := errors.New("discarded by maria")
	gate.OnRequest("/start", func() { cancel(discarded) })
	if err := r.Start(ctx, spec); !errors.Is(err, discarded) {
		t.Errorf("error %v, want its cause", err)
	}
	b.wantStopped(spec, id)
}

func TestStartThatCannotReadItsEnvFileLeavesTheOlderInstance(t *testing.T) {
	b := newBench(t, nil)
	spec, id := b.stopped()
	broken := b.runtime(func(o *docker.Options) { o.EnvFile = []string{t.TempDir() + "/nowhere.env"} })
	next := spec
	next.Instance += "-next"
	wantCode(t, broken.Start(t.Context(), next), switcher.CodeUsage)
	b.wantStopped(spec, id)
}
