package postgres

import (
	"slices"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

const users = "CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL)"

func TestMigrationsAreRehearsedAppliedComparedAndRecorded(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.AppURL, "INSERT INTO users (email) SELECT 'a' || n FROM generate_series(1, 1000) n")

	second := l.release(users, "ALTER TABLE users ADD COLUMN name text")
	l.deploy(second, first)
	t.Logf("\n%s", l.teller)
	if want := []string{"preflight", "snapshot", "pending", "backup", "rehearsal", "verdict", "migrate", "verify"}; !slices.Equal(l.teller.steps, want) {
		t.Errorf("steps %v, want %v", l.teller.steps, want)
	}
	if want := []string{"backup", "rehearsal", "migrate", "verify", "record"}; !slices.Equal(l.teller.marks, want) {
		t.Errorf("marks %v, want %v", l.teller.marks, want)
	}
	if slices.ContainsFunc(l.teller.progress, func(text string) bool { return strings.Contains(text, "read-only") }) {
		t.Errorf("the look for something to do is shown as a failure: %q", l.teller.progress)
	}
	if !strings.Contains(l.schema(), "name text") {
		t.Error("the live database was not migrated")
	}
	newest, err := l.d.backups.Latest()
	if err != nil || newest == nil || newest.Verified == nil || newest.Reason != "deploy" || newest.Release != second.ID {
		t.Errorf("the backup was not proved by the rehearsal: %+v %v", newest, err)
	}
	for _, r := range []*switcher.Release{first, second} {
		if fit, err := l.d.Fit(t.Context(), r.ID); err != nil || fit.Verdict() != switcher.SchemaPass && fit.Verdict() != switcher.SchemaWarn {
			t.Errorf("%s: %+v %v", r, fit, err)
		}
	}
	l.clean()
}

func TestADeployWithoutNewMigrationsMakesNoBackupAndNoRehearsal(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	made, _ := l.d.backups.List()
	second := l.release(users)
	l.deploy(second, first)
	if !l.teller.has("no new migrations: no backup, no rehearsal") || !slices.Equal(l.teller.steps, []string{"preflight", "snapshot", "pending"}) {
		t.Errorf("%v\n%s", l.teller.steps, l.teller)
	}
	if now, _ := l.d.backups.List(); len(now) != len(made) {
		t.Error("a backup was made")
	}
	if need, err := l.d.files.need(second.ID); need == nil || err != nil {
		t.Errorf("what it needs was not recorded: %v", err)
	}
	l.clean()
}

func TestWhatTheRunningReleaseCannotLiveWithIsRefusedBeforeAnythingChanges(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	before := l.schema()
	second := l.release(users, "ALTER TABLE users DROP COLUMN email")
	err := l.d.Migrate(t.Context(), l.work(second, first))
	says(t, err, switcher.CodeRefused, "public.users.email", "column_dropped", "--allow")
	if l.schema() != before {
		t.Error("the live database was changed")
	}
	l.clean()

	refusal := err.(*switcher.Error)
	accept := func(id string) error {
		w := l.work(second, first)
		w.Request.Allow, w.Request.Reason = []string{id}, "nobody reads it"
		return l.d.Migrate(t.Context(), w)
	}
	for _, f := range refusal.Findings {
		if !f.Stops() {
			continue
		}
		says(t, accept(f.ID("other")), switcher.CodeRefused, "there is nothing to accept")
		if err := accept(f.ID(refusal.Plan)); err != nil {
			t.Fatalf("%v\n%s", err, l.teller)
		}
		break
	}
	if strings.Contains(l.schema(), "email") {
		t.Error("what was accepted was not done")
	}
	// The release that was said to live with it may be gone back to.
	if fit, err := l.d.Fit(t.Context(), first.ID); err != nil || len(fit.Findings) == 0 || slices.ContainsFunc(fit.Findings, switcher.SchemaFinding.Stops) {
		t.Errorf("%+v %v", fit, err)
	}
	l.clean()
}

func TestAGateThatWarnsOrIsOffStopsNothing(t *testing.T) {
	for _, mode := range []GateMode{GateWarn, GateOff} {
		l := newLab(t, func(o *Options) { o.Gate.Mode = mode })
		first := l.release(users)
		l.deploy(first, nil)
		l.deploy(l.release(users, "ALTER TABLE users DROP COLUMN email"), first)
		if told := l.teller.has("warn: block column_dropped public.users.email"); told != (mode == GateWarn) {
			t.Errorf("%s: %s", mode, l.teller)
		}
		// Nor does it stop a rollback to the release before.
		want := map[GateMode]switcher.SchemaVerdict{GateWarn: switcher.SchemaData, GateOff: switcher.SchemaPass}[mode]
		if fit, err := l.d.Fit(t.Context(), first.ID); err != nil || fit.Verdict() != want || len(fit.Stopping()) > 0 {
			t.Errorf("%s: %+v %v", mode, fit, err)
		}
	}
}

