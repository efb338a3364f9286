package postgres

import (
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestAFingerprintIsAnotherOneAfterEachChangeAndNoOther(t *testing.T) {
	l := newLab(t)
	owner, super := l.db.OwnerURL, l.db.SuperuserURL
	pgtest.Exec(t, owner, users, "CREATE TYPE mood AS ENUM ('sad')", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	conn, err := l.d.asOwner(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(conn)
	last, seen := "", map[string]string{}
	look := func() string {
		t.Helper()
		now, err := fingerprint(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	last = look()
	for _, change := range []string{
		"ALTER TABLE users ADD COLUMN a int", "ALTER TABLE users ALTER COLUMN a SET DEFAULT 1", "ALTER TABLE users DROP COLUMN a",
		"CREATE INDEX by_email ON users (email)", "ALTER TABLE users RENAME COLUMN email TO mail", "ALTER TYPE mood ADD VALUE 'happy'",
		"CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'", "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
		"REVOKE SELECT ON users FROM " + l.db.App, "COMMENT ON TABLE users IS 'people'", "ALTER DATABASE " + l.db.Name + " SET search_path = public",
		"REVOKE CONNECT ON DATABASE " + l.db.Name + " FROM PUBLIC", "ALTER SEQUENCE users_id_seq INCREMENT 2", "CREATE RULE r AS ON UPDATE TO users DO INSTEAD NOTHING",
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM " + l.db.App, "DROP FUNCTION f()",
	} {
		pgtest.Exec(t, owner, change)
		now := look()
		if now == last || seen[now] != "" {
			t.Errorf("%s: the fingerprint is the one of before", change)
		}
		seen[now], last = change, now
	}
	pgtest.Exec(t, super, "ALTER ROLE "+l.db.App+" BYPASSRLS")
	if now := look(); now == last {
		t.Error("an attribute of a role changed nothing")
	}
	last = look()
	pgtest.Exec(t, owner, "INSERT INTO users (mail) SELECT 'a' FROM generate_series(1, 1000)", "DELETE FROM users WHERE id % 2 = 0")
	pgtest.Exec(t, owner, "VACUUM ANALYZE users")
	if look() != last {
		t.Error("rows and their statistics have changed the fingerprint")
	}
}
