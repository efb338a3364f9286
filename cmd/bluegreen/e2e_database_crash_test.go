package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// A SIGKILL before or after any step of a deploy that migrates: the next start
// leaves no scratch database, no job, no lock and no half backup, and the history
// says what of the migration was applied. Two edges share the points.
func TestAfterAKillAtAnyStepOfAMigrationNothingIsLeftAndTheHistoryIsTrue(t *testing.T) {
	for half, name := range []string{"even", "odd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newProcessGuests(t, pgtest.Start(t).Database(t), "")
			g.Interval = "50ms"
			g.env = append(g.env, envPoints+"="+g.file("points"), envFailFile+"="+g.file("armed"))
			g.configure()
			g.start()
			g.must("deploy", "base")
			os.Remove(g.file("points"))
			g.must("deploy", "n1")
			text, _ := os.ReadFile(g.file("points"))
			points := migrationPoints(string(text))
			if len(points) < 8 {
				t.Fatalf("a deploy that migrates passes only %q", strings.Fields(string(text)))
			}
			for i, point := range points {
				if i%2 == half {
					g.survive(point, fmt.Sprintf("n%d", i+2))
				}
			}
			t.Logf("%d points: %s", len(points), strings.Join(points, " "))
		})
	}
}

// migrationPoints are the failpoints of a deploy from its first step on the
// database to the start of the candidate, each moment once.
func migrationPoints(passed string) (points []string) {
	for _, point := range strings.Fields(passed) {
		step, ofDatabase := strings.CutPrefix(point, "deploy/database/")
		again := slices.Contains(points, point) || slices.Contains(points, "deploy/database/"+step+"/after")
		if (ofDatabase || !strings.Contains(point, "/")) && !again {
			points = append(points, point)
		}
	}
	return points
}

// survive kills the edge at a point of the deploy of a version that needs a
// column of its own, and checks what the next start makes of it.
func (g *guests) survive(point, version string) {
	g.t.Helper()
	g.write("armed", point)
	id := g.deployLost(version)
	g.dead()
	os.Remove(g.file("armed"))
	g.start()
	g.truthful(point, id, slices.Contains(g.columns("entries"), version))
}

// deployLost deploys a version and returns the id of the operation, in which the
// edge is expected to die.
func (g *guests) deployLost(version string) (id string) {
	g.t.Helper()
	id, _ = g.operate(func(ctx context.Context, c *admin.Client, show tell) error {
		_, err := c.Deploy(ctx, g.App, switcher.DeployRequest{Commit: version}, show)
		return err
	})
	return id
}

// truthful waits for the end of a recovery, and checks that nothing is left of
// an operation but what the history says.
func (g *guests) truthful(when, id string, applied bool) {
	g.t.Helper()
	var told []switcher.Record
	g.await(when+": the deploy is told to have ended", func() bool {
		s := g.recorded()
		told = slices.DeleteFunc(s.History, func(r switcher.Record) bool { return r.ID != id })
		return s.Operation == nil && len(told) > 0
	})
	g.await(when+": nothing goes on", func() bool { st, err := g.ask(); return err == nil && st.Operation == nil })
	if says := strings.Contains(told[0].Result, "were applied"); len(told) != 1 || told[0].OK || says != applied {
		g.t.Errorf("%s: the history says %+v, applied: %v", when, told, applied)
	}
	if left := g.besides(); left != "" {
		g.t.Errorf("%s: left is %s", when, left)
	}
	if locks := g.value("SELECT count(*)::text FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = current_database()"); locks != "0" {
		g.t.Errorf("%s: %s advisory locks are held", when, locks)
	}
	partial, _ := filepath.Glob(g.file("state/databases/" + g.App + "/backups/*partial*"))
	jobs, _ := filepath.Glob(g.file("state/processes/" + g.App + "/*.end"))
	if len(partial) > 0 || len(jobs) > 0 {
		g.t.Errorf("%s: left are backups %q, jobs %q", when, partial, jobs)
	}
	if failed := g.writers().stop().failed; len(failed) > 0 {
		g.t.Errorf("%s: %q", when, failed[0])
	}
}

// killWhileMigrating deploys a version that sleeps in its migration, and kills
// the edge while it does so in a database of that name, as LIKE has it.
func (g *guests) killWhileMigrating(version, in string) (id string) {
	g.t.Helper()
	lost := make(chan string, 1)
	go func() { lost <- g.deployLost(version) }()
	g.await("the migration sleeps in "+in, func() bool {
		return g.value("SELECT count(*)::text FROM pg_stat_activity WHERE datname LIKE $1 AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()", in) != "0"
	})
	g.kill()
	return <-lost
}

// A migration that runs when the edge is killed is removed with its copy in a
// rehearsal, and waited for in the live database.
func TestAMigrationThatRunsWhenTheEdgeIsKilledIsToldToItsEnd(t *testing.T) {
	t.Parallel()
	e, g := newContainerGuests(t, "", "base", "slow")
	e.start()
	e.must("deploy", "base")

	id := g.killWhileMigrating("slow", "bluegreen%scratch%")
	e.start()
	g.truthful("killed in the rehearsal", id, false)
	if slices.Contains(g.columns("entries"), "mood") {
		t.Error("the rehearsal has reached the live database")
	}

	id = g.killWhileMigrating("slow", g.db.Name)
	e.start()
	g.truthful("killed in the live migration", id, true)
	if !slices.Contains(g.columns("entries"), "mood") {
		t.Error("the migration did not come to its end")
	}
	if left := len(e.inspect()); left != 1 {
		t.Errorf("%d containers are there, want that of base alone", left)
	}
	wantAll(t, e.must("deploy", "slow").stdout, "no new migrations: no backup, no rehearsal")
}

// When the machine goes down, nobody is left who knows how a migration ended: the
// database tells.
func TestAMigrationThatDiesWithTheEdgeIsToldByWhatItHasApplied(t *testing.T) {
	t.Parallel()
	g := newProcessGuests(t, pgtest.Start(t).Database(t), "")
	g.start()
	g.must("deploy", "base")
	id := g.killWhileMigrating("slow", g.db.Name)
	for job, pid := range running(g.dir) {
		group, err := syscall.Getpgid(pid)
		if err == nil && strings.Contains(job, id) {
			err = syscall.Kill(-group, syscall.SIGKILL)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	g.start()
	g.truthful("killed with its job", id, false)
	history := g.must("history").stdout
	wantAll(t, history, "came to their end is not known", "public.entries.mood")
	wantAll(t, g.must("deploy", "slow").stdout, "applied in")
}
