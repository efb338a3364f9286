package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// wantAll checks that a text says each of these.
func wantAll(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestACompatibleMigrationIsDeployedAndSwitchedWithoutAFailedRequest(t *testing.T) {
	t.Parallel()
	e, g := newContainerGuests(t, "", "base", "expand")
	e.start()
	e.must("deploy", "base")
	w := g.writers()

	r := e.must("deploy", "expand")
	g.discreet(r.stdout, r.stderr)
	wantAll(t, r.stdout, "preflight", "snapshot", "backup", "rehearsal", "applying mood", "on blue answers on the new schema")
	if got := g.columns("entries"); !slices.Contains(got, "mood") {
		t.Errorf("columns %q", got)
	}
	e.must("switch")
	g.await("the new version writes", func() bool { return w.so().by["expand"] > 20 })
	e.must("rollback", "--reason", "a typo")
	before := w.so().by["base"]
	g.await("the old version writes on the new schema", func() bool { return w.so().by["base"] > before+20 })

	backups := g.backups()
	again := e.must("deploy", "expand")
	wantAll(t, again.stdout, "no new migrations: no backup, no rehearsal")
	if now := g.backups(); !slices.Equal(now, backups) {
		t.Errorf("backups %q, then %q", backups, now)
	}
	e.must("switch")
	e.must("confirm")
	g.contract(w)

	v := w.stop()
	t.Logf("%d entries written, by %v, the slowest in %s", v.ok, v.by, v.longest)
	if len(v.failed) > 0 || v.by["expand"] == 0 {
		t.Errorf("%d failed, the first with %q", len(v.failed), v.failed[:min(3, len(v.failed))])
	}
	if rows := g.value("SELECT count(*)::text FROM entries WHERE message LIKE 'writer %'"); rows != fmt.Sprint(v.ok) {
		t.Errorf("%d writes were answered, %s rows are there", v.ok, rows)
	}
	if left := g.besides(); left != "" {
		t.Errorf("left: %s", left)
	}
}

var offered = regexp.MustCompile(`--allow '?([^' ]+)'?`)

// contract takes away what only base needs, which somebody has to accept, and
// which ends the way back to it.
func (g *guests) contract(w *writers) {
	g.t.Helper()
	if st := g.status(); !st.Rollback.Ready {
		g.t.Errorf("before a contract: rollback %+v", st.Rollback)
	}
	refused := g.fails(3, []string{"public.entries.legacy"}, "db", "contract")
	found := offered.FindStringSubmatch(refused.stderr)
	if found == nil {
		g.t.Fatalf("nothing is offered to be accepted:\n%s", refused.stderr)
	}
	g.must("db", "contract", "--allow", found[1], "--reason", "written by nobody")
	if got := g.columns("entries"); slices.Contains(got, "legacy") {
		g.t.Errorf("columns %q", got)
	}
	before := w.so().by["expand"]
	g.await("the new version writes on", func() bool { return w.so().by["expand"] > before+20 })
	g.fails(3, []string{"public.entries.legacy"}, "rollback")
	if st := g.status(); st.Rollback.Ready || !strings.Contains(st.Rollback.Reason, "legacy") {
		g.t.Errorf("after a contract: rollback %+v", st.Rollback)
	}
}

func TestAnIncompatibleMigrationIsRefusedAndNothingLiveHasChanged(t *testing.T) {
	t.Parallel()
	e, g := newContainerGuests(t, "", "base", "drop")
	pgtest.Exec(t, g.db.OwnerURL, "INSERT INTO entries (author, message, legacy) SELECT 'a', n, 'x' FROM generate_series(1, 500) n")
	e.start()
	e.must("deploy", "base")
	before := g.digest()
	r := e.fails(3, []string{"public.entries.legacy", "column"}, "deploy", "drop")
	if after := g.digest(); after != before {
		t.Error("the live database has changed")
	}
	g.discreet(r.stdout, r.stderr)
	t.Logf("refused with:\n%s", r.stderr)
	if st := e.status(); st.Phase != switcher.PhaseSteady || st.Active != switcher.Blue {
		t.Errorf("status %+v", st.Status)
	}
	if left := g.besides(); left != "" {
		t.Errorf("left: %s", left)
	}
	e.asRecorded("after a refusal")
}

func TestAMigrationThatFailsHalfWayTellsWhatWasApplied(t *testing.T) {
	t.Parallel()
	e, g := newContainerGuests(t, "", "base", "half")
	e.start()
	e.must("deploy", "base")
	w := g.writers()
	r := e.fails(1, []string{"public.entries.note", "this works in a rehearsal only"}, "deploy", "half")
	t.Logf("told:\n%s", r.stderr)
	g.discreet(r.stdout, r.stderr)
	if got := g.columns("entries"); !slices.Contains(got, "note") {
		t.Errorf("columns %q", got)
	}
	if v := w.stop(); len(v.failed) > 0 {
		t.Errorf("%d failed, the first with %q", len(v.failed), v.failed[0])
	}
	if st := e.status(); st.Phase != switcher.PhaseSteady || st.Active != switcher.Blue {
		t.Errorf("status %+v", st.Status)
	}
}

// Whatever waits for a lock makes everybody else wait who comes after it.
func TestAMigrationBehindALongTransactionNeverBlocksTheAppForLongerThanItsLockTimeout(t *testing.T) {
	t.Parallel()
	e, g := newContainerGuests(t, "      lock_timeout: 400ms\n      lock_retries: 2\n", "base", "n1")
	e.start()
	e.must("deploy", "base")
	long := pgtest.Connect(t, g.db.SuperuserURL)
	if _, err := long.Exec(t.Context(), "BEGIN; SELECT count(*) FROM entries"); err != nil {
		t.Fatal(err)
	}
	w := g.writers()
	quiet := w.so().longest
	r := e.cli("deploy", "n1")
	v := w.so()
	if r.code == 0 || slices.Contains(g.columns("entries"), "n1") {
		t.Fatalf("exit %d: the migration was not in the way\n%s", r.code, r.stdout)
	}
	wantAll(t, r.stdout+r.stderr, "lock")
	t.Logf("exit %d, %d writes, the slowest in %s; %s before\n%s", r.code, v.ok, v.longest, quiet, r.stderr)
	if v.longest > 10*400*time.Millisecond {
		t.Errorf("a request took %s", v.longest)
	}
	if _, err := long.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	e.must("deploy", "n1")
	if v := w.stop(); len(v.failed) > 0 {
		t.Errorf("%d failed, the first with %q", len(v.failed), v.failed[0])
	}
	if !slices.Contains(g.columns("entries"), "n1") {
		t.Error("the migration was not applied once the way was free")
	}
}
