package backup

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func counters(t *testing.T, to string) Counters {
	t.Helper()
	c, err := ReadCounters(t.Context(), pgtest.Connect(t, to))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a table had counted is gone with it; it is still in the database's own.
func TestCountersKnowWhatWasWrittenToTablesThatAreGone(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	pgtest.Exec(t, d.OwnerURL, "CREATE TABLE kept (id int); CREATE TABLE gone (id int)")
	before := counters(t, d.OwnerURL)
	pgtest.Exec(t, d.AppURL, "INSERT INTO kept SELECT generate_series(1, 30)", "UPDATE kept SET id = -id WHERE id <= 4",
		"DELETE FROM kept WHERE id < 0", "INSERT INTO gone SELECT generate_series(1, 1000)")
	pgtest.Exec(t, d.OwnerURL, "DROP TABLE gone")
	after := counters(t, d.OwnerURL)
	if len(before.Tables) != 2 || len(after.Tables) != 1 {
		t.Fatalf("tables before %v, after %v", before.Tables, after.Tables)
	}
	kept := after.Tables[0]
	if kept.Name != "public.kept" || kept.Writes != (Writes{30, 4, 4}) {
		t.Errorf("of kept: %+v", kept)
	}
	gone := after.Database.Inserted - before.Database.Inserted - (after.Internal.Inserted - before.Internal.Inserted) - 30
	if gone != 1000 {
		t.Errorf("%d rows inserted into what is gone, 1000 were", gone)
	}
}

func TestCountersOfAServerThatHasCrashedAreOthers(t *testing.T) {
	c := pgtest.StartOwn(t)
	d := c.Database(t)
	read := func() Counters {
		conn, err := pgx.Connect(t.Context(), d.OwnerURL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		found, err := ReadCounters(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	same := func(a, b Counters) bool { return a.Crashed.Equal(*b.Crashed) }
	before := read()
	c.Restart(t)
	if after := read(); !same(before, after) || before.System != after.System {
		t.Errorf("after a clean restart %v, before %v", after, before)
	}
	c.Crash(t)
	c.Restart(t)
	if after := read(); same(before, after) {
		t.Errorf("after a crash %v, before %v", after, before)
	}
}
