package postgres

import (
	"context"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

func TestWhatIsInTheWayOfAMigrationIsFoundBeforeIt(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	super, owner := l.db.SuperuserURL, l.db.OwnerURL
	migrate := func() error {
		return l.d.Migrate(t.Context(), l.work(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first))
	}

	t.Run("invalid index", func(t *testing.T) {
		pgtest.Exec(t, owner, "CREATE INDEX broken ON users (email)")
		pgtest.Exec(t, super, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
		says(t, migrate(), switcher.CodeRefused, "broken", "REINDEX INDEX CONCURRENTLY")
		pgtest.Exec(t, owner, "DROP INDEX broken")
	})
	t.Run("no right to create databases", func(t *testing.T) {
		pgtest.Exec(t, super, "ALTER ROLE "+l.db.Owner+" NOCREATEDB")
		says(t, migrate(), switcher.CodeRefused, "may not create", "CREATEDB")
		pgtest.Exec(t, super, "ALTER ROLE "+l.db.Owner+" CREATEDB")
	})
	t.Run("not the owner", func(t *testing.T) {
		pgtest.Exec(t, super, "ALTER DATABASE "+l.db.Name+" OWNER TO postgres")
		says(t, migrate(), switcher.CodeRefused, "does not own database", "GRANT")
		pgtest.Exec(t, super, "ALTER DATABASE "+l.db.Name+" OWNER TO "+l.db.Owner)
	})
	t.Run("a table of somebody else's", func(t *testing.T) {
		pgtest.Exec(t, super, "CREATE TABLE foreigner ()")
		says(t, migrate(), switcher.CodeRefused, "foreigner (of postgres)")
		pgtest.Exec(t, super, "DROP TABLE foreigner")
	})
	t.Run("a dump that runs", func(t *testing.T) {
		conn := pgtest.Connect(t, owner)
		pgtest.Exec(t, owner, "SELECT 1")
		if _, err := conn.Exec(t.Context(), "SET application_name = pg_dump"); err != nil {
			t.Fatal(err)
		}
		says(t, migrate(), switcher.CodeRefused, "a pg_dump of the database runs")
		_ = conn.Close(t.Context())
	})
	t.Run("another bluegreen", func(t *testing.T) {
		w, err := l.d.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer w.end()
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.d.Migrate(ctx, l.work(first, first)) }()
		if got := w.holder(t.Context()); got == "" || got == "a session that has just ended" {
			t.Errorf("holder: %s", got)
		}
		cancel(switcher.ErrDiscarded)
		if err := <-done; err == nil {
			t.Error("two worked on the database at once")
		}
	})
	t.Run("older pg_dump", func(t *testing.T) {
		old := l.d.backups.Tools
		l.d.backups.Tools = func(ctx context.Context) (backup.Tools, error) {
			tools, err := backup.FindTools(ctx, 0)
			tools.Major, tools.Version = 9, "9.6"
			return tools, err
		}
		says(t, migrate(), switcher.CodeFailed, "9.6", "older pg_dump", "postgresql-client")
		l.d.backups.Tools = old
	})
	l.clean()

	conn := pgtest.Connect(t, owner)
	if _, err := conn.Exec(t.Context(), "SET application_name = pg_dump"); err != nil {
		t.Fatal(err)
	}
	l.deploy(l.release(users), first) // it has nothing to migrate that could be in anybody's way
	_ = conn.Close(t.Context())
	if err := migrate(); err != nil {
		t.Errorf("with nothing in the way: %v", err)
	}
}

func TestPreparedAndLongTransactionsAreInTheWay(t *testing.T) {
	db := pgtest.StartOwn(t, "max_prepared_transactions=2").Database(t)
	l := labOn(t, db)
	l.deploy(l.release(users), nil)
	pgtest.Exec(t, db.OwnerURL, "BEGIN; LOCK TABLE users; PREPARE TRANSACTION 'left'")
	says(t, l.d.Migrate(t.Context(), l.work(l.release(users, "SELECT 1"), nil)), switcher.CodeRefused, "prepared transactions", "'left'")
	pgtest.Exec(t, db.OwnerURL, "ROLLBACK PREPARED 'left'")

	conn := pgtest.Connect(t, db.OwnerURL)
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	w, err := l.d.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	says(t, w.longerThan(t.Context(), 0), switcher.CodeRefused, "a transaction has lasted", db.Owner)
	if err := w.obstacles(t.Context()); err != nil {
		t.Errorf("a short one is in the way: %v", err)
	}
}