func TestMigrationsThatFailInTheRehearsalLeaveTheLiveDatabaseAlone(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	before := l.schema()
	err := l.d.Migrate(t.Context(), l.work(l.release(users, "ALTER TABLE users ADD COLUMN a int", "ALTER TABLE nowhere ADD COLUMN a int"), first))
	says(t, err, switcher.CodeFailed, "fail in the rehearsal", "nowhere", "nothing of the live database was changed")
	if l.schema() != before {
		t.Error("the live database was changed")
	}
	l.clean()
}

// onLive is SQL that fails in the live database alone.
func (l *lab) onLive() string {
	return "DO $$ BEGIN IF current_database() = '" + l.db.Name + "' THEN RAISE EXCEPTION 'only here'; END IF; END $$"
}

func TestALiveMigrationThatFailsTellsWhatWasApplied(t *testing.T) {
	for _, test := range []struct {
		name, applied string
		parts         []string
	}{
		{"nothing", "", []string{"nothing of the schema has changed"}},
		{"compatible", "ALTER TABLE users ADD COLUMN a int", []string{"which the release that runs can live with", "public.users.a", "only here"}},
		{"incompatible", "ALTER TABLE users DROP COLUMN email", []string{"which the release that runs cannot live with", "public.users.email", "db down"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, func(o *Options) { o.Gate.Mode = GateWarn })
			first := l.release(users)
			l.deploy(first, nil)
			steps := []string{users}
			if test.applied != "" {
				steps = append(steps, test.applied)
			}
			second := l.release(append(steps, l.onLive())...)
			says(t, l.d.Migrate(t.Context(), l.work(second, first)), switcher.CodeFailed, test.parts...)
			l.clean()
			// What was applied is known: the corrected release goes on from there.
			l.deploy(l.release(steps...), first)
			l.clean()
		})
	}
}

func TestWhatWasChangedByHandStopsADeployUntilItIsAccepted(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.OwnerURL, "ALTER TABLE users ADD COLUMN by_hand int")
	second := l.release(users, "ALTER TABLE users ADD COLUMN a int")
	says(t, l.d.Migrate(t.Context(), l.work(second, first)), switcher.CodeRefused, "by hand", "public.users.by_hand", "db accept")
	text, err := l.d.Do(t.Context(), switcher.KindAccept, l.work(nil, first))
	if err != nil || !strings.Contains(text, "by_hand") {
		t.Fatal(text, err)
	}
	l.deploy(second, first)
	l.clean()
}

func TestPartitionsThatTheAppMakesAreNoChangeByHand(t *testing.T) {
	l := newLab(t)
	measures := "CREATE TABLE measures (taken date NOT NULL, place int NOT NULL) PARTITION BY RANGE (taken)"
	first := l.release(measures)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.OwnerURL,
		"CREATE TABLE measures_2026 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (place)",
		"CREATE TABLE measures_2026_1 PARTITION OF measures_2026 FOR VALUES IN (1)")
	l.deploy(l.release(measures, "ALTER TABLE measures ADD COLUMN value real"), first)
	l.clean()
}

func TestSkippedMigrationsAreNotRun(t *testing.T) {
	l := newLab(t)
	w := l.work(l.release(users), nil)
	w.Request.SkipMigrations = true
	if err := l.d.Migrate(t.Context(), w); err != nil || len(l.jobs.ran) > 0 {
		t.Fatal(err, l.jobs.names())
	}
	if need, err := l.d.files.need("r1"); need == nil || err != nil {
		t.Errorf("what it needs was not recorded: %v", err)
	}
}

func TestMigrationsThatAreNotRepeatableAreRefused(t *testing.T) {
	l := newLab(t)
	l.jobs.before = func(job switcher.Job) {}
	first := l.release(users)
	l.deploy(first, nil)
	second := l.release(users, "DELETE FROM schema_migrations; ALTER TABLE users ADD COLUMN a int")
	err := l.d.Migrate(t.Context(), l.work(second, first))
	says(t, err, switcher.CodeFailed, "run again", "nothing of the live database was changed")
	l.clean()
}

func TestARehearsalOfTheSchemaHasTheRowsOfMigrationBookkeeping(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Rehearsal.Mode = RehearsalSchema })
	first := l.release(users)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.AppURL, "INSERT INTO users (email) VALUES ('a')")
	second := l.release(users, "DO $$ BEGIN IF current_database() ~ 'scratch' AND EXISTS (SELECT FROM users) THEN RAISE 'rows'; END IF; END $$", "ALTER TABLE users ADD COLUMN a int")
	l.deploy(second, first)
	if !l.teller.has("the schema alone") {
		t.Error(l.teller)
	}
	l.clean()
}

func TestWithoutARehearsalWhatMigrationsDoIsToldAfterwards(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Rehearsal.Mode = RehearsalOff })
	first := l.release(users)
	l.deploy(first, nil)
	l.deploy(l.release(users, "ALTER TABLE users DROP COLUMN email"), first)
	if !l.teller.has("warn: no rehearsal") || !l.teller.has("warn: block column_dropped public.users.email") {
		t.Error(l.teller)
	}
	l.clean()
}
