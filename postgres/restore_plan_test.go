package postgres

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// refuses checks that a restore is refused with exit code 3, for a reason, and
// that nothing was done.
func (r *ruin) refuses(request switcher.DatabaseRequest, why string) {
	r.t.Helper()
	before := r.ask("SELECT oid FROM pg_database WHERE datname = current_database()")
	_, err := r.db.restore(r.t.Context(), r.lent.work(request))
	if err == nil || switcher.CodeOf(err) != switcher.CodeRefused || !strings.Contains(err.Error(), why) {
		r.t.Errorf("got %v, want a refusal for %q", err, why)
	}
	if after := r.ask("SELECT oid FROM pg_database WHERE datname = current_database()"); after != before || r.databases() != r.Name {
		r.t.Errorf("something was done: %s", r.databases())
	}
}

func TestWithoutTheNumberOfItsPlanNothingIsRestored(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	id := r.unverified()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('late')")
	plan := r.plan()
	n, wrong, unknown := plan.Lost, plan.Lost+1, switcher.LostUnknown
	r.refuses(switcher.DatabaseRequest{}, "confirmed")
	r.refuses(switcher.DatabaseRequest{Backup: id}, "confirmed")
	r.refuses(switcher.DatabaseRequest{Lost: &n}, "confirmed")
	r.refuses(switcher.DatabaseRequest{Plan: plan.ID}, "confirmed")
	r.refuses(switcher.DatabaseRequest{Plan: "other", Lost: &n}, "not known")
	r.refuses(switcher.DatabaseRequest{Plan: plan.ID, Lost: &wrong}, "not the plan's")
	r.refuses(switcher.DatabaseRequest{Plan: plan.ID, Lost: &n}, "used up") // also by a wrong number: nobody gets to try
	for _, lost := range []*int64{&unknown, nil} {
		r.refuses(switcher.DatabaseRequest{Plan: r.plan().ID, Lost: lost}, "nothing was done")
	}
	r.refuses(switcher.DatabaseRequest{Plan: r.plan().ID, Lost: &n, Backup: "20200101T000000Z"}, "is about backup")

	late := r.plan()
	for i := range r.db.restores.told {
		r.db.restores.told[i].Until = late.At
	}
	r.refuses(switcher.DatabaseRequest{Plan: late.ID, Lost: &n}, "older than 10m0s")
}

func TestMuchMoreThanThePlanSaidAsksForANewOne(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	r.unverified()
	plan := r.plan()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 10100)")
	r.refuses(switcher.DatabaseRequest{Plan: plan.ID, Lost: &plan.Lost}, "10100 written rows would be lost now, and the plan said 0")
	if said := r.mustRestore(); !strings.Contains(said, "10100 written rows lost, 10100 had been told") {
		t.Errorf("it said %s", said)
	}
}

