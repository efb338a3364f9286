package compat_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
)

// bases are the directories of the bases, each with base.sql, the old version's
// workload.sql and a corpus of changes.
var bases = []string{"testdata", "testdata/saas"}

// lab makes the places where changes are tried. Most are in a transaction that is
// rolled back, two at a time in a copy of the base each; the others, in a
// database of their own.
type lab struct {
	cluster    *pgtest.Cluster
	base       string // database
	workload   []string
	schema     *catalog.Schema // of the base
	expected   []outcome       // of the workload on the base
	schemaDump string          // of the base
	rows       catalog.Rows    // of the base
	benches    chan string     // databases that are free
}

// newLabs makes a lab for each base.
func newLabs(t *testing.T, cluster *pgtest.Cluster) map[string]*lab {
	t.Helper()
	pgtest.Exec(t, cluster.Superuser,
		"CREATE ROLE corpus_owner", "CREATE ROLE corpus_other", "CREATE ROLE corpus_staff", "CREATE ROLE corpus_app LOGIN PASSWORD 'app' IN ROLE corpus_staff")
	labs := map[string]*lab{}
	for _, directory := range bases {
		labs[directory] = newLab(t, cluster, directory)
	}
	return labs
}

func newLab(t *testing.T, cluster *pgtest.Cluster, directory string) *lab {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	base := "corpus_base_" + filepath.Base(directory)
	pgtest.Exec(t, cluster.Superuser, "CREATE DATABASE "+base)
	l := &lab{cluster: cluster, base: base, workload: statements(read("workload.sql")), benches: make(chan string, 2)}
	config := l.config(t, base)
	pgtest.Exec(t, config.ConnString(), statements(read("base.sql"))...)
	p := l.database(t, base)
	defer p.close()
	l.schema = p.schema(t)
	l.schemaDump, l.rows = l.dump(t, base, 0), p.rows(t, l.schema)
	early := p.session(t)
	for _, o := range early.run(t, early.prepare(t, l.workload)) {
		if o.failed != "" {
			t.Fatalf("the workload fails on the base: %s: %s", o.statement, o.failed)
		}
		l.expected = append(l.expected, o)
	}
	p.close()
	for i := range cap(l.benches) {
		name := fmt.Sprintf("%s_%d", base, i)
		pgtest.Exec(t, cluster.Superuser, "CREATE DATABASE "+name+" TEMPLATE "+base)
		l.benches <- name
	}
	return l
}

// restores has the base dumped and restored: to a catalog it is to be the same.
func (l *lab) restores(t *testing.T) {
	t.Helper()
	name, archive := l.base+"_restored", filepath.Join(t.TempDir(), "dump")
	l.cluster.Run(t, "pg_dump", "--format=custom", "--file", archive, "--dbname", l.config(t, l.base).ConnString())
	pgtest.Exec(t, l.cluster.Superuser, "CREATE DATABASE "+name+" TEMPLATE template0")
	l.cluster.Run(t, "pg_restore", "--exit-on-error", "--dbname", l.config(t, name).ConnString(), archive)
	p := l.database(t, name)
	defer p.close()
	if restored := p.schema(t); restored.Digest() != l.schema.Digest() {
		t.Errorf("%s differs when it is restored: %v", l.base, compat.Compare(l.schema, restored, compat.Options{}))
	}
}

// config is of a connection of the superuser.
func (l *lab) config(t *testing.T, database string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(l.cluster.Superuser)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("postgres://%s:%s@%s:%d/%s", config.User, config.Password, config.Host, config.Port, database)
	if config, err = pgx.ParseConfig(url); err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["shop.tenant"] = "1"
	return config
}

// alone are changes that a transaction does not take, or that only new
// connections notice.
var alone = regexp.MustCompile(`CONCURRENTLY|VACUUM|ALTER (DATABASE|ROLE)|ON DATABASE|ADD VALUE|BEGIN;|ALTER SEQUENCE|REINDEX`)

func (l *lab) judge(t *testing.T, bench string, number int, c change, f *figures) {
	dumped := l.dumps(number)
	var p *place
	if dumped || alone.MatchString(c.sections["change"]+c.sections["fails"]+c.sections["setup"]) {
		name := fmt.Sprintf("corpus_%d", number)
		pgtest.Exec(t, l.cluster.Superuser, "CREATE DATABASE "+name+" TEMPLATE "+l.base)
		defer pgtest.Exec(t, l.cluster.Superuser, "DROP DATABASE "+name+" WITH (FORCE)")
		p = l.database(t, name)
	} else {
		p = l.transaction(t, bench)
	}
	defer p.close()

	workload, expected, old, rows := l.workload, l.expected, *l.schema, l.rows
	p.change(t, c, c.sections["setup"])
	own := statements(c.sections["old"])
	if len(own) > 0 || c.sections["setup"] != "" {
		workload, expected = slices.Concat(workload, own), nil
		old = *p.schema(t)
		rows = p.rows(t, &old)
	}
	early := p.session(t)
	prepared := early.prepare(t, workload)
	if expected == nil {
		expected = early.run(t, prepared)
		for i, o := range expected {
			if o.failed != "" && i >= len(l.workload) {
				t.Fatalf("it fails before the change: %s: %s", o.statement, o.failed)
			}
		}
	}
	before := l.schemaDump
	if c.sections["setup"] != "" {
		before = l.dump(t, p.name, number)
	}

	p.change(t, c, c.sections["change"])
	for _, statement := range statements(c.sections["fails"]) {
		if pgtest.TryExec(l.config(t, p.name).ConnString(), statement) == nil {
			t.Fatalf("it was to fail: %s", statement)
		}
	}
	new := p.schema(t)
	old.Identity = new.Identity
	after := l.dump(t, p.name, number)
	findings := compat.Compare(&old, new, compat.Options{Role: "corpus_app", Roles: []string{"corpus_staff"}, LargeRows: 1000})
	findings = append(findings, compat.Rows(rows, p.rows(t, new))...)

	broken, reshaped := p.breaks(t, workload, expected, early, prepared)
	later := ""
	if broken == "" && c.sections["new"] != "" {
		p.change(t, c, c.sections["new"])
		later, _ = p.breaks(t, workload, expected, nil, nil)
	}
	f.add(t, c, findings, broken, later, reshaped)
	if dumped {
		f.addNet(t, c, findings, before, after, broken != "")
	}
}

