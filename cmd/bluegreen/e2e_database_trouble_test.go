package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/internal/pgtest"
)

// Whatever is wrong with the server, a deploy says what it is and what to do,
// tells no password, and changes nothing.
func TestTroubleWithTheServerIsToldPlainlyAndWithoutAPassword(t *testing.T) {
	t.Parallel()
	cluster := pgtest.StartOwn(t, "max_connections=14")
	db := cluster.Database(t)
	g := newProcessGuests(t, db, "")
	g.start()
	g.must("deploy", "base")
	settings := func(sql ...string) func() {
		return func() { pgtest.Exec(t, cluster.Superuser, sql...) }
	}
	var taken []*pgx.Conn
	resume := func() {}
	for _, trouble := range []struct {
		name       string
		begin, end func()
		code       int
		wants      []string
	}{
		{"wrong password of the owner", settings("ALTER ROLE " + db.Owner + " PASSWORD 'wrong-secret'"), settings("ALTER ROLE " + db.Owner + " PASSWORD 'owner-secret'"),
			1, []string{db.Owner, "the password is wrong", "28P01"}},
		{"wrong password of the app", settings("ALTER ROLE " + db.App + " PASSWORD 'wrong-secret'"), settings("ALTER ROLE " + db.App + " PASSWORD 'app-secret'"),
			3, []string{db.App, "the password is wrong", "28P01"}},
		{"read-only", settings("ALTER DATABASE " + db.Name + " SET default_transaction_read_only = on"), settings("ALTER DATABASE " + db.Name + " RESET default_transaction_read_only"),
			3, []string{"read-only"}},
		{"out of connections", func() { taken = occupy(t, db.AppURL) }, func() { release(taken) },
			3, []string{"connections are taken", "53300"}},
		{"down", func() { cluster.Stop(t) }, func() { cluster.Restart(t) },
			3, []string{"nothing listens there"}},
		{"stuck", func() { resume = cluster.Pause(t) }, func() { resume() },
			3, []string{"no answer"}},
	} {
		trouble.begin()
		r := g.cli("deploy", "n1")
		t.Logf("%s: exit %d\n%s", trouble.name, r.code, r.stderr)
		if r.code != trouble.code {
			t.Errorf("%s: exit %d, want %d", trouble.name, r.code, trouble.code)
		}
		wantAll(t, r.stderr, trouble.wants...)
		g.discreet(r.stdout, r.stderr)
		trouble.end()
	}
	if got := g.columns("entries"); strings.Contains(strings.Join(got, " "), "n1") {
		t.Errorf("columns %q", got)
	}
	g.must("deploy", "n1")
	if got := g.columns("entries"); !strings.Contains(strings.Join(got, " "), "n1") {
		t.Errorf("columns %q", got)
	}
}

// occupy takes every connection that the app may have.
func occupy(t *testing.T, url string) (taken []*pgx.Conn) {
	t.Helper()
	for range 20 {
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			return taken
		}
		taken = append(taken, conn)
	}
	t.Fatal("there is no end of connections")
	return nil
}

func release(taken []*pgx.Conn) {
	for _, conn := range taken {
		_ = conn.Close(context.Background())
	}
}

// The edge finds nothing but a pg_dump that is older than the server.
func TestAnOlderPgDumpIsToldBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
		enginetest.Unavailable(t, "no mount namespace can be made: "+err.Error())
	}
	g := newProcessGuests(t, pgtest.Start(t).Database(t), "")
	for _, name := range []string{"pg_dump", "pg_restore"} {
		g.write(name, "#!/bin/sh\necho '"+name+" (PostgreSQL) 9.6.24'\n")
		if err := os.Chmod(g.file(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g.env = append(g.env, "PATH="+g.dir+":"+os.Getenv("PATH"))
	g.within = []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /usr/lib/postgresql && exec "$@"`, "sh"}
	g.start()
	before := g.digest()
	r := g.fails(1, []string{"is of version 9.6", "and the server of version", "an older pg_dump cannot read it", "install"}, "deploy", "n1")
	g.discreet(r.stdout, r.stderr)
	if g.digest() != before || g.besides() != "" {
		t.Error("something was done before it was told")
	}
}
