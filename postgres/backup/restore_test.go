package backup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// Rows, counts and sequences are of one moment, whatever is written meanwhile.
func TestABackupOfABusyDatabaseIsOfOneMoment(t *testing.T) {
	l := newLab(t)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 2 {
		conn := pgtest.Connect(t, l.AppURL)
		writers.Go(func() {
			for ctx.Err() == nil {
				if _, err := conn.Exec(context.Background(), "WITH u AS (INSERT INTO users (name) VALUES ('bob') RETURNING id) INSERT INTO posts (author) SELECT id FROM u"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	m, err := l.store.Create(t.Context(), l.source(), nil)
	stop()
	writers.Wait()
	if err != nil {
		t.Fatal(told(err))
	}
	if *m.Tables["public.users"].Rows != *m.Tables["public.posts"].Rows {
		t.Errorf("%d users and %d posts, which were written together", *m.Tables["public.users"].Rows, *m.Tables["public.posts"].Rows)
	}
	if _, err := l.verify(t.Context(), m.ID, nil); err != nil {
		t.Error(told(err))
	}
}

// An extension for superusers only is in many databases whose owner is none.
func TestWhatTheRoleMayNotCreateIsLeftOutAndTold(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.SuperuserURL, "CREATE EXTENSION pg_stat_statements", "CREATE EXTENSION citext",
		"CREATE PUBLICATION everything FOR ALL TABLES", "COMMENT ON PUBLICATION everything IS 'all'",
		"CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; ALTER FUNCTION look OWNER TO "+l.Owner,
		"CREATE EVENT TRIGGER \"the watch\" ON ddl_command_end EXECUTE FUNCTION look()", "COMMENT ON EVENT TRIGGER \"the watch\" IS 'looks'")
	pgtest.Exec(t, l.OwnerURL, "CREATE TABLE mails (address citext PRIMARY KEY); INSERT INTO mails VALUES ('a@b')")
	m := l.backup(t)
	verified, err := l.verify(t.Context(), m.ID, nil)
	if err != nil {
		t.Fatal(told(err))
	}
	want := []string{"event trigger the watch", "extension pg_stat_statements", "publication everything"}
	if got := verified.Verified.LeftOut; !slices.Equal(got, want) {
		t.Errorf("left out %v, want %v", got, want)
	}
}

func TestARestoreGoesIntoAnEmptyDatabaseOnly(t *testing.T) {
	l := newLab(t)
	m := l.backup(t)
	_, err := l.store.Verify(t.Context(), m.ID, l.server, nil)
	wants(t, err, "database "+l.Name+" is not empty: it has")
}

func TestOwnersThatTheRoleMayNotGiveAreToldWithARemedy(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.SuperuserURL, "CREATE TABLE hers (id int); ALTER TABLE hers OWNER TO "+l.App+"; GRANT SELECT ON hers TO "+l.Owner)
	m := l.backup(t)
	_, err := l.verify(t.Context(), m.ID, nil)
	wants(t, err, "pg_restore", "GRANT that_role TO admin_role")
	if list, _ := l.store.List(); list[0].Verified() {
		t.Error("it is verified")
	}
	if left := l.databases(t); len(left) != 1 {
		t.Errorf("databases afterwards: %v", left)
	}
}

func TestASchemaIsCopiedWithTheRowsOfSomeTables(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.OwnerURL, "CREATE TABLE done (id serial PRIMARY KEY, name text, twice text GENERATED ALWAYS AS (name || name) STORED); INSERT INTO done (name) VALUES ('first'), (E'se\\tcond')")
	before, err := l.store.DumpSchema(t.Context(), l.server)
	if err != nil || !strings.Contains(before, "CREATE TABLE public.users") {
		t.Fatalf("the schema is %s, %v", cut(before, 200), err)
	}
	name := l.Name + "_copy"
	if err := CreateDatabase(t.Context(), l.server, name, Properties{Owner: l.Owner, Encoding: "UTF8", Provider: "libc", Collate: "C.UTF-8", CType: "C.UTF-8"}, "ours"); err != nil {
		t.Fatal(told(err))
	}
	to := l.server.In(name)
	if _, err := l.store.CopySchema(t.Context(), l.server, to); err != nil {
		t.Fatal(told(err))
	}
	if err := CopyRows(t.Context(), l.server, to, []string{"public.done", "public.absent", `"Odd one"."a table"`}); err != nil {
		t.Fatal(told(err))
	}
	conn, err := to.connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var done, odd, users, next int
	var twice string
	err = conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM "Odd one"."a table"), (SELECT count(*) FROM users),
		nextval('done_id_seq'), (SELECT twice FROM done WHERE id = 2)`).Scan(&done, &odd, &users, &next, &twice)
	if err != nil || done != 2 || odd != 2 || users != 0 || next != 3 || twice != "se\tcondse\tcond" {
		t.Errorf("copied: %d %d, users %d, next id %d, %q, %v", done, odd, users, next, twice, err)
	}
}

const script = `#!/bin/sh
set -eu
[ -z "${ADMIN_URL:-}" ] || { echo "it has a URL"; exit 9; }
case $1 in
backup) pg_dump -Fc -f "$DEPOT/$BLUEGREEN_BACKUP_ID" ;;
restore) pg_restore -e -d "$BLUEGREEN_TARGET_DATABASE" "$DEPOT/$BLUEGREEN_BACKUP_ID" ;;
fail) echo "the depot is $DEPOT_TOKEN closed for $BLUEGREEN_APP" >&2; exit 7 ;;
esac
`

func TestACommandMakesAndRestoresBackups(t *testing.T) {
	l := newLab(t)
	depot := t.TempDir()
	hook := filepath.Join(depot, "hook")
	if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DEPOT", depot)
	t.Setenv("DEPOT_TOKEN", "token-of-the-depot")
	t.Setenv("ADMIN_URL", l.OwnerURL)
	l.store.Command = []string{hook, "backup"}
	m := l.backup(t)
	if m.Hook == nil || m.Verified != nil || *m.Tables["public.users"].Rows != 500 {
		t.Errorf("manifest %+v", m)
	}
	_, err := l.verify(t.Context(), m.ID, nil)
	wants(t, err, "restore.command")
	l.store.RestoreCommand = []string{hook, "restore"}
	verified, err := l.verify(t.Context(), m.ID, nil)
	if err != nil || verified.Verified.Counted != 4 {
		t.Fatalf("%v %+v", err, verified)
	}

	l.store.RestoreCommand = []string{"/bin/true"} // it restores nothing
	_, err = l.verify(t.Context(), m.ID, nil)
	wants(t, err, "table public.parts_2026 is missing")
	if list, _ := l.store.List(); list[0].Verified() {
		t.Error("a backup of which nothing came back is verified")
	}

	l.store.Command = []string{hook, "fail"}
	_, err = l.store.Create(t.Context(), l.source(), nil)
	wants(t, err, "exit code 7", "closed for shop")
	if strings.Contains(told(err), "token-of-the-depot") {
		t.Errorf("the error tells a secret: %s", told(err))
	}
	if got := ids(t, l.store); len(got) != 1 {
		t.Errorf("listed %v", got)
	}
}