// dumps reports whether dumps are compared in a case: they take long, and are
// made of some only.
func (l *lab) dumps(number int) bool { return number%24 == 0 || os.Getenv("CORPUS_DUMPS") != "" }

// dump is the schema as pg_dump writes it.
func (l *lab) dump(t *testing.T, database string, number int) string {
	t.Helper()
	if !l.dumps(number) {
		return ""
	}
	return l.cluster.Run(t, "pg_dump", "--schema-only", "--dbname", l.config(t, database).ConnString())
}

// place is where a change is tried.
type place struct {
	lab      *lab
	name     string
	owner    *pgx.Conn // a superuser's
	tx       pgx.Tx    // in which the app has the same session; nil: none
	sessions []*session
}

// database is a place of its own.
func (l *lab) database(t *testing.T, name string) *place {
	t.Helper()
	owner, err := pgx.ConnectConfig(t.Context(), l.config(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return &place{lab: l, name: name, owner: owner}
}

func (l *lab) transaction(t *testing.T, name string) *place {
	t.Helper()
	p := l.database(t, name)
	var err error
	if p.tx, err = p.owner.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) close() {
	for _, s := range p.sessions {
		if s.own {
			_ = s.conn.Close(context.Background())
		}
	}
	_ = p.owner.Close(context.Background())
}

// change runs a script as who changes the schema.
func (p *place) change(t *testing.T, c change, script string) {
	t.Helper()
	all := statements(script)
	if len(all) == 0 {
		return
	}
	if !c.superuser {
		all = append(append([]string{"SET ROLE corpus_owner"}, all...), "RESET ROLE")
	}
	for _, statement := range all {
		if _, err := p.owner.PgConn().Exec(t.Context(), statement).ReadAll(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (p *place) rows(t *testing.T, s *catalog.Schema) catalog.Rows {
	t.Helper()
	rows, err := catalog.ReadRows(t.Context(), p.owner, s, []string{"public.events", "app.activity_2026"})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (p *place) schema(t *testing.T) *catalog.Schema {
	t.Helper()
	if p.tx == nil {
		s, err := catalog.Read(t.Context(), p.owner)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// What reading sets would last until the end of the transaction.
	nested, err := p.tx.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := catalog.ReadIn(t.Context(), nested)
	if err != nil {
		t.Fatal(err)
	}
	if err := nested.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// session is one of the app: a new connection, or the only one there is.
func (p *place) session(t *testing.T) *session {
	t.Helper()
	s, err := p.trySession(t)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *place) trySession(t *testing.T) (*session, error) {
	t.Helper()
	s := &session{conn: p.owner, name: fmt.Sprintf("p%d_", len(p.sessions)), end: "ROLLBACK TO tried",
		enter: "SAVEPOINT entered; SET LOCAL SESSION AUTHORIZATION corpus_app; SAVEPOINT tried", leave: "ROLLBACK TO entered; RELEASE entered"}
	if p.tx == nil {
		config := p.lab.config(t, p.name)
		config.User, config.Password = "corpus_app", "app"
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			return nil, err
		}
		s = &session{conn: conn, begin: "BEGIN", end: "ROLLBACK", own: true}
	}
	p.sessions = append(p.sessions, s)
	return s, nil
}

// breaks runs the workload on the changed database, in the session from before
// and in a new one, and says what the old version finds broken. A prepared
// statement whose result has changed in shape is told apart.
func (p *place) breaks(t *testing.T, workload []string, expected []outcome, early *session, prepared []statement) (broken, reshaped string) {
	t.Helper()
	compare := func(which string, got []outcome) {
		for i, o := range got {
			switch {
			case expected[i].failed != "": // before too
			case which == "before" && strings.Contains(o.failed, "0A000"):
				reshaped = o.statement
			case broken == "" && o.failed != "":
				broken = fmt.Sprintf("prepared %s: %s: %s", which, o.statement, o.failed)
			case broken == "" && !o.equal(expected[i]):
				broken = fmt.Sprintf("prepared %s: %s: %v instead of %v", which, o.statement, o, expected[i])
			}
		}
	}
	if early != nil {
		compare("before", early.run(t, prepared))
	}
	if broken != "" {
		return broken, reshaped
	}
	late, err := p.trySession(t)
	if err != nil {
		return "connecting: " + err.Error(), reshaped
	}
	compare("now", late.run(t, late.prepare(t, workload)))
	return broken, reshaped
}
