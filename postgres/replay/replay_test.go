package replay_test

import (
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/replay"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestAStatementThatFailsAfterTheChangeOnlyIsNamed(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	pgtest.Exec(t, d.SuperuserURL, "CREATE EXTENSION pg_stat_statements")
	pgtest.Exec(t, d.OwnerURL, `CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE, name text);
		CREATE TABLE orders (id serial PRIMARY KEY, user_id integer REFERENCES users, total integer);
		CREATE TABLE gone (id integer);
		CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n'`)
	pgtest.Exec(t, d.AppURL,
		"SELECT email FROM users WHERE name = 'a secret'",
		"INSERT INTO users (email) VALUES ('a') ON CONFLICT (email) DO NOTHING",
		"SELECT name, total FROM users JOIN orders ON user_id = users.id",
		"SELECT twice(1)",
		"UPDATE users SET name = 'x' WHERE id = 1",
		"SELECT id FROM gone",
		"COPY users TO STDOUT",
		"BEGIN; SET LOCAL work_mem = '8MB'; COMMIT",
	)
	pgtest.Exec(t, d.OwnerURL, "DROP TABLE gone", "SELECT email FROM users")

	statements, unknown, err := replay.Collect(t.Context(), pgtest.Connect(t, d.SuperuserURL), d.App)
	if err != nil || unknown != "" || len(statements) != 7 {
		t.Fatalf("collected %+v, %q, %v", statements, unknown, err)
	}
	app := pgtest.Connect(t, d.AppURL)
	try := func() []replay.Outcome {
		outcomes, err := replay.Try(t.Context(), app, statements)
		if err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
	before := try()
	if found := replay.Findings(before, before); len(found) > 0 {
		t.Errorf("nothing has changed: %+v", found)
	}
	for _, c := range []struct{ change, undo, want string }{
		{"ALTER TABLE users RENAME name TO title", "ALTER TABLE users RENAME title TO name", `column "name" does not exist (42703)`},
		{"ALTER TABLE orders ADD name text", "ALTER TABLE orders DROP name", `column reference "name" is ambiguous (42702)`},
		{"ALTER TABLE users DROP CONSTRAINT users_email_key", "ALTER TABLE users ADD UNIQUE (email)", "42P10"},
		{"REVOKE UPDATE ON users FROM " + d.App, "GRANT UPDATE ON users TO " + d.App, "42501"},
		{"CREATE FUNCTION twice(n integer, more integer DEFAULT 1) RETURNS integer LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION twice(integer, integer)", "42725"},
		{"REVOKE EXECUTE ON FUNCTION twice(integer) FROM PUBLIC", "GRANT EXECUTE ON FUNCTION twice(integer) TO PUBLIC", "42501"},
		{"ALTER TABLE orders ADD note text", "ALTER TABLE orders DROP note", ""},
	} {
		pgtest.Exec(t, d.OwnerURL, c.change)
		found := replay.Findings(before, try())
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s: %+v", c.change, found)
		case c.want != "" && (len(found) == 0 || !strings.Contains(found[0].Why, c.want) || !found[0].Stops()):
			t.Errorf("%s: want %s, got %+v", c.change, c.want, found)
		}
		for _, f := range found {
			if strings.Contains(f.What+f.Why, "secret") {
				t.Errorf("a literal is told: %+v", f)
			}
		}
		pgtest.Exec(t, d.OwnerURL, c.undo)
	}
}

func TestACopyWithoutAListOfColumnsFailsWhenAColumnIsAdded(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	pgtest.Exec(t, d.SuperuserURL, "CREATE EXTENSION pg_stat_statements")
	pgtest.Exec(t, d.OwnerURL, "CREATE TABLE a (id integer); CREATE TABLE b (id integer)")
	app := pgtest.Connect(t, d.AppURL)
	for _, text := range []string{"COPY a FROM STDIN", "COPY b (id) FROM STDIN"} {
		if _, err := app.PgConn().CopyFrom(t.Context(), strings.NewReader("1\n"), text); err != nil {
			t.Fatal(err)
		}
	}
	statements, _, err := replay.Collect(t.Context(), pgtest.Connect(t, d.SuperuserURL), d.App)
	if err != nil || len(statements) != 2 {
		t.Fatalf("collected %+v, %v", statements, err)
	}
	before, err := replay.Try(t.Context(), app, statements)
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, d.OwnerURL, "ALTER TABLE a ADD more text; ALTER TABLE b ADD more text")
	after, err := replay.Try(t.Context(), app, statements)
	if err != nil {
		t.Fatal(err)
	}
	if found := replay.Findings(before, after); len(found) != 1 || !strings.Contains(found[0].Why, "id,more") {
		t.Errorf("want the COPY of a only, got %+v", found)
	}
}

func TestWhyNothingCanBeReplayedIsSaid(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	statements, unknown, err := replay.Collect(t.Context(), pgtest.Connect(t, d.OwnerURL), d.App)
	if err != nil || len(statements) > 0 || !strings.Contains(unknown, "CREATE EXTENSION") {
		t.Errorf("without the extension: %+v, %q, %v", statements, unknown, err)
	}
	pgtest.Exec(t, d.SuperuserURL, "CREATE EXTENSION pg_stat_statements")
	pgtest.Exec(t, d.AppURL, "SELECT 1")
	_, unknown, err = replay.Collect(t.Context(), pgtest.Connect(t, d.OwnerURL), d.App)
	if err != nil || !strings.Contains(unknown, "pg_read_all_stats") {
		t.Errorf("not allowed to read others' statements: %q, %v", unknown, err)
	}
	other := pgtest.StartOwn(t, "shared_preload_libraries=").Database(t)
	pgtest.Exec(t, other.SuperuserURL, "CREATE EXTENSION pg_stat_statements")
	_, unknown, err = replay.Collect(t.Context(), pgtest.Connect(t, other.OwnerURL), other.App)
	if err != nil || !strings.Contains(unknown, "cannot be read") {
		t.Errorf("not loaded: %q, %v", unknown, err)
	}
}
