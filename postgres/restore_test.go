package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// ruin is a database with a backup, on which a disaster can be practised.
type ruin struct {
	t *testing.T
	*pgtest.Database
	db   *Database
	lent *lender
}

const ruinSchema = `
	CREATE TABLE entries (id serial PRIMARY KEY, text text NOT NULL);
	CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry int REFERENCES entries);
	CREATE SEQUENCE tickets INCREMENT -2 START -1;
	INSERT INTO entries (text) SELECT 'entry '||i FROM generate_series(1, 100) i;
	INSERT INTO orders (entry) SELECT id FROM entries;
	SELECT nextval('tickets') FROM generate_series(1, 5)`

// newRuin makes one on a cluster; its owner may end the sessions of the app.
func newRuin(t *testing.T, c *pgtest.Cluster, options ...func(*Options)) *ruin {
	t.Helper()
	r := &ruin{t: t, Database: c.Database(t), lent: &lender{}}
	pgtest.Exec(t, c.Superuser, "GRANT "+r.App+" TO "+r.Owner)
	pgtest.Exec(t, r.OwnerURL, ruinSchema)
	r.open(options...)
	return r
}

func (r *ruin) open(options ...func(*Options)) {
	r.t.Helper()
	o := Options{
		App: "shop", Owner: "edge-1", Dir: r.t.TempDir(), AdminURL: r.OwnerURL, AdminURLEnv: "ADMIN_URL", URLEnv: "DATABASE_URL",
		AppURL: func() (string, error) { return r.AppURL, nil }, Restore: Restore{KeepFailed: 1},
	}
	for _, option := range options {
		option(&o)
	}
	var err error
	if r.db, err = New(o); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.db.Close)
}

// backup makes a verified one and returns its id.
func (r *ruin) backup() string {
	r.t.Helper()
	id := r.unverified()
	r.verify(id)
	return id
}

// unverified makes a backup that was never restored, which takes less time.
func (r *ruin) unverified() string {
	r.t.Helper()
	m, err := r.db.backups.Create(r.t.Context(), backup.Source{Server: r.db.server, Reason: "test", Schema: catalog.ReadIn}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return m.ID
}

func (r *ruin) verify(id string) {
	r.t.Helper()
	_, err := r.db.verify(r.t.Context(), r.lent.work(switcher.DatabaseRequest{}), id)
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *ruin) plan() switcher.RestorePlan {
	r.t.Helper()
	plan, err := r.db.PlanRestore(r.t.Context(), switcher.DatabaseRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return plan
}

// restore confirms a plan and carries it out.
func (r *ruin) restore(plan switcher.RestorePlan) (string, error) {
	return r.db.restore(r.t.Context(), r.lent.work(switcher.DatabaseRequest{Plan: plan.ID, Lost: &plan.Lost, FreezeWrites: plan.Freezes}))
}

func (r *ruin) mustRestore() string {
	r.t.Helper()
	said, err := r.restore(r.plan())
	if err != nil {
		r.t.Fatal(err)
	}
	return said
}

// ask returns one value of the live database, as the superuser sees it.
func (r *ruin) ask(sql string, args ...any) (answer string) {
	r.t.Helper()
	return ask(r.t, r.SuperuserURL, sql, args...)
}

func ask(t *testing.T, url, sql string, args ...any) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), "SELECT ("+sql+")::text", args...).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// databases are those of the owner, but for the number at the end of kept ones.
func (r *ruin) databases() string {
	r.t.Helper()
	return ask(r.t, r.Cluster.Superuser, `SELECT coalesce(string_agg(regexp_replace(datname, '_failed_.*', '_failed')||CASE WHEN datallowconn THEN '' ELSE '(closed)' END, ' ' ORDER BY datname), '')
		FROM pg_database WHERE datdba = $1::text::regrole`, r.Owner)
}

// lender is what an app lends to its database, and remembers it.
type lender struct {
	mu    sync.Mutex
	lines []string
	hold  func()
}

func (l *lender) work(r switcher.DatabaseRequest) switcher.DatabaseWork {
	return switcher.DatabaseWork{
		Teller: l, Operation: fmt.Sprintf("op%d", time.Now().UnixNano()), Actor: "maria", Request: r,
		Freeze: func(on bool) { l.say("freeze %v", on) },
		Hold: func(context.Context) func() {
			l.say("hold")
			if l.hold != nil {
				l.hold()
			}
			return sync.OnceFunc(func() { l.say("release") })
		},
	}
}

func (l *lender) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *lender) Enter(step string) func(string, ...any) {
	return func(format string, args ...any) { l.say(step+": "+format, args...) }
}
func (l *lender) Say(format string, args ...any)  { l.say(format, args...) }
func (l *lender) Warn(format string, args ...any) { l.say("warning: "+format, args...) }
func (l *lender) Progress(switcher.Progress)      {}
func (l *lender) Mark(step string) error          { l.say("mark %s", step); return nil }

func (l *lender) said(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(line string) bool { return strings.Contains(line, what) })
}

func TestADroppedTableComesBackAndWhatIsLostWasTold(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	r.backup()
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) SELECT 'late' FROM generate_series(1, 30)", "UPDATE entries SET text = 'changed' WHERE id <= 5",
		"INSERT INTO orders (entry) SELECT 1 FROM generate_series(1, 7)", "DELETE FROM orders WHERE id <= 2")
	pgtest.Exec(t, r.OwnerURL, "DROP TABLE entries CASCADE")

	plan := r.plan()
	if plan.Lost != 30+5+7+2 || plan.CountedBy != byCounters || !plan.Verified || len(plan.Obstacles) > 0 {
		t.Errorf("the plan says %+v", plan)
	}
	if l := plan.Tables; len(l) != 2 || !slices.Equal(l[0].Gone, []string{"public.entries"}) || l[0].Total() != 35 || l[1].Table != "public.orders" || l[1].Total() != 9 {
		t.Errorf("by table: %+v", l)
	}
	said, err := r.restore(plan)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(r.lent.lines, "\n"))
	}
	t.Log(said)
	if got := r.ask("SELECT (SELECT count(*) FROM entries)||' '||(SELECT count(*) FROM orders)"); got != "100 100" {
		t.Errorf("rows are %s", got)
	}
	if !strings.Contains(said, "44 written rows lost, 44 had been told") {
		t.Errorf("the history says: %s", said)
	}
	if got := r.databases(); got != r.Name+" "+r.Name+"_failed" {
		t.Errorf("databases are %s", got)
	}
	pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('again')")
}
