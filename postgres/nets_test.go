package postgres

import (
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

func TestAStatementOfTheAppThatWouldFailIsNamed(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.db.SuperuserURL, "CREATE EXTENSION pg_stat_statements", "GRANT pg_read_all_stats TO "+l.db.Owner)
	first := l.release(users)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.SuperuserURL, "SELECT pg_stat_statements_reset()") // other tests have filled it, and then what is new goes first
	pgtest.Exec(t, l.db.AppURL, "SELECT email FROM users WHERE id = 7", "SELECT count(*) FROM users")
	err := l.d.Migrate(t.Context(), l.work(l.release(users, "ALTER TABLE users DROP COLUMN email"), first))
	says(t, err, switcher.CodeRefused, "statement_fails", "SELECT email FROM users WHERE id =", "42703")
	l.deploy(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first)
	if !l.teller.has("statements of the app were tried on the new schema") {
		t.Error(l.teller)
	}
	l.clean()
}

// A rule is nothing that a table's columns tell.
func TestWhatAppearsInTheDumpAloneIsFoundToo(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	says(t, l.d.Migrate(t.Context(), l.work(l.release(users, "CREATE RULE swallow AS ON INSERT TO users DO INSTEAD NOTHING"), first)), switcher.CodeRefused, "public.users")
	l.clean()
}

func TestALongLockOnALargeTableIsFound(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Gate.LargeTable = 8192 })
	first := l.release(users)
	l.deploy(first, nil)
	pgtest.Exec(t, l.db.AppURL, "INSERT INTO users (email) SELECT repeat('a', 100) FROM generate_series(1, 1000)")
	pgtest.Exec(t, l.db.OwnerURL, "ANALYZE users")
	err := l.d.Migrate(t.Context(), l.work(l.release(users, "CREATE INDEX by_email ON users (email)"), first))
	says(t, err, switcher.CodeRefused, "lock out", "public.users", "CONCURRENTLY")
	l.deploy(l.release(users, "CREATE INDEX CONCURRENTLY by_email ON users (email)"), first)
	l.clean()
}

func TestACopyIsMadeWithTheSettingsAndGrantsOfTheLiveDatabase(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.db.OwnerURL, `CREATE SCHEMA "My App"; GRANT USAGE ON SCHEMA "My App" TO `+l.db.App,
		"ALTER DATABASE "+l.db.Name+` SET search_path = "My App", public`, "REVOKE ALL ON DATABASE "+l.db.Name+" FROM PUBLIC", "GRANT CONNECT ON DATABASE "+l.db.Name+" TO "+l.db.App)
	first := l.release(users, `DO $$ BEGIN
		IF current_setting('search_path') <> '"My App", public' THEN RAISE 'search_path is %', current_setting('search_path'); END IF;
		IF has_database_privilege('public', current_database(), 'CONNECT') THEN RAISE 'everybody may connect'; END IF;
		IF pg_get_userbyid((SELECT datdba FROM pg_database WHERE datname = current_database())) <> '`+l.db.Owner+`' THEN RAISE 'owner'; END IF;
	END $$`)
	l.deploy(first, nil)
	l.deploy(l.release(append(l.jobs.steps[first.ImageID], "ALTER TABLE users ADD COLUMN a int")...), first)
	l.clean()
}

func TestRowsThatAMigrationChangesAreTold(t *testing.T) {
	l := newLab(t)
	plans := "CREATE TABLE plans (code text PRIMARY KEY, label text); INSERT INTO plans VALUES ('free', 'Free'), ('pro', 'Pro')"
	first := l.release(users, plans)
	l.deploy(first, nil)
	added := "INSERT INTO plans VALUES ('team', 'Team'); ALTER TABLE plans ADD COLUMN seats int; UPDATE plans SET seats = 3"
	second := l.release(users, plans, added)
	l.deploy(second, first)
	if l.teller.has("rows_changed") {
		t.Error(l.teller)
	}
	l.deploy(l.release(users, plans, added, "UPDATE plans SET code = 'gratis' WHERE code = 'free'"), second)
	if !l.teller.has("rows_changed public.plans") || !l.teller.has("1 of 3 rows") {
		t.Error(l.teller)
	}
	l.clean()
}
