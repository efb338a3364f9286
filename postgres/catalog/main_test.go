package catalog

import (
	"os"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// rich makes a database with something of every kind in it.
func rich(t testing.TB) *pgtest.Database {
	t.Helper()
	d := pgtest.Start(t).Database(t)
	script, err := os.ReadFile("testdata/rich.sql")
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, d.SuperuserURL, as(d, string(script)))
	return d
}

// as puts the names of a database's roles and its own into SQL.
func as(d *pgtest.Database, sql string) string {
	return strings.NewReplacer(":owner", d.Owner, ":app", d.App, ":database", d.Name).Replace(sql)
}

func read(t testing.TB, url string) *Schema {
	t.Helper()
	s, err := Read(t.Context(), pgtest.Connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
