package docker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// news is what a Watch has told.
type news struct {
	t    *testing.T
	mu   sync.Mutex
	told []switcher.Incident
}

// watch follows a runtime until the test ends.
func watch(t *testing.T, r *docker.Runtime) *news {
	t.Helper()
	n := &news{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(i switcher.Incident) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.told = append(n.told, i)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return n
}

func (n *news) kinds() (kinds []switcher.IncidentKind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range n.told {
		if i.Kind == switcher.IncidentEngine {
			continue // once or twice, as it happens
		}
		kinds = append(kinds, i.Kind)
	}
	return kinds
}

// want waits until exactly these incidents were told, and returns the last.
func (n *news) want(kinds ...switcher.IncidentKind) switcher.Incident {
	n.t.Helper()
	eventually(n.t, fmt.Sprint("incidents ", kinds), func() bool { return len(n.kinds()) >= len(kinds) })
	if got := n.kinds(); !slices.Equal(got, kinds) {
		n.t.Fatalf("incidents %v, want %v", got, kinds)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range slices.Backward(n.told) {
		if i.Kind == kinds[len(kinds)-1] {
			return i
		}
	}
	return switcher.Incident{}
}

// lost reports whether it was told that the engine is away.
func (n *news) lost() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.told, func(i switcher.Incident) bool { return i.Kind == switcher.IncidentEngine })
}

func (b *bench) kill(name string) {
	b.t.Helper()
	if _, err := b.api.ContainerKill(b.t.Context(), name, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		b.t.Fatal(err)
	}
}

const (
	started = switcher.IncidentStarted
	died    = switcher.IncidentDied
)

func TestWatchTellsAtOnceWhatHappensToContainers(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	get(t, spec.Port, "/", nil)
	n := watch(t, b.Runtime)
	if i := n.want(started); i.Instance != spec.Instance || time.Since(i.Time) > time.Minute {
		t.Errorf("what runs already: %+v", i)
	}
	began := time.Now()
	b.kill(b.app + "-blue")
	i := n.want(started, died)
	t.Logf("told after %v", time.Since(began))
	if i.Instance != spec.Instance || i.ExitCode != 137 || i.OOM {
		t.Errorf("%+v", i)
	}
	b.start(spec)
	n.want(started, died, started)

	other := newBench(t, nil) // nothing of another app is told
	other.start(other.spec())
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	n.want(started, died, started, died)
}

func TestWatchMissesNothingWhileTheConnectionIsBroken(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	gate := enginetest.NewGate(t, b.api)
	n := watch(t, b.runtime(func(o *docker.Options) { o.Host = gate.Host() }))
	n.want(started)
	gate.Pause()
	gate.Cut()
	b.kill(b.app + "-blue")
	b.start(spec)
	gate.Resume()
	eventually(t, "the engine is told to be away", n.lost)
	if i := n.want(started, died, started); i.Instance != spec.Instance {
		t.Errorf("%+v", i)
	}
	gate.Cut() // tells nothing again
	b.kill(b.app + "-blue")
	n.want(started, died, started, died)
}

func TestWatchTellsADeathForLackOfMemory(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.MemLimit = 24 << 20 })
	if info, err := b.api.Info(t.Context(), client.InfoOptions{}); err != nil || !info.Info.MemoryLimit {
		enginetest.Unavailable(t, "the engine has no memory limits")
	}
	spec := b.spec()
	b.start(spec)
	get(t, spec.Port, "/", nil)
	n := watch(t, b.Runtime)
	n.want(started)
	_, _ = webGet(spec.Port, "/eat", nil)
	eventually(t, "it dies", func() bool { return slices.Contains(n.kinds(), died) })
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.told[len(n.told)-1]; !last.OOM || last.ExitCode != 137 {
		t.Errorf("%+v", n.told)
	}
}

func TestWatchTellsWhatTheHealthCheckOfAnImageFinds(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	sick, err := b.api.ContainerCommit(t.Context(), b.foreign(b.app+"-model", spec, 0), client.ContainerCommitOptions{
		Reference: b.repo + ":sick",
		Changes:   []string{`HEALTHCHECK --interval=100ms --retries=1 CMD ["/server", "--exit", "1"]`},
	})
	if err != nil {
		t.Fatal(err)
	}
	spec.Release.ImageID = sick.ID
	n := watch(t, b.Runtime)
	b.start(spec)
	if i := n.want(started, switcher.IncidentUnhealthy); i.Instance != spec.Instance {
		t.Errorf("%+v", i)
	}
}

// Started again, the engine ends what ran, and knows nothing of the time before.
func TestWatchTellsWhatACrashOfTheEngineHasDone(t *testing.T) {
	daemon := enginetest.StartDaemon(t)
	b := &bench{t: t, api: daemon.Client(t), app: "crash"}
	b.repo = enginetest.Repository(t, b.api)
	b.Runtime = b.runtime(func(o *docker.Options) { o.Host = daemon.Host() })
	spec := b.spec()
	b.start(spec)
	n := watch(t, b.Runtime)
	n.want(started)
	daemon.Kill(t)
	daemon.Start(t)
	n.want(started, died)
	b.start(spec)
	n.want(started, died, started)
	b.kill("crash-blue")
	if i := n.want(started, died, started, died); i.ExitCode != 137 {
		t.Errorf("%+v", i)
	}
}
