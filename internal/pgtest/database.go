package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Database is a fresh database with the two roles that an app has: an owner,
// who may create databases and is no superuser, and the app itself, who may read
// and write whatever the owner creates in schema public.
type Database struct {
	Cluster *Cluster
	Name    string
	Owner   string // name of the role
	App     string // name of the role

	OwnerURL     string
	AppURL       string
	SuperuserURL string // of the superuser in this database
}

// Database creates a database, and removes it when the test ends, with all
// others that its owner has made by then.
func (c *Cluster) Database(t testing.TB) *Database {
	t.Helper()
	n := strconv.FormatInt(c.count.Add(1), 10)
	d := &Database{Cluster: c, Name: "shop" + n, Owner: "shop" + n + "_owner", App: "shop" + n + "_app"}
	d.OwnerURL = c.url(d.Owner, "owner-secret", d.Name)
	d.AppURL = c.url(d.App, "app-secret", d.Name)
	d.SuperuserURL = c.url(superuser, password, d.Name)

	Exec(t, c.Superuser,
		"CREATE ROLE "+d.Owner+" LOGIN CREATEDB PASSWORD 'owner-secret'",
		"CREATE ROLE "+d.App+" LOGIN PASSWORD 'app-secret'",
		"CREATE DATABASE "+d.Name+" OWNER "+d.Owner)
	t.Cleanup(func() { d.remove(t) })
	Exec(t, d.OwnerURL,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+d.App,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO "+d.App)
	return d
}

// remove drops what the owner has, and both roles.
func (d *Database) remove(t testing.TB) {
	t.Helper()
	if d.Cluster.running == nil {
		return // the files go with the cluster
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.Cluster.Superuser)
	if err != nil {
		t.Errorf("removing database %s: %v", d.Name, err)
		return
	}
	defer conn.Close(ctx)
	rows, _ := conn.Query(ctx, "SELECT quote_ident(datname) FROM pg_database WHERE datdba IN ($1::regrole, $2::regrole) OR datname = $3", d.Owner, d.App, d.Name)
	owned, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range owned {
		if _, dropErr := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); dropErr != nil {
			err = dropErr
		}
	}
	for _, role := range []string{d.App, d.Owner} {
		if _, dropErr := conn.Exec(ctx, "DROP ROLE "+role); dropErr != nil {
			err = dropErr
		}
	}
	if err != nil {
		t.Errorf("removing database %s: %v", d.Name, err)
	}
}

// ThroughSocket is the URL of a user of a database over the unix socket in dir,
// which is where a container has Cluster.SocketDir mounted.
func ThroughSocket(t testing.TB, of, dir string) string {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatal("parsing the URL of a database")
	}
	u.Host, u.RawQuery = "", url.Values{"host": {dir}}.Encode()
	return u.String()
}

// Connect connects to a database until the test ends.
func Connect(t testing.TB, to string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), to)
	if err != nil {
		t.Fatalf("connecting to a database: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Exec runs scripts of SQL, each of one or more statements, over a connection of
// its own.
func Exec(t testing.TB, to string, scripts ...string) {
	t.Helper()
	if err := TryExec(to, scripts...); err != nil {
		t.Fatal(err)
	}
}

// TryExec is Exec for what may fail.
func TryExec(to string, scripts ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, to)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, script := range scripts {
		// The simple protocol takes several statements.
		if _, err := conn.PgConn().Exec(ctx, script).ReadAll(); err != nil {
			return fmt.Errorf("%w, at %.200q", err, place(script, err))
		}
	}
	return nil
}

// place is where in a script an error is.
func place(script string, err error) string {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Position < 1 {
		return strings.TrimSpace(script)
	}
	runes := []rune(script)
	return string(runes[min(int(refused.Position)-1, len(runes)):])
}

// Dump is the schema of a database as pg_dump writes it.
func (d *Database) Dump(t testing.TB, args ...string) string {
	t.Helper()
	return d.Cluster.Run(t, "pg_dump", append([]string{"--schema-only", "--dbname", d.SuperuserURL}, args...)...)
}

// Run runs a client program of PostgreSQL and returns what it says.
func (c *Cluster) Run(t testing.TB, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.Bin, program), args...)
	cmd.Env = environment()
	var failure strings.Builder
	cmd.Stderr = &failure
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, failure.String())
	}
	return string(said)
}
