package enginetest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/internal/enginetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestGateHoldsRequestsUntilItIsResumed(t *testing.T) {
	gate := enginetest.NewGate(t, enginetest.Require(t))
	api, err := client.New(client.WithHost(gate.Host()))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	gate.Pause()
	answered := make(chan error, 1)
	go func() {
		_, err := api.Ping(t.Context(), client.PingOptions{})
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a paused gate answers: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	gate.Resume()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestDaemonOfATestMayBePausedAndKilled(t *testing.T) {
	daemon := enginetest.StartDaemon(t)
	api := daemon.Client(t)
	repository := enginetest.Repository(t, api)
	ref := enginetest.Image(t, api, repository, "v1", enginetest.Server(t))
	made, err := api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Image: ref})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	daemon.Pause(t)
	daemon.Resume(t)
	daemon.Kill(t)
	daemon.Start(t)
	found, err := api.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
	if err != nil || found.Container.State.Running {
		t.Errorf("after a crash of the engine: %+v, %v", found.Container.State, err)
	}
}
