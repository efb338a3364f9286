package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// plan asks what a restore would lose. Asking does nothing, and says so.
func (g *guests) plan() (plan switcher.RestorePlan) {
	g.t.Helper()
	r := g.fails(3, []string{"nothing was done", "--confirm-lost"}, "db", "restore", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &plan); err != nil {
		g.t.Fatalf("%v in %s", err, r.stdout)
	}
	return plan
}

// kept returns a number from the database that a restore has replaced.
func (g *guests) kept(query string) (n int64) {
	g.t.Helper()
	config, err := pgx.ParseConfig(g.db.SuperuserURL)
	if err != nil {
		g.t.Fatal(err)
	}
	config.Database = g.value("SELECT max(datname)::text FROM pg_database WHERE datname LIKE $1", g.db.Name+"\\_failed\\_%")
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		g.t.Fatal(err)
	}
	return n
}

func (g *guests) number(query string, arguments ...any) int64 {
	g.t.Helper()
	n, err := strconv.ParseInt(g.value(query, arguments...), 10, 64)
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// A table is dropped while people write. What comes back is what the backup had,
// what is lost was told, and only the swap is felt.
func TestALostTableComesBackUnderTraffic(t *testing.T) {
	t.Parallel()
	g := newProcessGuests(t, pgtest.Start(t).Database(t), "")
	pgtest.Exec(t, g.db.SuperuserURL, "GRANT pg_signal_backend TO "+g.db.Owner)
	pgtest.Exec(t, g.db.OwnerURL, "INSERT INTO settings SELECT n, 'x' FROM generate_series(1, 1000) n")
	g.start()
	g.must("deploy", "base")
	w := g.writers()
	wrote := func(more int) {
		t.Helper()
		n := w.so().ok
		g.await("entries are written", func() bool { return w.so().ok >= n+more })
	}
	wrote(50)
	g.must("db", "backup")
	wrote(200)
	pgtest.Exec(t, g.db.OwnerURL, "DROP TABLE settings")
	wrote(20)

	plan := g.plan()
	g.fails(3, []string{"not the plan's", "nothing was done"}, "db", "restore", "--plan", plan.ID, "--confirm-lost", fmt.Sprint(plan.Lost+1))
	plan = g.plan()
	before := w.so()
	began := time.Now()
	r := g.must("db", "restore", "--plan", plan.ID, "--confirm-lost", fmt.Sprint(plan.Lost))
	took := time.Since(began)
	g.discreet(r.stdout, r.stderr)
	wantAll(t, r.stdout, "is the database now", "DROP DATABASE", "base (r1) can live with the restored schema")
	after := w.so()
	wrote(100)
	sum := w.stop()

	if n := g.number("SELECT count(*)::text FROM settings"); n != 1000 {
		t.Errorf("%d rows of the table that was dropped", n)
	}
	last := g.kept("SELECT max(id) FROM entries")
	lost := g.kept("SELECT count(*) FROM entries") - g.number("SELECT count(*)::text FROM entries WHERE id <= $1", last)
	t.Logf("restored in %v; %d rows lost, %d were told; of %d requests %d failed, the slowest took %v\n%s",
		took.Round(time.Millisecond), lost, plan.Lost, sum.ok+len(sum.failed), len(sum.failed), sum.longest.Round(time.Millisecond), r.stdout)
	// Sessions report what they have written a little later, at the backup as well.
	recorded := regexp.MustCompile(`(\d+) written rows lost, (\d+) had been told`).FindStringSubmatch(g.cli("history").stdout)
	if recorded == nil || recorded[2] != fmt.Sprint(plan.Lost) {
		t.Fatalf("the history says\n%s", g.cli("history").stdout)
	}
	counted, _ := strconv.ParseInt(recorded[1], 10, 64)
	if held := g.number("SELECT count(*)::text FROM entries WHERE written <= $1", plan.At); counted < lost || counted > lost+held || plan.Lost < 150 {
		t.Errorf("the plan told of %d rows, the history of %d, and %d were lost", plan.Lost, counted, lost)
	}
	// The app's pool has six connections, each of which is found to be dead once.
	if len(before.failed) > 0 || len(after.failed) > 6+scribes || len(sum.failed) > len(after.failed)+6 {
		t.Errorf("requests failed: %d before, %d until the end of the restore, %d in all: %q", len(before.failed), len(after.failed), len(sum.failed), sum.failed)
	}
	if again := g.number("SELECT count(*)::text FROM entries WHERE id > (SELECT max(id) FROM entries WHERE written <= $1) AND id <= $2", plan.At, last); again > 0 {
		t.Errorf("%d ids were given out twice", again)
	}
	if answered, there := int64(sum.ok), g.kept("SELECT count(*) FROM entries")+g.number("SELECT count(*)::text FROM entries WHERE id > $1", last); there < answered || there > answered+int64(len(sum.failed)) {
		t.Errorf("%d writes were answered, %d rows are in one of both databases", answered, there)
	}
}

// The edge is killed while its app has no database of that name. The next start
// gives it one before anything else is asked.
func TestAnEdgeThatIsKilledInTheSwapOfARestoreEndsItAtItsNextStart(t *testing.T) {
	t.Parallel()
	g := newProcessGuests(t, pgtest.Start(t).Database(t), "")
	g.Interval = "50ms"
	g.env = append(g.env, envFailFile+"="+g.file("armed"))
	g.configure()
	pgtest.Exec(t, g.db.SuperuserURL, "GRANT pg_signal_backend TO "+g.db.Owner)
	g.start()
	g.must("deploy", "base")
	g.must("db", "backup")
	g.writers().stop()
	plan := g.plan()
	g.write("armed", "restore/away")
	id, _ := g.operate(func(ctx context.Context, c *admin.Client, show tell) error {
		_, err := c.Database(ctx, g.App, switcher.KindRestore, switcher.DatabaseRequest{Plan: plan.ID, Lost: &plan.Lost}, show)
		return err
	})
	g.dead()
	if err := pgtest.TryExec(g.db.AppURL, "SELECT 1"); err == nil {
		t.Fatal("the app has its database: nothing was interrupted")
	}
	os.Remove(g.file("armed"))
	g.start()
	var told switcher.Record
	g.await("the restore is told to have ended", func() bool {
		for _, r := range g.recorded().History {
			if r.ID == id {
				told = r
			}
		}
		return told.ID != "" && g.recorded().Operation == nil
	})
	if !strings.Contains(told.Result, "is complete") || !strings.Contains(told.Result, plan.KeptAs) {
		t.Errorf("the history says %+v", told)
	}
	if n := g.number("SELECT count(*)::text FROM entries"); n != 0 {
		t.Errorf("%d entries in the restored database, whose backup had none", n)
	}
	if failed := g.writers().stop().failed; len(failed) > 1+scribes {
		t.Errorf("after the start: %q", failed)
	}
	if left := g.besides(); left != plan.KeptAs {
		t.Errorf("left: %s", left)
	}
}
