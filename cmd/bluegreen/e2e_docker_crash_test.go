package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

const (
	randomKills = 40
	randomSeed  = 20261123
)

// Invariant 4 on a real engine: the edge is killed at random moments within
// operations while production is being used. While the engine is stopped the
// next start already serves what the state file says; when the engine goes on,
// no container is too many or missing, and the history tells the truth.
func TestAfterAKillAtAnyMomentContainersAreAsRecorded(t *testing.T) {
	t.Parallel()
	daemon := enginetest.StartDaemon(t)
	api := daemon.Client(t)
	kept := enginetest.Repository(t, api) // outlives the containers
	w := &randomWalk{
		dockerEdge: newDockerEdge(t, api, "a", "b", "c"), daemon: daemon, kept: kept,
		random: rand.New(rand.NewPCG(randomSeed, 0)),
		usual:  map[switcher.Kind]time.Duration{}, behind: map[switcher.Kind]time.Duration{},
		killed: map[switcher.Kind]int{},
	}
	t.Logf("seed %d", randomSeed)
	w.keepImages("a", "b", "c")
	w.start()
	w.must("deploy", "a")
	w.learn()
	watch := w.visitor()
	for n := range randomKills {
		w.round(n, killable()[n%len(killable())])
		if t.Failed() {
			break
		}
	}
	v := watch.stop()
	t.Logf("killed within %v, %d times after the last step; production answered %d times, %d times there was no edge",
		w.killed, w.late, v.answered, v.refused)
	if len(v.bad) > 0 || v.answered == 0 {
		t.Errorf("production answered %q", v.bad)
	}
	for _, kind := range killable() {
		if w.killed[kind] == 0 {
			t.Errorf("no %s was killed", kind)
		}
	}
}

// killable are the operations that change what the slots hold.
func killable() []switcher.Kind {
	return []switcher.Kind{
		switcher.KindDeploy, switcher.KindSwitch, switcher.KindRollback, switcher.KindDiscard, switcher.KindCleanup,
	}
}

// randomWalk takes an app through its operations and kills the edge in each.
type randomWalk struct {
	*dockerEdge
	daemon *enginetest.Daemon
	kept   string // repository in which the images have a name too
	random *rand.Rand
	usual  map[switcher.Kind]time.Duration // how long each takes
	behind map[switcher.Kind]time.Duration // and then what it leaves to the background
	killed map[switcher.Kind]int           // operations during which the edge was killed
	late   int                             // kills in the background work of one
}

