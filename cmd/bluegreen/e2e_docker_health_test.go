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

// logTook tells how long something took.
func logTook(t *testing.T, what string, began time.Time) {
	t.Helper()
	t.Logf("%s after %v", what, time.Since(began).Round(10*time.Millisecond))
}

// Between two probes of a slot lie ten minutes: what is noticed in time is
// noticed without them.
func TestAContainerThatDiesIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newDockerEdge(t, enginetest.Require(t), "a")
	e.Interval = "10m"
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
	logTook(t, "the team has heard of the death", began)
	e.eventually("back and healthy", func(st admin.Status) bool {
		now := st.Slots["blue"]
		return now.Running != nil && now.Running.After(*before.Running) &&
			now.Health.Status == switcher.Healthy && now.Health.CheckedAt.After(*now.Running)
	})
	logTook(t, "it is known to be back", began)
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
	logTook(t, "the edge knows that production does not answer", began)
	daemon.Start(t)
	began = time.Now()
	e.eventually("healthy", func(st admin.Status) bool { return st.Slots["blue"].Health.Status == switcher.Healthy })
	logTook(t, "production is back, from the start of the engine on,", began)
	e.asRecorded("after the crash of the engine")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q", got)
	}
}
