package catalog

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// empty are the fields, as Type.Field, that hold something nowhere in a value.
func empty(v reflect.Value) []string {
	held, known := map[string]bool{}, map[string]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				known[name] = true
				held[name] = held[name] || !v.Field(i).IsZero()
				walk(v.Field(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	var found []string
	for name := range known {
		if !held[name] {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func TestEveryKindOfObjectIsSeenWithAllThatIsKnownOfIt(t *testing.T) {
	d := rich(t)
	pgtest.Exec(t, d.SuperuserURL, as(d, `ALTER DATABASE :database SET work_mem = '9MB'; CREATE INDEX odd ON plans (name) NULLS NOT DISTINCT;
		ALTER FUNCTION dice() LEAKPROOF; SELECT nextval('counter');
		CREATE DOMAIN name AS text NOT NULL; CREATE POLICY open ON plans USING (true); CREATE RULE quiet AS ON INSERT TO totals DO INSTEAD NOTHING;
		CREATE FUNCTION whole() RETURNS plans LANGUAGE sql AS 'SELECT * FROM plans LIMIT 1';
		CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1' `))
	s := read(t, d.SuperuserURL)
	for _, field := range empty(reflect.ValueOf(*s)) {
		switch field {
		case "Domain.Collation", "Constraint.OnUpdate":
		default:
			t.Errorf("nothing has %s", field)
		}
	}
	for _, kind := range []string{
		"access method pile", "cast (pg_catalog.text AS public.address)", "collation public.german", "comment on index public.users_lower", "comment on type public.mood",
		"conversion public.mine", `default privileges of ` + d.Owner + ` for r in "My Schema"`, "grants on function public.akeys(public.hstore)", "grants on relation pg_catalog.pg_authid",
		"language plother", "operator public.===(integer,integer)", "operator class public.backwards USING btree", "operator family public.numbers USING btree",
		"planning of function public.listed()", "server other", "statistics object public.users_stats", "storage of column public.users.name", "storage of table public.users",
		"text search configuration public.words", "text search dictionary public.plain", "text search parser public.split", "text search template public.bare",
		"type public.shell", "user mapping " + d.App + " on other",
	} {
		if _, ok := s.Others[kind]; !ok {
			t.Errorf("there is no %s", kind)
		}
	}
	for _, role := range []string{d.Owner, d.App} {
		if s.Local["role "+role] == "" {
			t.Errorf("nothing is known of role %s", role)
		}
	}
}

func TestWhatIsNotTheAppsIsNotSeen(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	before := read(t, d.SuperuserURL)
	conn := pgtest.Connect(t, d.SuperuserURL)
	if _, err := conn.PgConn().Exec(t.Context(), `CREATE EXTENSION hstore; CREATE EXTENSION btree_gist;
		CREATE TEMPORARY TABLE scratch (id serial PRIMARY KEY, name text UNIQUE CHECK (name <> ''));
		CREATE TEMPORARY VIEW looked AS SELECT * FROM scratch; COMMENT ON COLUMN scratch.name IS 'gone'; COMMENT ON TABLE scratch IS 'gone'`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	after := read(t, d.SuperuserURL)
	for _, difference := range different(before, after) {
		if !strings.HasPrefix(difference, ".Extensions") {
			t.Error(difference)
		}
	}
}

func TestSecretsAreNotKept(t *testing.T) {
	d := rich(t)
	pgtest.Exec(t, d.SuperuserURL, as(d, `ALTER DATABASE :database SET app.key = 'database-secret'; ALTER ROLE :app SET app.key = 'role-secret'`))
	s := read(t, d.SuperuserURL)
	for _, all := range []map[string]string{s.Settings, s.Others, s.Local} {
		for key, definition := range all {
			if strings.Contains(key+definition, "-secret") {
				t.Errorf("%s: %s", key, definition)
			}
		}
	}
}

func TestFunctionsThatTakeWholeRowsAreKnown(t *testing.T) {
	for body, want := range map[string][]string{
		`INSERT INTO public.Log SELECT NEW.*`:                                 {"new", "public.log"},
		`SELECT u.* FROM users u JOIN ONLY "My T" . b ON true`:                {`"my t".b`, "users"},
		`SELECT id, * FROM users`:                                             {"users"},
		`DELETE FROM users RETURNING * INTO strict gone`:                      {"gone", "users"},
		`SELECT count(*) FROM users`:                                          nil,
		`SELECT 2 * width FROM users`:                                         nil,
		`SELECT id /* , * */ FROM users -- .*`:                                nil,
		"SELECT DISTINCT\n*\nFROM users WHERE OLD.id = 1":                     {"old", "users"},
		`UPDATE t SET a = b * 2 FROM other WHERE EXISTS (SELECT * FROM more)`: {"more", "other"},
	} {
		if got := stars(body); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestTheCatalogIsReadWhileOthersChangeIt(t *testing.T) {
	d := pgtest.Start(t).Database(t)
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	others.Go(func() {
		for ctx.Err() == nil {
			if err := pgtest.TryExec(d.OwnerURL, "CREATE TABLE t (id serial PRIMARY KEY, a text CHECK (a <> ''))", "CREATE VIEW v AS SELECT * FROM t", "DROP TABLE t CASCADE"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 20 {
		if _, err := Read(t.Context(), pgtest.Connect(t, d.OwnerURL)); err != nil {
			t.Error(err)
		}
	}
}

func TestASequenceThatHasGivenNothingSinceItWasSetIsKnownByWhereItGoesOn(t *testing.T) {
	d := rich(t)
	pgtest.Exec(t, d.OwnerURL, "CREATE SEQUENCE \"Fresh one\"", "CREATE SEQUENCE ahead; SELECT nextval('ahead'); ALTER SEQUENCE ahead RESTART WITH 1000",
		"CREATE SEQUENCE back; SELECT nextval('back'); ALTER SEQUENCE back RESTART", "CREATE SEQUENCE down INCREMENT -2; SELECT setval('down', -9, false)")
	s := read(t, d.OwnerURL)
	for name, want := range map[string]int64{`public."Fresh one"`: 0, "public.ahead": 999, "public.back": 0, "public.down": -7} {
		if got := s.Sequences[name].Last; got != want {
			t.Errorf("%s has given %d, want %d", name, got, want)
		}
	}
}