// keepImages gives images a name that is not the app's, so that cleanup does not
// prune one that the walk comes back to.
func (w *randomWalk) keepImages(releases ...string) {
	w.t.Helper()
	for _, release := range releases {
		_, err := w.api.ImageTag(w.t.Context(), client.ImageTagOptions{Source: w.Repository + ":" + release, Target: w.kept + ":" + release})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// learn runs each operation once without a kill.
func (w *randomWalk) learn() {
	w.t.Helper()
	for _, kind := range []switcher.Kind{
		switcher.KindDeploy, switcher.KindSwitch, switcher.KindRollback, switcher.KindDiscard,
		switcher.KindDeploy, switcher.KindSwitch, switcher.KindConfirm, switcher.KindCleanup,
	} {
		w.bring(kind)
		began := time.Now()
		w.run(kind)
		w.usual[kind] = time.Since(began)
		w.asRecorded(string(kind))
		w.behind[kind] = time.Since(began) - w.usual[kind]
	}
	w.t.Logf("operations take %v", w.usual)
}

// round kills the edge once, at a random moment of an operation, and checks the
// next start.
func (w *randomWalk) round(n int, kind switcher.Kind) {
	w.t.Helper()
	w.bring(kind)
	w.asRecorded("before " + string(kind))
	before := w.recorded()
	moment := w.moment(kind)
	round := fmt.Sprintf("round %d, %s killed after %v", n, kind, moment.Round(time.Millisecond))

	var id string
	var err error
	var took time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		id, err = w.operate(w.request(kind))
		took = time.Since(began)
	}()
	time.Sleep(moment)  // the moment is the point of the test
	w.daemon.Pause(w.t) // first, so that it may hold a request of an edge that is dead
	w.kill()
	<-done
	if err != nil {
		w.killed[kind]++
	} else {
		w.late++
		w.usual[kind] = min(w.usual[kind], took) // the machine was busy when it was learnt
	}

	crashed := w.recorded()
	if crashed.Operation != nil {
		id = crashed.Operation.ID
	}
	logged := len(w.logged())
	w.launch()
	for _, route := range []switcher.RouteName{switcher.Production, switcher.Internal} {
		if got, want := w.firstAnswer(route), served(crashed, route); got != want {
			w.t.Errorf("%s: %s is answered by %q before the engine, the state file says %q", round, route, got, want)
		}
	}
	w.daemon.Resume(w.t)
	w.await(round+": the recovery has ended", func() bool {
		return strings.Contains(w.logged()[logged:], "operation=recover")
	})
	w.asRecorded(round)
	w.truthful(round, id, before, crashed)
}

// moment is when to kill: mostly within the operation, now and then in what
// goes on behind it.
func (w *randomWalk) moment(kind switcher.Kind) time.Duration {
	at := w.random.Float64()
	if w.random.IntN(4) == 0 {
		return w.usual[kind] + time.Duration(at*float64(w.behind[kind]))
	}
	return time.Duration(at * float64(w.usual[kind]))
}

// bring takes the app to where an operation can begin.
func (w *randomWalk) bring(kind switcher.Kind) {
	w.t.Helper()
	w.eventually("at rest", func(st admin.Status) bool { return st.Operation == nil && st.Drain == nil })
	s := w.recorded()
	inactive := s.Slots[s.Active.Other()].State
	needs := map[switcher.Kind]switcher.SlotState{
		switcher.KindSwitch: switcher.Testing, switcher.KindDiscard: switcher.Testing,
		switcher.KindRollback: switcher.Previous, switcher.KindCleanup: switcher.Previous,
	}[kind]
	if needs != "" && inactive != needs {
		if inactive != switcher.Testing {
			w.settleBake()
			w.run(switcher.KindDeploy)
		}
		if needs == switcher.Previous {
			w.run(switcher.KindSwitch)
		}
	}
	switch kind {
	case switcher.KindDeploy, switcher.KindCleanup:
		w.settleBake()
	case switcher.KindRollback:
		w.eventually("rollback is ready", func(st admin.Status) bool { return st.Rollback.Ready })
	}
}

func (w *randomWalk) settleBake() {
	w.t.Helper()
	if w.recorded().Bake != nil {
		w.run(switcher.KindConfirm)
	}
}

// run is an operation without a kill.
func (w *randomWalk) run(kind switcher.Kind) {
	w.t.Helper()
	if _, err := w.operate(w.request(kind)); err != nil {
		w.t.Fatalf("%s: %v", kind, err)
	}
}

// request asks for an operation; a deploy brings one of the releases that the
// active slot does not hold.
func (w *randomWalk) request(kind switcher.Kind) request {
	others := map[string]bool{"a": true, "b": true, "c": true}
	s := w.recorded()
	delete(others, s.Slots[s.Active].Release.Commit)
	commit := slices.Sorted(maps.Keys(others))[w.random.IntN(len(others))]
	return func(ctx context.Context, c *admin.Client, show tell) (err error) {
		switch kind {
		case switcher.KindDeploy:
			_, err = c.Deploy(ctx, w.App, switcher.DeployRequest{Commit: commit}, show)
		case switcher.KindSwitch:
			_, err = c.Switch(ctx, w.App, switcher.SwitchRequest{}, show)
		case switcher.KindConfirm:
			_, err = c.Confirm(ctx, w.App, show)
		case switcher.KindRollback:
			_, err = c.Rollback(ctx, w.App, switcher.RollbackRequest{Reason: "a test"}, show)
		case switcher.KindDiscard:
			_, err = c.Discard(ctx, w.App, show)
		case switcher.KindCleanup:
			_, err = c.Cleanup(ctx, w.App, show)
		}
		return err
	}
}
