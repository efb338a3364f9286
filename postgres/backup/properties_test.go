package backup

import (
	"reflect"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestTheDatabasesOwnPropertiesComeBack(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.SuperuserURL,
		"ALTER DATABASE "+l.Name+" SET search_path TO \"$user\", 'Odd, \"one\"', public", "ALTER DATABASE "+l.Name+" SET work_mem TO '7MB'",
		"ALTER DATABASE "+l.Name+` SET app.path TO 'c:\it''s'`, "ALTER ROLE "+l.App+" IN DATABASE "+l.Name+" SET statement_timeout TO '5s'",
		"REVOKE ALL ON DATABASE "+l.Name+" FROM PUBLIC", "GRANT CONNECT ON DATABASE "+l.Name+" TO "+l.App+" WITH GRANT OPTION",
		"ALTER DATABASE "+l.Name+" CONNECTION LIMIT 17", "COMMENT ON DATABASE "+l.Name+" IS 'it''s the shop'")
	want := l.backup(t).Properties
	if len(want.Settings) != 4 || want.ConnectionLimit != 17 || want.Owner != l.Owner || want.Encoding != "UTF8" || want.Collate != "C.UTF-8" {
		t.Errorf("properties %+v", want)
	}
	copied := l.Name + `"odd`
	if err := CreateDatabase(t.Context(), server(t, l.SuperuserURL), copied, want, "ours"); err != nil {
		t.Fatal(told(err))
	}
	conn := pgtest.Connect(t, l.SuperuserURL)
	for _, sql := range want.Statements(copied) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	super, err := server(t, l.SuperuserURL).In(copied).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadProperties(t.Context(), super)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the copy has\n%+v, want\n%+v (%v)", got, want, err)
	}
	_ = super.Close(t.Context())
	if err := DropDatabase(t.Context(), server(t, l.SuperuserURL), copied, "ours"); err == nil {
		t.Error("a database with a comment of somebody else's is removed")
	}
	pgtest.Exec(t, l.SuperuserURL, `COMMENT ON DATABASE "`+l.Name+`""odd" IS 'ours'`)
	if err := DropDatabase(t.Context(), server(t, l.SuperuserURL), copied, "ours"); err != nil {
		t.Error(told(err))
	}
}

// An autovacuum of what was just restored is a process that the owner of the
// database may not end; so is a superuser's session, which is easier to have.
func TestADatabaseIsRemovedOnceOthersHaveLeftIt(t *testing.T) {
	l := newLab(t)
	name := l.Name + "_scratch"
	like := Properties{Owner: l.Owner, Encoding: "UTF8", Provider: "libc", Collate: "C.UTF-8", CType: "C.UTF-8"}
	if err := CreateDatabase(t.Context(), l.server, name, like, "ours"); err != nil {
		t.Fatal(told(err))
	}
	inside, err := server(t, l.SuperuserURL).In(name).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- DropDatabase(t.Context(), l.server, name, "ours") }()
	until(t, "it is being removed", func() bool {
		var trying bool
		err := l.super.QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'DROP DATABASE%' || $1 || '%' AND state = 'active' AND pid <> pg_backend_pid()", name).Scan(&trying)
		return err == nil && trying
	})
	if err := inside.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(told(err))
	}
}

func TestConnectionStringsOfBothFormsReachTheTools(t *testing.T) {
	for _, connection := range []string{
		"postgres://ann:s%40cret-w%C3%B6rd@db.example:6543/shop?sslmode=disable&options=-c%20work_mem%3D1MB&connect_timeout=7",
		`host=db.example port=6543 user=ann password='s@cret-wörd' dbname=shop sslmode=disable options='-c work_mem=1MB' connect_timeout=7`,
	} {
		got := map[string]bool{}
		for _, variable := range server(t, connection).environment() {
			got[variable] = true
		}
		for _, want := range []string{"LC_ALL=C", "PGHOST=db.example", "PGPORT=6543", "PGUSER=ann", "PGPASSWORD=s@cret-wörd", "PGDATABASE=shop",
			"PGSSLMODE=disable", "PGOPTIONS=-c work_mem=1MB", "PGCONNECT_TIMEOUT=7"} {
			if !got[want] {
				t.Errorf("%s: without %s: %v", connection[:8], want, got)
			}
		}
		masked := server(t, connection).mask.Line("x s%40cret-w%C3%B6rd s@cret-wörd y")
		if masked != "x … … y" {
			t.Errorf("masked: %s", masked)
		}
	}
}
