package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// inside makes an edge of the configuration file in this process, and load
// reads the file again.
func (e *testEdge) inside() (_ *edge, load func() *config.Config) {
	e.t.Helper()
	load = func() *config.Config {
		c, err := config.Load(e.config(), config.Options{})
		if err != nil {
			e.t.Fatal(err)
		}
		return c
	}
	made, err := newEdge(edgeOptions{Config: load(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(made.close)
	return made, load
}

// serve runs an edge until the end of the test.
func serve(t *testing.T, e *edge) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	e.options.Ready = func() { close(ready) }
	go func() { ended <- e.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the edge: %v", err)
		}
	})
	<-ready
}

// reloadWith applies a configuration that no file could say.
func (e *edge) reloadWith(c *config.Config) error {
	e.options.Load = func() (*config.Config, error) { return c, nil }
	return e.reload(context.Background())
}

// Invariant 9 for a runtime that cannot be made: the apps before it in the
// alphabet keep what they had too, and so do those that were changed already.
func TestAReloadThatOneAppCannotTakeChangesNoApp(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	e := newTestEdge(t, "")
	ports := freePorts(t, 4)
	e.Apps = fmt.Sprintf(otherApp, e.Chat, ports[0], ports[1]) + `  third:
    production: [third.localhost]
    internal: [internal.third.localhost]
    image: example.test/third
    container: { port: 3000 }
` + fmt.Sprintf("    slots: { blue: { port: %d }, green: { port: %d } }\n", ports[2], ports[3])
	e.configure()
	edge, load := e.inside()
	serve(t, edge)
	for name, spoil := range map[string]func(*config.Config){
		"processes":  func(c *config.Config) { c.Apps["other"].Process.StopSignal = "SIGNONE" },
		"containers": func(c *config.Config) { c.Apps["third"].Container.Restart = "always" },
	} {
		t.Run(name, func(t *testing.T) {
			next := load()
			next.Apps["chat"].Process.StopSignal = "SIGINT"
			next.Apps["chat"].Production = []string{"app.localhost", "new.localhost"}
			spoil(next)
			if err := edge.reloadWith(next); err == nil {
				t.Fatal("a runtime that cannot be made was accepted")
			}
			chat := edge.apps["chat"]
			if hosts := chat.app.Status().Routes[switcher.Production].Hosts; chat.section.Process.StopSignal == "SIGINT" || len(hosts) != 1 {
				t.Errorf("app chat was changed all the same: %+v, hosts %q", chat.section.Process, hosts)
			}
			for name, h := range edge.apps {
				if _, broken := h.runtime.(brokenRuntime); broken {
					t.Errorf("app %s has lost its runtime", name)
				}
			}
			op, err := chat.app.Deploy("test", switcher.DeployRequest{Commit: name})
			if err == nil {
				err = op.Wait(t.Context())
			}
			if err != nil {
				t.Errorf("a deploy with the old runtime: %v", err)
			}
			op, err = chat.app.Cleanup("test")
			if err == nil {
				op.Wait(t.Context())
			}
		})
	}
}

// slowRuntime does not answer what it is asked until the caller gives up.
type slowRuntime struct {
	brokenRuntime
	asked  chan struct{}
	asking atomic.Int32
	closed atomic.Bool
	bad    atomic.Value // what must not have happened
}

func newSlowRuntime() *slowRuntime {
	return &slowRuntime{asked: make(chan struct{}, 1)}
}

func (r *slowRuntime) List(ctx context.Context) ([]switcher.Instance, error) {
	if r.closed.Load() {
		r.bad.Store("it was asked after it had been closed")
	}
	r.asking.Add(1)
	defer r.asking.Add(-1)
	select {
	case r.asked <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return nil, errors.New("nobody waits any more")
}

func (r *slowRuntime) Close() error {
	if r.closed.Store(true); r.asking.Load() > 0 {
		r.bad.Store("it was closed while it was asked")
	}
	return nil
}

// recovering runs an edge whose only app is in the middle of its recovery, on
// a runtime that a reload has to replace.
func recovering(t *testing.T, e *testEdge) (*edge, *slowRuntime, func() *config.Config) {
	t.Helper()
	edge, load := e.inside()
	slow, h := newSlowRuntime(), edge.apps["chat"]
	h.runtime.Close()
	h.use(slow)
	h.app.Apply(edge.settings(&h.section, h.front, slow, nil))
	serve(t, edge)
	<-slow.asked
	return edge, slow, load
}

func TestAReloadLeavesNoRecoveryOnAClosedRuntime(t *testing.T) {
	e := newTestEdge(t, "")
	edge, slow, load := recovering(t, e)
	next := load()
	next.Apps["chat"].Process.StopSignal = "SIGINT"
	if err := edge.reloadWith(next); err != nil {
		t.Fatal(err)
	}
	if !slow.closed.Load() {
		t.Error("the old runtime was not closed")
	}
	op, err := edge.apps["chat"].app.Deploy("test", switcher.DeployRequest{Commit: "a"})
	if err == nil {
		err = op.Wait(t.Context())
	}
	if err != nil {
		t.Errorf("a deploy with the new runtime: %v", err)
	}
	if bad := slow.bad.Load(); bad != nil {
		t.Errorf("the old runtime: %v", bad)
	}
}

func TestAReloadDropsAnEmptyAppEvenWhileItRecovers(t *testing.T) {
	e := newTestEdge(t, "")
	edge, _, load := recovering(t, e)
	next := load()
	next.Apps["renamed"] = next.Apps["chat"]
	next.Apps["renamed"].Name = "renamed"
	delete(next.Apps, "chat")
	if err := edge.reloadWith(next); err != nil {
		t.Fatal(err)
	}
	if apps := edge.sortedApps(); len(apps) != 1 || apps[0].Name() != "renamed" {
		t.Errorf("the apps are %v", apps)
	}
}

func TestAReloadKeepsAnAppThatIsOutOfService(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	e.stop()
	e.write("state/apps/chat/state.json", "{")
	e.start()
	good := mustRead(t, e.config())
	e.edit("\n  chat:", "\n  renamed:")
	e.fails(3, []string{"app chat is gone from the file while it is out of service", "put it back"}, "reload")
	e.write("bluegreen.yaml", good)
	e.must("reload")
}

func TestWhatAReloadCannotChangeIsNamedInOrder(t *testing.T) {
	e := &edge{config: &config.Config{}}
	next := &config.Config{State: config.State{Dir: "/a"}, Metrics: config.Metrics{Listen: "b"}, Logs: config.Logs{Dir: "/c"}}
	for range 10 {
		if err := e.sameEdge(next); err == nil || !strings.Contains(err.Error(), "cannot change logs, metrics, state") {
			t.Fatal(err)
		}
	}
}
