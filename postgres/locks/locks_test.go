package locks

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const setup = `
CREATE TABLE big (id integer PRIMARY KEY, a text, b integer, c integer NOT NULL DEFAULT 0);
INSERT INTO big SELECT n, 'x', n FROM generate_series(1, 2000) n;
CREATE TABLE small (id integer PRIMARY KEY, a text);
INSERT INTO small VALUES (1, 'x'), (2, 'y');
CREATE TABLE versions (version integer); INSERT INTO versions VALUES (1);
CREATE DOMAIN mail AS text; CREATE TABLE mails (a mail); INSERT INTO mails VALUES ('a@b');
CREATE TABLE parts (id integer, at integer) PARTITION BY RANGE (at);
CREATE TABLE part (id integer, at integer); INSERT INTO part SELECT n, n FROM generate_series(1, 1500) n`

// watched runs a migration, each step over a connection of its own, and returns
// what is found of it, as "verdict code object".
func watched(t *testing.T, d *pgtest.Database, url string, o Options, steps ...string) []string {
	t.Helper()
	var found []string
	for _, f := range findings(t, d, url, o, steps...) {
		found = append(found, string(f.Verdict)+" "+f.Code+" "+f.Object)
	}
	slices.Sort(found)
	return found
}

func findings(t *testing.T, d *pgtest.Database, url string, o Options, steps ...string) []switcher.SchemaFinding {
	t.Helper()
	conn := pgtest.Connect(t, url)
	defer conn.Close(t.Context())
	before := read(t, conn)
	w, err := Start(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		pgtest.Exec(t, d.OwnerURL, step)
	}
	seen, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.LargeRows, o.Bookkeeping = 1000, []string{"public.versions"}
	o.Sizes = map[string]Size{"public.big": {Rows: 2000}, "public.part": {Rows: 1500}}
	return seen.Findings(before, read(t, conn), o)
}

