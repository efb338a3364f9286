package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/internal/pgtest"
)

// guests is the database of an edge whose releases are versions of the
// guestbook.
type guests struct {
	*testEdge
	db      *pgtest.Database
	program string
}

const adminURLVariable = "GUESTBOOK_ADMIN_URL"

// databaseSection is what an app's section says of its database; more are
// further keys.
func databaseSection(command, more string) string {
	return fmt.Sprintf(`    database:
      url_env: DATABASE_URL
      admin_url_env: %s
      expand: [%s, migrate]
      contract: [%s, contract]
      backup: { at: never }
%s`, adminURLVariable, command, command, more)
}

// newContainerGuests prepares an edge that runs versions of the guestbook as
// containers, on a database that was migrated for base. more are further keys of
// the database.
func newContainerGuests(t *testing.T, more string, versions ...string) (*dockerEdge, *guests) {
	t.Helper()
	api := enginetest.Require(t)
	db := pgtest.Start(t).Database(t)
	e := newDockerEdge(t, api)
	g := &guests{e.testEdge, db, pgtest.Guestbook(t)}
	for _, version := range versions {
		enginetest.ImageWith(t, api, e.Repository, version, g.program, map[string]string{"GUESTBOOK_VERSION": version}, "serve")
	}
	e.Container = fmt.Sprintf(", volumes: [%q], environment: { DATABASE_URL: %q }",
		db.Cluster.SocketDir+":/sockets", pgtest.ThroughSocket(t, db.AppURL, "/sockets"))
	e.Extra = databaseSection("/server", more)
	e.env = append(e.env, adminURLVariable+"="+db.OwnerURL)
	e.configure()
	g.migrate("base")
	return e, g
}

// newProcessGuests is newContainerGuests with processes on a database of the
// caller's.
func newProcessGuests(t *testing.T, db *pgtest.Database, more string) *guests {
	t.Helper()
	g := &guests{newTestEdge(t, ""), db, pgtest.Guestbook(t)}
	g.Chat = g.program + ", serve"
	g.Environment += fmt.Sprintf(", DATABASE_URL: %q", db.AppURL)
	g.Extra = databaseSection(g.program, more)
	g.env = append(g.env, adminURLVariable+"="+db.OwnerURL)
	g.configure()
	g.migrate("base")
	return g
}

// migrate migrates the database for a version, as from before there was an edge.
func (g *guests) migrate(version string) {
	g.t.Helper()
	cmd := exec.Command(g.program, "migrate")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+g.db.OwnerURL, "GUESTBOOK_VERSION="+version)
	if said, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("migrating to %s: %v\n%s", version, err, said)
	}
}

// value returns one value of the live database, as text.
func (g *guests) value(query string, arguments ...any) (value string) {
	g.t.Helper()
	conn := pgtest.Connect(g.t, g.db.SuperuserURL)
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), query, arguments...).Scan(&value); err != nil {
		g.t.Fatalf("%s: %v", query, err)
	}
	return value
}

// columns returns the names of the columns of a table.
func (g *guests) columns(table string) []string {
	g.t.Helper()
	conn := pgtest.Connect(g.t, g.db.SuperuserURL)
	defer conn.Close(context.Background())
	rows, _ := conn.Query(context.Background(), "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1", table)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		g.t.Fatal(err)
	}
	return names
}

// digest changes with anything in the live database: each row, and each row of
// the catalogs that describes its schema.
func (g *guests) digest() string {
	g.t.Helper()
	dump := g.db.Cluster.Run(g.t, "pg_dump", "--dbname", g.db.SuperuserURL)
	lines := slices.DeleteFunc(strings.Split(dump, "\n"), func(l string) bool { return strings.Contains(l, "restrict ") })
	versions := g.value(`SELECT (SELECT string_agg(c.oid || ' ' || c.xmin || ' ' || c.relfilenode, ',' ORDER BY c.oid) FROM pg_class c WHERE relnamespace = 'public'::regnamespace)
		|| (SELECT string_agg(a.attrelid || ' ' || a.attnum || ' ' || a.xmin, ',' ORDER BY attrelid, attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace)`)
	return strings.Join(lines, "\n") + versions
}

// besides lists the databases that the edge has made beside the live one.
func (g *guests) besides() string {
	g.t.Helper()
	id, err := os.ReadFile(g.file("state/id"))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.value("SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '%' || $1 || '%'",
		strings.TrimSpace(string(id)))
}

// backups lists the backups of the app.
func (g *guests) backups() (ids []string) {
	found, _ := filepath.Glob(g.file("state/databases/" + g.App + "/backups/*"))
	for _, path := range found {
		ids = append(ids, filepath.Base(path))
	}
	return ids
}

// discreet checks that no password is in anything that was said.
func (g *guests) discreet(said ...string) {
	g.t.Helper()
	history, _ := os.ReadFile(g.stateFile())
	for _, text := range append(said, g.logged(), string(history), g.cli("status", "--json").stdout, g.cli("history", "--json").stdout) {
		for _, secret := range []string{"owner-secret", "app-secret", "super-secret", "wrong-secret"} {
			if at := strings.Index(text, secret); at >= 0 {
				g.t.Errorf("a password is told: …%s…", text[max(0, at-200):at])
			}
		}
	}
}

// writers write entries through production, each over a new connection and never
// twice for the same thing.
type writers struct {
	stop func() written
	mu   sync.Mutex
	sum  written
}

// written is how that went.
type written struct {
	ok      int
	failed  []string
	longest time.Duration
	by      map[string]int // versions that answered
}

const scribes = 4 // that write at once

func (g *guests) writers() *writers {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{sum: written{by: map[string]int{}}}
	var running sync.WaitGroup
	for n := range scribes {
		browser := g.client()
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				w.write(browser, fmt.Sprintf("writer %d, entry %d", n, i))
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	w.stop = sync.OnceValue(func() written {
		cancel()
		running.Wait()
		return w.sum
	})
	g.t.Cleanup(func() { w.stop() })
	g.await("entries are written", func() bool { return w.so().ok > 0 })
	return w
}

func (w *writers) so() written {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := w.sum
	sum.failed, sum.by = slices.Clone(sum.failed), maps.Clone(sum.by)
	return sum
}

func (w *writers) write(browser *http.Client, message string) {
	began := time.Now()
	answer, err := browser.PostForm("https://app.localhost/entries", url.Values{"author": {"ana"}, "message": {message}})
	failure, version := "", ""
	if err != nil {
		failure = err.Error()
	} else {
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		version = answer.Header.Get("X-Guestbook-Version")
		if err != nil || answer.StatusCode != http.StatusCreated {
			failure = fmt.Sprintf("%s %s %v", answer.Status, text, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sum.longest = max(w.sum.longest, time.Since(began))
	if failure != "" {
		w.sum.failed = append(w.sum.failed, failure)
		return
	}
	w.sum.ok++
	w.sum.by[version]++
}
