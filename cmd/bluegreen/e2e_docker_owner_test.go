package main

import (
	"os"
	"testing"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
)

// Nobody but an operator can tell an edge that has lost its state directory
// from a second edge with the same configuration.
func TestEdgeThatLostItsStateTakesItsContainersOverWithTheirOwnersID(t *testing.T) {
	t.Parallel()
	e := newDockerEdge(t, enginetest.Require(t), "a", "b")
	e.start()
	e.must("deploy", "a")
	e.stop()
	before := e.inspect()[0]
	if err := os.RemoveAll(e.file("state")); err != nil {
		t.Fatal(err)
	}

	e.start()
	e.fails(3, []string{"belongs to another bluegreen", docker.LabelOwner, "<state.dir>/id", "<state.dir>/apps/" + e.App}, "deploy", "b")
	if now := e.inspect(); len(now) != 1 || now[0].State.Pid != before.State.Pid {
		t.Fatalf("its container was touched: %+v", now)
	}
	e.stop()
	if err := os.RemoveAll(e.file("state/apps/" + e.App)); err != nil {
		t.Fatal(err)
	}
	e.write("state/id", before.Config.Labels[docker.LabelOwner]+"\n")
	e.start()
	e.await("production shows a", func() bool { return e.release("app.localhost") == "a" })
	if now := e.inspect(); len(now) != 1 || now[0].State.Pid != before.State.Pid {
		t.Errorf("its container was touched: %+v", now)
	}
}