func read(t *testing.T, conn *pgx.Conn) *catalog.Schema {
	t.Helper()
	s, err := catalog.Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatKeepsWritersOutIsFound(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	for _, c := range []struct {
		name  string
		steps []string
		want  []string
		exact []string // for a superuser, where it differs
	}{
		{"index", []string{"CREATE INDEX i ON big (b)"}, []string{"lock index_built_locked public.big.i"}, nil},
		{"index in a savepoint", []string{"BEGIN; SAVEPOINT s; CREATE INDEX i ON big (b); RELEASE s; COMMIT"}, []string{"lock index_built_locked public.big.i"}, nil},
		{"index of a small table", []string{"CREATE INDEX i ON small (a)"}, []string{"warn index_built_locked public.small.i"}, nil},
		{"index concurrently", []string{"CREATE INDEX CONCURRENTLY i ON big (b)"}, nil, nil},
		{"index of a new table", []string{"CREATE TABLE new AS SELECT * FROM big; CREATE INDEX i ON new (b)"}, nil, nil},
		{"reindex concurrently", []string{"REINDEX INDEX CONCURRENTLY big_pkey"}, nil, nil},
		{"unique constraint", []string{"ALTER TABLE big ADD CONSTRAINT u UNIQUE (b)"}, []string{"lock index_built_locked public.big.u"}, nil},
		{"unique constraint on an index", []string{"CREATE UNIQUE INDEX CONCURRENTLY u ON big (b)", "ALTER TABLE big ADD CONSTRAINT u UNIQUE USING INDEX u"}, nil, nil},
		{"check", []string{"ALTER TABLE big ADD CONSTRAINT k CHECK (b > 0)"}, []string{"lock constraint_validated_locked public.big.k"}, nil},
		{"check in two steps", []string{"ALTER TABLE big ADD CONSTRAINT k CHECK (b > 0) NOT VALID", "ALTER TABLE big VALIDATE CONSTRAINT k"}, nil, nil},
		{"check in two steps of one transaction", []string{"ALTER TABLE big ADD CONSTRAINT k CHECK (b > 0) NOT VALID; ALTER TABLE big VALIDATE CONSTRAINT k"},
			[]string{"lock constraint_validated_locked public.big.k"}, nil},
		{"foreign key", []string{"ALTER TABLE big ADD CONSTRAINT k FOREIGN KEY (c) REFERENCES small NOT VALID", "ALTER TABLE small ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES big"},
			[]string{"lock constraint_validated_locked public.small.k"}, nil},
		{"foreign key on a new column", []string{"ALTER TABLE big ADD COLUMN s integer REFERENCES small"}, nil, nil},
		{"not null", []string{"ALTER TABLE big ALTER COLUMN a SET NOT NULL"}, []string{"lock not_null_scanned public.big.a"}, nil},
		{"not null that is proven", []string{"ALTER TABLE big ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID", "ALTER TABLE big VALIDATE CONSTRAINT k",
			"ALTER TABLE big ALTER COLUMN a SET NOT NULL; ALTER TABLE big DROP CONSTRAINT k"}, []string{"lock not_null_scanned public.big.a"}, []string{}},
		{"domain", []string{"ALTER DOMAIN mail ADD CONSTRAINT k CHECK (VALUE ~ '@')"}, []string{"warn constraint_validated_locked public.mail.k"},
			[]string{"warn constraint_validated_locked public.mail.k"}},
		{"partition", []string{"ALTER TABLE parts ATTACH PARTITION part FOR VALUES FROM (1) TO (2000)"}, []string{"lock partition_scanned public.part"}, nil},
		{"column with a check", []string{"ALTER TABLE big ADD COLUMN d integer DEFAULT 1 CHECK (d > 0)"}, []string{"lock constraint_validated_locked public.big.big_d_check"}, nil},
		{"column", []string{"ALTER TABLE big ADD COLUMN d integer DEFAULT 1 NOT NULL", "ALTER TABLE big ALTER COLUMN a SET DEFAULT 'y', DROP COLUMN b"}, nil, nil},
		{"rewrite", []string{"ALTER TABLE big ALTER COLUMN b TYPE bigint"}, nil, nil},

		{"backfill", []string{"UPDATE big SET a = 'y'"}, []string{"data rows_updated public.big", "lock backfill public.big"}, nil},
		{"backfill of a new column", []string{"ALTER TABLE small ADD COLUMN d integer", "UPDATE small SET d = 1"}, []string{"warn rows_updated public.small"}, nil},
		{"few rows", []string{"UPDATE big SET a = 'y' WHERE id < 5"}, []string{"data rows_updated public.big"}, nil},
		{"deleted rows", []string{"DELETE FROM small WHERE id = 1"}, []string{"data rows_deleted public.small"}, nil},
		{"emptied table", []string{"TRUNCATE small"}, []string{"data rows_deleted public.small"}, nil},
		{"more rows", []string{"INSERT INTO small VALUES (3)"}, nil, nil},
		{"bookkeeping", []string{"UPDATE versions SET version = 2"}, nil, nil},
		{"renamed table", []string{"ALTER TABLE big RENAME TO large; CREATE INDEX i ON large (b)"}, []string{"lock index_built_locked public.large.i"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, role := range []string{"owner", "superuser"} {
				pgtest.Exec(t, d.SuperuserURL, "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION "+d.Owner)
				pgtest.Exec(t, d.OwnerURL, setup)
				url, want := d.OwnerURL, c.want
				if role == "superuser" {
					url = d.SuperuserURL
					if c.exact != nil {
						want = c.exact
					}
				}
				if got := watched(t, d, url, Options{}, c.steps...); !slices.Equal(got, want) {
					t.Errorf("for the %s: got %q, want %q", role, got, want)
				}
			}
		})
	}
}

// Only the locks themselves tell that changing rows and the schema in one
// transaction keeps everybody out until its end.
func TestALockThatIsHeldForLongIsFound(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	pgtest.Exec(t, d.OwnerURL, setup)
	step := "BEGIN; ALTER TABLE big ADD COLUMN d integer; SELECT pg_sleep(0.3); COMMIT"
	if got, want := watched(t, d, d.OwnerURL, Options{Long: 200 * time.Millisecond}, step), []string{"lock lock_held public.big"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAFindingSaysWhatCouldNotBeSeen(t *testing.T) {
	for _, superuser := range []bool{false, true} {
		d := pgtest.Start(t).Database(t)
		pgtest.Exec(t, d.OwnerURL, setup)
		url := d.OwnerURL
		if superuser {
			url = d.SuperuserURL
		}
		found := findings(t, d, url, Options{}, "ALTER TABLE big ALTER COLUMN a SET NOT NULL")
		if len(found) != 1 || strings.Contains(found[0].What, "could not be seen exactly") == superuser || found[0].Why == "" || found[0].Remedy == "" {
			t.Errorf("superuser %v: %+v", superuser, found)
		}
	}
}

func TestWatchingLeavesNothing(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	pgtest.Exec(t, d.OwnerURL, setup)
	conn := pgtest.Connect(t, d.SuperuserURL)
	before := read(t, conn)
	w, err := Start(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := pgtest.TryExec(d.OwnerURL, "CREATE TABLE failed (); SELECT 1 / 0"); err == nil {
		t.Fatal("it should fail")
	}
	if _, err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := read(t, conn); after.DigestAll() != before.DigestAll() {
		t.Error("the schema is another one")
	}
}

func TestWatchingEndsWithItsContext(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := Start(ctx, pgtest.Connect(t, d.OwnerURL))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Stop(ctx); err == nil {
		t.Error("it was read after its end")
	}
}
