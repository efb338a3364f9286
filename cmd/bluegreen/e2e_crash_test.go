package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// crashWalk is an operation to be killed at each of its failpoints.
type crashWalk struct {
	name string
	from func(*testEdge)        // brings the app to where the operation begins
	do   func(*testEdge) string // the operation; returns its id if the edge told it
}

// Invariant 4, in processes of their own: after a SIGKILL before or after any
// step of any operation the next start serves what the state file says from
// its first answer on, recovers without an orphan, and tells the truth.
func TestAfterAKillAtAnyStepTheNextStartServesWhatIsOnDisk(t *testing.T) {
	for _, w := range crashWalks() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			e := newTestEdge(t, "")
			e.Interval = "50ms"
			e.env = []string{envPoints + "=" + e.file("points"), envFailFile + "=" + e.file("armed")}
			e.configure()
			points := w.learn(e)
			if len(points) == 0 {
				t.Fatal("the operation has no failpoint")
			}
			for _, point := range points {
				w.survive(e, point)
			}
			t.Logf("killed at %d points: %s", len(points), strings.Join(points, " "))
		})
	}
}

// learn runs the operation once and returns the failpoints it passes.
func (w crashWalk) learn(e *testEdge) (points []string) {
	w.from(e)
	os.Remove(e.file("points"))
	w.do(e)
	text, _ := os.ReadFile(e.file("points"))
	for _, point := range strings.Fields(string(text)) {
		if !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	return points
}

// survive kills the edge at a point of the operation and checks the next start.
func (w crashWalk) survive(e *testEdge, point string) {
	e.t.Helper()
	w.from(e)
	before := e.recorded()
	e.write("armed", point)
	id := w.do(e)
	e.dead()
	os.Remove(e.file("armed"))
	crashed := e.recorded()
	if left := cmp.Or(crashed.Operation, before.Operation); left != nil {
		id = left.ID
	}

	logged := len(e.logged())
	e.launch()
	for _, route := range []switcher.RouteName{switcher.Production, switcher.Internal} {
		got := e.firstAnswer(route)
		// A recovery may have gone on while we asked.
		if now := e.recorded(); got != served(crashed, route) && got != served(now, route) {
			e.t.Errorf("%s: %s is answered by %q, the state file says %q", point, route, got, served(crashed, route))
		}
	}
	e.await(point+": the recovery has ended", func() bool {
		return strings.Contains(e.logged()[logged:], "operation=recover")
	})
	e.settled(point)
	e.truthful(point, id, before, crashed)
}

// settled waits until exactly what the state file names is there, and nothing
// is left open.
func (e *testEdge) settled(point string) {
	e.t.Helper()
	e.await(point+": instances are as recorded and nothing is left open", func() bool {
		s := e.recorded()
		run, known := []string{}, []string{}
		for _, slot := range s.Slots {
			switch slot.State {
			case switcher.Active, switcher.Previous, switcher.Testing:
				run = append(run, slot.Instance)
				known = append(known, slot.Instance)
			case switcher.Failed:
				known = append(known, slot.Instance)
			}
		}
		st, err := e.ask()
		return err == nil && st.Operation == nil && s.Operation == nil &&
			sameSet(run, slices.Collect(maps.Keys(running(e.dir)))) && sameSet(known, e.records())
	})
}

// truthful checks that the history tells once of an operation that was begun,
// and that what it tells has happened.
func (e *testEdge) truthful(point, id string, before, crashed *switcher.State) {
	e.t.Helper()
	after := e.recorded()
	told := slices.DeleteFunc(slices.Clone(after.History), func(r switcher.Record) bool { return r.ID != id })
	begun := crashed.Operation != nil || slices.ContainsFunc(crashed.History, func(r switcher.Record) bool { return r.ID == id })
	switch {
	case !begun && len(told) == 0:
		if served(before, switcher.Production) != served(after, switcher.Production) || served(before, switcher.Internal) != served(after, switcher.Internal) {
			e.t.Errorf("%s: the history does not tell what moved the routes", point)
		}
		return
	case !begun || len(told) != 1:
		e.t.Errorf("%s: told %d times of the operation, begun: %v: %+v", point, len(told), begun, told)
		return
	}
	r := told[0]
	done := map[switcher.Kind]bool{
		switcher.KindDeploy:   after.Internal != "" && after.Slots[after.Internal].Release.ID == r.Release,
		switcher.KindSwitch:   after.Active == r.Colour,
		switcher.KindRollback: after.Active == r.Colour,
		switcher.KindConfirm:  after.Bake == nil,
		switcher.KindDiscard:  after.Slots[r.Colour].State == switcher.Empty,
		switcher.KindCleanup:  after.Slots[r.Colour].State == switcher.Empty,
		switcher.KindDrain:    true,
		switcher.KindRecover:  true,
	}
	if r.OK != done[r.Kind] {
		e.t.Errorf("%s: the history says %+v, the state %+v", point, r, after.Slots)
	}
}

// served is the commit that a route shows according to a state; "" without one.
func served(s *switcher.State, route switcher.RouteName) string {
	c := s.Active
	if route == switcher.Internal {
		c = s.Internal
	}
	if c == "" {
		return ""
	}
	return s.Slots[c].Release.Commit
}

// firstAnswer asks a route until the edge listens, and says which release gave
// the very first answer; "" when the edge answered by itself.
func (e *testEdge) firstAnswer(route switcher.RouteName) string {
	e.t.Helper()
	host := "app.localhost"
	if route == switcher.Internal {
		host = "internal.app.localhost"
	}
	client := e.client()
	var got string
	e.await("the edge listens", func() bool {
		answer, err := client.Get("https://" + host + "/release")
		if err != nil {
			return !errors.Is(err, syscall.ECONNREFUSED) && e.failed("asking "+host, err)
		}
		answer.Body.Close()
		got = answer.Header.Get("X-Chat-Release")
		return true
	})
	return got
}

func (e *testEdge) failed(doing string, err error) bool {
	e.t.Helper()
	e.t.Errorf("%s: %v", doing, err)
	return true
}

// crashWalks are the operations of an app, each from where it can begin.
func crashWalks() []crashWalk {
	deploy := func(commit string) func(*testEdge) string {
		return asked(func(ctx context.Context, c *admin.Client, show tell) error {
			_, err := c.Deploy(ctx, "chat", switcher.DeployRequest{Commit: commit}, show)
			return err
		})
	}
	force := switcher.SwitchRequest{Force: "try it"}
	return []crashWalk{
		{name: "first deploy", from: (*testEdge).fresh, do: deploy("a")},
		{name: "deploy", from: (*testEdge).steady, do: deploy("b")},
		{name: "deploy over a candidate", from: (*testEdge).testing, do: deploy("c")},
		{name: "deploy over the previous", from: (*testEdge).previous, do: deploy("c")},
		{name: "failing deploy", from: (*testEdge).testing, do: deploy("dies")},
		{name: "switch", from: (*testEdge).testing, do: asked(switching(switcher.SwitchRequest{}))},
		{name: "switch whose probe fails", from: (*testEdge).touched, do: asked(switching(force))},
		{name: "switch when neither answers", from: (*testEdge).sickBoth, do: asked(switching(force))},
		{name: "confirm", from: (*testEdge).baking, do: asked(func(ctx context.Context, c *admin.Client, show tell) error {
			_, err := c.Confirm(ctx, "chat", show)
			return err
		})},
		{name: "rollback", from: (*testEdge).baking, do: asked(rollingBack)},
		{name: "discard", from: (*testEdge).testing, do: asked(discarding)},
		{name: "drain", from: (*testEdge).baking, do: asked(func(ctx context.Context, c *admin.Client, show tell) error {
			_, err := c.Drain(ctx, "chat", switcher.DrainRequest{}, show)
			return err
		})},
		{name: "cleanup", from: (*testEdge).previous, do: asked(cleaning)},
		{name: "recover after a restart of the machine", from: func(e *testEdge) { e.baking(); e.powerCut() }, do: (*testEdge).restart},
		{name: "recover an interrupted deploy", from: func(e *testEdge) { e.steady(); e.crash("deploy/health/after", deploy("b")) }, do: (*testEdge).restart},
		{name: "recover an interrupted switch", from: func(e *testEdge) {
			e.testing()
			e.crash("switch/swap/after", asked(switching(switcher.SwitchRequest{})))
		}, do: (*testEdge).restart},
		{name: "recover an interrupted rollback", from: func(e *testEdge) { e.baking(); e.crash("rollback/back/after", asked(rollingBack)) }, do: (*testEdge).restart},
		{name: "recover a switch whose probe fails", from: func(e *testEdge) {
			e.touched()
			e.crash("switch/swap/after", asked(switching(force)))
		}, do: (*testEdge).restart},
	}
}

func switching(r switcher.SwitchRequest) request {
	return func(ctx context.Context, c *admin.Client, show tell) error {
		_, err := c.Switch(ctx, "chat", r, show)
		return err
	}
}

func rollingBack(ctx context.Context, c *admin.Client, show tell) error {
	_, err := c.Rollback(ctx, "chat", switcher.RollbackRequest{Reason: "a test"}, show)
	return err
}

func discarding(ctx context.Context, c *admin.Client, show tell) error {
	_, err := c.Discard(ctx, "chat", show)
	return err
}

func cleaning(ctx context.Context, c *admin.Client, show tell) error {
	_, err := c.Cleanup(ctx, "chat", show)
	return err
}

// asked turns an operation into a step of a walk: how it ends is not the
// question there.
func asked(do request) func(*testEdge) string {
	return func(e *testEdge) string {
		e.t.Helper()
		id, _ := e.operate(do)
		return id
	}
}

// restart starts the edge and waits until it has recovered or died in it.
func (e *testEdge) restart() string {
	e.t.Helper()
	logged := len(e.logged())
	e.launch()
	e.await("the edge recovers or dies", func() bool {
		return strings.Contains(e.logged()[logged:], "operation=recover") || e.exited()
	})
	return ""
}

// crash arms a failpoint and lets an operation run into it.
func (e *testEdge) crash(point string, do func(*testEdge) string) {
	e.t.Helper()
	e.write("armed", point)
	do(e)
	e.dead()
	os.Remove(e.file("armed"))
}

// powerCut ends the edge and every instance.
func (e *testEdge) powerCut() {
	e.kill()
	for _, pid := range instances(e.dir) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	e.await("nothing runs", func() bool { return len(instances(e.dir)) == 0 })
}

// fresh is an app that has never seen a release.
func (e *testEdge) fresh() {
	e.t.Helper()
	e.powerCut()
	for _, dir := range []string{"apps", "processes"} {
		if err := os.RemoveAll(filepath.Join(e.dir, "state", dir)); err != nil {
			e.t.Fatal(err)
		}
	}
	e.start()
}

// steady is an app with one release, wherever it was before.
func (e *testEdge) steady() {
	e.t.Helper()
	if e.process == nil {
		e.start()
	}
	st := e.eventually("at rest", func(st admin.Status) bool { return st.Operation == nil })
	must := func(do request) {
		e.t.Helper()
		if _, err := e.operate(do); err != nil {
			e.t.Fatalf("preparing: %v", err)
		}
	}
	if st.Phase == switcher.PhaseBaking {
		must(func(ctx context.Context, c *admin.Client, show tell) error {
			_, err := c.Confirm(ctx, "chat", show)
			return err
		})
	}
	switch st.Slots[st.Inactive].State {
	case switcher.Previous:
		must(cleaning)
	case switcher.Testing, switcher.Failed:
		must(discarding)
	}
	if st.Active == "" {
		e.deploy("a")
	}
}

func (e *testEdge) testing() { e.t.Helper(); e.steady(); e.deploy("b") }

// touched is an app with a candidate that has just become sick.
func (e *testEdge) touched() {
	e.t.Helper()
	e.steady()
	e.deploy("touchy")
	e.release("internal.app.localhost")
	e.eventually("sick", func(st admin.Status) bool { return st.Slots[st.Inactive].Health.Status == switcher.Unhealthy })
}

// sickBoth is an app whose releases have both just become sick.
func (e *testEdge) sickBoth() {
	e.t.Helper()
	e.fresh()
	e.deploy("touchy")
	e.deploy("touchier")
	e.release("app.localhost")
	e.release("internal.app.localhost")
	e.eventually("both sick", func(st admin.Status) bool {
		return st.Slots["blue"].Health.Status == switcher.Unhealthy && st.Slots["green"].Health.Status == switcher.Unhealthy
	})
}

func (e *testEdge) baking() {
	e.t.Helper()
	e.testing()
	if _, err := e.operate(switching(switcher.SwitchRequest{})); err != nil {
		e.t.Fatalf("preparing: %v", err)
	}
}

func (e *testEdge) previous() {
	e.t.Helper()
	e.baking()
	_, err := e.operate(func(ctx context.Context, c *admin.Client, show tell) error {
		_, err := c.Confirm(ctx, "chat", show)
		return err
	})
	if err != nil {
		e.t.Fatalf("preparing: %v", err)
	}
}

func (e *testEdge) deploy(commit string) {
	e.t.Helper()
	_, err := e.operate(func(ctx context.Context, c *admin.Client, show tell) error {
		_, err := c.Deploy(ctx, "chat", switcher.DeployRequest{Commit: commit}, show)
		return err
	})
	if err != nil {
		e.t.Fatalf("preparing with a deploy of %s: %v", commit, err)
	}
}
