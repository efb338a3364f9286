package main

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// tookAbout reports how long something took that should take about a second, and
// fails at ten times that.
func tookAbout(t *testing.T, what string, began time.Time, limit time.Duration) {
	t.Helper()
	took := time.Since(began)
	t.Logf("%s after %v", what, took.Round(10*time.Millisecond))
	if took > 10*limit {
		t.Errorf("%s after %v, want %v", what, took, limit)
	}
}

// Between two probes of a slot lie 30 seconds, as they do for most.
func TestAContainerThatDiesIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newDockerEdge(t, enginetest.Require(t), "a")
	e.Interval = "30s"
	e.configure()
	e.edit("health: {", "notify: { services: ['"+m.url+"'] }\n    health: {")
	e.start()
	e.must("deploy", "a")
	before := e.status().Slots["blue"]
	began := time.Now()
	if err := syscall.Kill(e.inspect()[0].State.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.await("the team hears of it", func() bool { return slices.Contains(m.heard(), "died a") })
	tookAbout(t, "the team has heard of the death", began, time.Second)
	e.eventually("back and healthy", func(st admin.Status) bool {
		now := st.Slots["blue"]
		return now.Running != nil && now.Running.After(*before.Running) &&
			now.Health.Status == switcher.Healthy && now.Health.CheckedAt.After(*now.Running)
	})
	tookAbout(t, "it is known to be back", began, 3*time.Second)
}

// Started again, the engine has ended its containers and brings none back.
func TestACrashOfTheEngineTakesProductionAwayForSecondsOnly(t *testing.T) {
	t.Parallel()
	daemon := enginetest.StartDaemon(t)
	e := newDockerEdge(t, daemon.Client(t), "a")
	e.Interval = "30s"
	e.configure()
	e.start()
	e.must("deploy", "a")
	began := time.Now()
	daemon.Kill(t)
	e.eventually("unhealthy", func(st admin.Status) bool { return st.Slots["blue"].Health.Status == switcher.Unhealthy })
	tookAbout(t, "the edge knows that production does not answer", began, 3*time.Second)
	daemon.Start(t)
	began = time.Now()
	e.eventually("healthy", func(st admin.Status) bool { return st.Slots["blue"].Health.Status == switcher.Healthy })
	tookAbout(t, "production is back, from the start of the engine on,", began, 5*time.Second)
	e.asRecorded("after the crash of the engine")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q", got)
	}
}