func TestTheNewestVerifiedBackupIsRestoredAndDamagedOnesAreRefused(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	first := r.unverified()
	if plan := r.plan(); plan.Backup != first || plan.Verified || !strings.Contains(strings.Join(plan.Warnings, "\n"), "never restored") {
		t.Errorf("of an unverified one: %+v", plan)
	}
	r.verify(first)
	second := r.unverified()
	if plan := r.plan(); plan.Backup != first || !plan.Verified || plan.Expected == 0 || !strings.Contains(strings.Join(plan.Warnings, "\n"), second) {
		t.Errorf("with a newer one that is not verified: %+v", plan)
	}
	found, err := filepath.Glob(r.db.backups.Folder(second) + "/data/*.dat.gz")
	if err != nil || len(found) == 0 {
		t.Fatal("no data files", err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	for what, damaged := range map[string][]byte{"truncated": text[:len(text)-5], "changed": append(append([]byte{}, text[:len(text)-5]...), 1, 2, 3, 4, 5)} {
		if err := os.WriteFile(found[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.db.PlanRestore(t.Context(), switcher.DatabaseRequest{Backup: second})
		if switcher.CodeOf(err) != switcher.CodeRefused || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = r.db.PlanRestore(t.Context(), switcher.DatabaseRequest{Backup: "20200101T000000Z"})
	if switcher.CodeOf(err) != switcher.CodeUsage {
		t.Errorf("of an unknown one: %v", err)
	}
}

func TestWhatWouldStopARestoreIsToldBeforeItBeginsWithTheRemedy(t *testing.T) {
	c := pgtest.StartOwn(t, "max_prepared_transactions=5", "wal_level=logical")
	r := newRuin(t, c)
	r.unverified()
	obstacle := func(what, remedy string) {
		t.Helper()
		plan := r.plan()
		if len(plan.Obstacles) != 1 || !strings.Contains(plan.Obstacles[0].What, what) || !strings.Contains(plan.Obstacles[0].Remedy, remedy) {
			t.Errorf("obstacles %+v, want one of %q with %q", plan.Obstacles, what, remedy)
		}
		r.refuses(switcher.DatabaseRequest{Plan: plan.ID, Lost: &plan.Lost}, what)
	}
	if plan := r.plan(); len(plan.Obstacles) != 0 {
		t.Fatalf("obstacles where there are none: %+v", plan.Obstacles)
	}

	pgtest.Exec(t, c.Superuser, "REVOKE "+r.App+" FROM "+r.Owner)
	obstacle("may not end sessions of "+r.App, "GRANT pg_signal_backend TO")
	pgtest.Exec(t, c.Superuser, "GRANT pg_signal_backend TO "+r.Owner)

	pgtest.Exec(t, c.Superuser, "ALTER ROLE "+r.Owner+" NOCREATEDB")
	obstacle("neither create nor rename", "CREATEDB")
	pgtest.Exec(t, c.Superuser, "ALTER ROLE "+r.Owner+" CREATEDB")

	pgtest.Exec(t, r.OwnerURL, "BEGIN; INSERT INTO entries (text) VALUES ('x'); PREPARE TRANSACTION 'pending'")
	obstacle("'pending'", "ROLLBACK PREPARED")
	pgtest.Exec(t, r.OwnerURL, "ROLLBACK PREPARED 'pending'")

	pgtest.Exec(t, r.SuperuserURL, "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
	obstacle("feed", "pg_drop_replication_slot")
	pgtest.Exec(t, r.SuperuserURL, "SELECT pg_drop_replication_slot('feed')")

	pgtest.Exec(t, r.SuperuserURL, "CREATE SUBSCRIPTION inflow CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE); ALTER SUBSCRIPTION inflow SET (slot_name = 'x'); ALTER SUBSCRIPTION inflow ENABLE")
	obstacle("inflow", "DISABLE")
	pgtest.Exec(t, r.SuperuserURL, "ALTER SUBSCRIPTION inflow DISABLE; ALTER SUBSCRIPTION inflow SET (slot_name = NONE); DROP SUBSCRIPTION inflow")

	pgtest.Exec(t, r.SuperuserURL, "ALTER DATABASE "+r.Name+" SET log_min_duration_statement = '1s'")
	obstacle("log_min_duration_statement", "superuser")
	pgtest.Exec(t, r.SuperuserURL, "ALTER DATABASE "+r.Name+" RESET ALL")

	pgtest.Exec(t, r.SuperuserURL, "CREATE SEQUENCE hidden; REVOKE ALL ON SEQUENCE hidden FROM PUBLIC")
	obstacle("public.hidden", "GRANT SELECT ON SEQUENCE")
	pgtest.Exec(t, r.SuperuserURL, "DROP SEQUENCE hidden")
	if plan := r.plan(); len(plan.Obstacles) != 0 {
		t.Fatalf("obstacles that were removed: %+v", plan.Obstacles)
	}
}

// The counters of a server that has crashed begin anew: rows are counted then,
// and what cannot be counted is said not to be known.
func TestAfterACrashOfTheServerRowsAreCounted(t *testing.T) {
	c := pgtest.StartOwn(t)
	r := newRuin(t, c)
	r.unverified()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 20)", "DELETE FROM orders WHERE id <= 3")
	pgtest.Exec(t, c.Superuser, "CHECKPOINT") // commits of a test cluster are not synchronous
	c.Crash(t)
	c.Restart(t)
	plan := r.plan()
	if plan.Lost != 23 || plan.CountedBy != byRows {
		t.Errorf("the plan says %+v", plan)
	}
	pgtest.Exec(t, r.OwnerURL, "DROP TABLE orders")
	plan = r.plan()
	if plan.Lost != switcher.LostUnknown || !strings.Contains(plan.Unknown, "crash") || !strings.Contains(plan.Unknown, "public.orders is gone") {
		t.Errorf("with a table gone: %+v", plan)
	}
	said, err := r.restore(plan)
	if err != nil || !strings.Contains(said, "an unknown number") {
		t.Errorf("%s, %v", said, err)
	}
}

func TestCountersThatWereResetAreNotTrusted(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	r.unverified()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 20)")
	pgtest.Exec(t, r.SuperuserURL, "SELECT pg_stat_reset()")
	if plan := r.plan(); plan.Lost != 20 || plan.CountedBy != byRows {
		t.Errorf("the plan says %+v", plan)
	}
}

func TestADatabaseThatIsGoneComesBack(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	pgtest.Exec(t, r.OwnerURL, "ALTER DATABASE "+r.Name+" SET timezone TO 'Europe/Madrid'")
	r.unverified()
	pgtest.Exec(t, r.Cluster.Superuser, "DROP DATABASE "+r.Name+" WITH (FORCE)")
	plan := r.plan()
	if plan.Lost != switcher.LostUnknown || plan.KeptAs != "" {
		t.Errorf("the plan says %+v", plan)
	}
	if _, err := r.restore(plan); err != nil {
		t.Fatal(err)
	}
	if got := r.ask("SELECT count(*)||current_setting('timezone') FROM entries"); got != "100Europe/Madrid" || r.databases() != r.Name {
		t.Errorf("came back: %s, %s", got, r.databases())
	}
}

// Somebody has stopped all writes by a setting of the database. It comes over
// like any other, and is in nobody's way.
func TestADatabaseThatIsReadOnlyIsRestoredAndStaysSo(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	r.unverified()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('late')")
	pgtest.Exec(t, r.OwnerURL, "ALTER DATABASE "+r.Name+" SET default_transaction_read_only TO on")
	plan := r.plan()
	if !strings.Contains(strings.Join(plan.Warnings, "\n"), "read-only by a setting") {
		t.Errorf("warnings %q", plan.Warnings)
	}
	if _, err := r.restore(plan); err != nil {
		t.Fatal(err)
	}
	if got := r.ask("SELECT last_value||' '||current_setting('transaction_read_only') FROM entries_id_seq"); got != "101 on" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestSequencesAreRaisedPastWhatWasGivenOut(t *testing.T) {
	at := func(n int64) *int64 { return &n }
	up := func(last *int64) sequence { return sequence{Name: "s", Increment: 1, Min: 1, Max: 1 << 31, Last: last} }
	down := func(last *int64) sequence {
		return sequence{Name: "s", Increment: -2, Min: -1 << 31, Max: -1, Last: last}
	}
	for name, test := range map[string]struct {
		failed   *sequence
		restored sequence
		inserted int64
		want     string
	}{
		"further":                {ptr(up(at(9))), up(at(5)), 0, "9"},
		"not further":            {ptr(up(at(5))), up(at(9)), 0, "-"},
		"never used":             {ptr(up(nil)), up(nil), 0, "-"},
		"used since":             {ptr(up(at(3))), up(nil), 0, "3"},
		"down":                   {ptr(down(at(-9))), down(at(-5)), 0, "-9"},
		"down not":               {ptr(down(at(-5))), down(at(-9)), 0, "-"},
		"gone":                   {nil, up(at(100)), 36, "1460"},
		"gone and unused":        {nil, up(nil), 0, "1000"},
		"gone, down":             {nil, down(at(-101)), 10, "-2301"},
		"gone, and near its end": {nil, sequence{Name: "s", Increment: 1, Min: 1, Max: 1000, Last: at(900)}, 500, "910"},
		"smaller type":           {ptr(up(at(1 << 30))), sequence{Name: "s", Increment: 1, Min: 1, Max: 32767, Last: at(5)}, 0, "32767"},
		"cycle":                  {ptr(sequence{Increment: 1, Min: 1, Max: 10, Cycle: true, Last: at(2)}), sequence{Increment: 1, Min: 1, Max: 10, Cycle: true, Last: at(8)}, 0, "2"},
	} {
		failed := map[string]sequence{}
		if test.failed != nil {
			failed["s"] = *test.failed
		}
		to, unseen := raise(failed, map[string]sequence{"s": test.restored}, test.inserted)
		got := "-"
		if len(to) == 1 {
			got = strconv.FormatInt(to[0].to, 10)
		}
		if got != test.want || (len(unseen) == 1) != (test.failed == nil) {
			t.Errorf("%s: raised to %s, want %s (%v)", name, got, test.want, unseen)
		}
	}
}

func ptr(s sequence) *sequence { return &s }

func TestSettingsGrantsAndIDsAreThoseOfTheReplacedDatabase(t *testing.T) {
	c := pgtest.Start(t)
	r := newRuin(t, c)
	other := r.Owner + `"x`
	pgtest.Exec(t, c.Superuser, "CREATE ROLE "+quote(other), "GRANT "+quote(other)+" TO "+r.Owner)
	t.Cleanup(func() { // the kept database has grants of it too
		kept := ask(t, c.Superuser, "SELECT coalesce((SELECT datname FROM pg_database WHERE datname ~ $1), '')", "^"+r.Name+"_failed_")
		pgtest.Exec(t, c.Superuser, "DROP DATABASE "+quote(kept), "REVOKE ALL ON DATABASE "+r.Name+" FROM "+quote(other), "DROP ROLE "+quote(other))
	})
	r.unverified()
	pgtest.Exec(t, r.OwnerURL,
		"ALTER DATABASE "+r.Name+` SET search_path TO "$user", public, "Odd, one"`,
		"ALTER DATABASE "+r.Name+" SET statement_timeout TO '7s'", "ALTER DATABASE "+r.Name+` SET application_name TO 'it''s \ 100 %'`,
		"REVOKE ALL ON DATABASE "+r.Name+" FROM PUBLIC", "GRANT CONNECT ON DATABASE "+r.Name+" TO "+r.App+" WITH GRANT OPTION",
		"GRANT TEMPORARY, CREATE ON DATABASE "+r.Name+" TO "+quote(other),
		"ALTER DATABASE "+r.Name+" CONNECTION LIMIT 77", "COMMENT ON DATABASE "+r.Name+` IS 'what''s \ in it'`)
	pgtest.Exec(t, r.SuperuserURL, "ALTER ROLE "+r.Owner+" IN DATABASE "+r.Name+" SET work_mem TO '5MB'")
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 36)", "INSERT INTO orders (entry) SELECT 1 FROM generate_series(1, 5)")
	pgtest.Exec(t, r.OwnerURL, "SELECT nextval('tickets') FROM generate_series(1, 3)", "DROP TABLE entries CASCADE")
	describe := func() string {
		return r.ask(`SELECT concat_ws(' | ', pg_get_userbyid(d.datdba), d.datconnlimit, d.datallowconn, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
			shobj_description(d.oid, 'pg_database'),
			(SELECT string_agg(concat(r.rolname, ' ', c), ',' ORDER BY r.rolname, c) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c WHERE s.setdatabase = d.oid),
			(SELECT string_agg(concat_ws(' ', a.grantee, a.privilege_type, a.is_grantable), ',' ORDER BY 1) FROM aclexplode(d.datacl) a))
			FROM pg_database d WHERE d.datname = current_database()`)
	}
	before := describe()
	r.mustRestore()
	if after := describe(); after != before {
		t.Errorf("after the restore\n%s\nbefore\n%s", after, before)
	}
	for sequence, want := range map[string]string{"public.orders_id_seq": "105", "public.tickets": "-15", "public.entries_id_seq": "1460"} {
		if got := r.ask("SELECT last_value FROM " + sequence); got != want {
			t.Errorf("%s stands at %s, want %s", sequence, got, want)
		}
	}
	if !r.lent.said("where public.entries_id_seq stood is gone with the tables") {
		t.Error("nobody was told that a sequence was raised blindly")
	}
}

// The newest replaced databases are kept, as many as was said, and can be looked
// into.
func TestReplacedDatabasesAreKeptReadOnlyAndOldOnesGo(t *testing.T) {
	c := pgtest.Start(t)
	r := newRuin(t, c)
	r.unverified()
	r.mustRestore()
	kept := func() (name string) {
		return ask(t, c.Superuser, "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname ~ $1", "^"+r.Name+"_failed_")
	}
	first := kept()
	config, err := pgx.ParseConfig(r.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	config.Database = first
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM entries").Scan(&n); err != nil || n != 100 {
		t.Errorf("%d rows in the kept one, %v", n, err)
	}
	if _, err := conn.Exec(t.Context(), "DELETE FROM orders"); state(err) != readOnly {
		t.Errorf("writing into it: %v", err)
	}
	_ = conn.Close(t.Context())
	for kept() == first { // their names are of a second
		plan := r.plan()
		if plan.KeptAs == first {
			continue
		}
		if len(plan.Dropped) != 1 || plan.Dropped[0] != first {
			t.Errorf("the plan removes %v, want %s", plan.Dropped, first)
		}
		if _, err := r.restore(plan); err != nil {
			t.Fatal(err)
		}
	}
	if now := kept(); strings.Contains(now, " ") || now == first {
		t.Errorf("kept are %s, the first was %s", now, first)
	}
}

// A command that makes and restores backups of its own gets an empty database to
// restore into, and the rest is the same.
func TestACommandRestoresIntoADatabaseBesideTheLiveOne(t *testing.T) {
	dump := filepath.Join(t.TempDir(), "dump")
	c := pgtest.Start(t)
	r := newRuin(t, c, func(o *Options) {
		o.Backup.Command = []string{"sh", "-c", "pg_dump -Fc -f " + dump}
		o.Restore.Command = []string{"sh", "-c", `pg_restore -d "$BLUEGREEN_TARGET_DATABASE" ` + dump}
	})
	r.unverified()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 5)")
	plan := r.plan()
	if plan.Lost != 5 || len(plan.Command) == 0 {
		t.Errorf("the plan says %+v", plan)
	}
	if _, err := r.restore(plan); err != nil {
		t.Fatal(err)
	}
	if got := r.ask("SELECT count(*) FROM entries"); got != "100" {
		t.Errorf("%s rows", got)
	}
}
