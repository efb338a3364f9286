package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/internal/enginetest"
)

// An engine that is stopped is a clear error, one that hangs times out; both
// take nothing from production, and neither is needed to roll back.
func TestWithoutAnEngineProductionIsServedAndRollsBack(t *testing.T) {
	for name, outage := range map[string]struct {
		begin func(*enginetest.Gate, *dockerEdge)
		end   func(*enginetest.Gate, *dockerEdge)
		code  int
		says  []string
	}{
		"stopped": {
			begin: func(g *enginetest.Gate, e *dockerEdge) { os.Remove(e.file("engine")); g.Cut() },
			end:   func(g *enginetest.Gate, e *dockerEdge) { e.connect(g) },
			code:  1, says: []string{"the Docker engine cannot be reached", "systemctl start docker"},
		},
		"paused": {
			begin: func(g *enginetest.Gate, _ *dockerEdge) { g.Pause() },
			end:   func(g *enginetest.Gate, _ *dockerEdge) { g.Resume() },
			code:  6, says: []string{"the Docker engine does not answer", "running containers go on"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newDockerEdge(t, enginetest.Require(t), "a", "b", "c")
			gate := enginetest.NewGate(t, e.api)
			e.connect(gate)
			e.env = []string{"DOCKER_HOST=unix://" + e.file("engine")}
			e.start()
			e.must("deploy", "a")
			e.must("deploy", "b")
			e.must("switch", "--bake", "0s")
			watch, before := e.visitor(), e.row().String()

			outage.begin(gate, e)
			e.fails(outage.code, outage.says, "deploy", "c")
			if got := e.row().String(); got != before {
				t.Errorf("after a refused deploy status shows\n%s, before\n%s", got, before)
			}
			e.must("rollback")
			if got := e.release("app.localhost"); got != "a" {
				t.Errorf("after a rollback production shows %q", got)
			}
			outage.end(gate, e)
			e.asRecorded("after the outage")
			want := "steady: blue active, green failed; production blue, internal blue; active blue, inactive green"
			if got := e.row().String(); got != want {
				t.Errorf("status shows\n%s, want\n%s", got, want)
			}
			if v := watch.stop(); v.refused > 0 || len(v.bad) > 0 {
				t.Errorf("production lost %d and answered %q", v.refused, v.bad)
			}
		})
	}
}

// connect puts the engine at the address that the edge knows.
func (e *dockerEdge) connect(gate *enginetest.Gate) {
	e.t.Helper()
	if err := os.Symlink(strings.TrimPrefix(gate.Host(), "unix://"), e.file("engine")); err != nil {
		e.t.Fatal(err)
	}
}

func TestContainerThatDiesWhileActiveIsRestartedByItsPolicy(t *testing.T) {
	t.Parallel()
	e := newDockerEdge(t, enginetest.Require(t), "a")
	e.start()
	e.must("deploy", "a")
	if err := syscall.Kill(e.inspect()[0].State.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.await("the engine restarts it", func() bool { return e.inspect()[0].RestartCount == 1 })
	e.await("production answers again", func() bool {
		answer, err := e.client().Get("https://app.localhost/release")
		if err != nil {
			return e.failed("asking production", err)
		}
		answer.Body.Close()
		return answer.StatusCode == 200
	})
	e.asRecorded("after a crash of the container")
}

func TestAfterACrashOfTheEngineRecoverBringsEverythingBack(t *testing.T) {
	t.Parallel()
	daemon := enginetest.StartDaemon(t)
	e := newDockerEdge(t, daemon.Client(t), "a", "b")
	e.start()
	e.must("deploy", "a")
	e.must("deploy", "b")
	daemon.Kill(t)
	e.fails(1, []string{"the Docker engine cannot be reached"}, "recover")
	daemon.Start(t)

	// What the engine does not bring back by itself: one that somebody has
	// stopped, one that is lost.
	stopped, lost := e.App+"-blue", e.App+"-green"
	if _, err := e.api.ContainerStop(t.Context(), stopped, client.ContainerStopOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.api.ContainerRemove(t.Context(), lost, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e.must("recover")
	t.Logf("recovered in %v", time.Since(began).Round(time.Millisecond))
	e.asRecorded("after recover")
	for host, want := range map[string]string{"app.localhost": "a", "internal.app.localhost": "b"} {
		if got := e.release(host); got != want {
			t.Errorf("%s shows %q, want %q", host, got, want)
		}
	}
}
