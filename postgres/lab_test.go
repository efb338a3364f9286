package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// lab is a Database on a real server, with releases whose migrations are lists
// of SQL.
type lab struct {
	t       *testing.T
	db      *pgtest.Database
	d       *Database
	options Options
	jobs    *jobs
	teller  *teller
	count   int
}

func newLab(t *testing.T, change ...func(*Options)) *lab {
	t.Helper()
	return labOn(t, pgtest.Start(t).Database(t), change...)
}

func labOn(t *testing.T, db *pgtest.Database, change ...func(*Options)) *lab {
	t.Helper()
	l := &lab{t: t, db: db, jobs: newJobs(), teller: &teller{}}
	l.options = labOptions(t.TempDir(), db.OwnerURL, db.AppURL, l.jobs)
	for _, c := range change {
		c(&l.options)
	}
	l.open()
	return l
}

func labOptions(dir, ownerURL, appURL string, jobs switcher.Jobs) Options {
	app := ownerURL[strings.LastIndex(ownerURL, "/")+1:] // scratch databases of tests that run at once are told apart by it
	return Options{
		App: app, Owner: "edge-1", Dir: filepath.Join(dir, "databases", "shop"),
		AppURL: func() (string, error) { return appURL, nil }, URLEnv: "DATABASE_URL", AdminURL: ownerURL, AdminURLEnv: "ADMIN_URL",
		Jobs: jobs, Expand: []string{"migrate"}, Contract: []string{"contract"},
		LockTimeout: 100 * time.Millisecond, LockRetries: 3,
		Rehearsal: Rehearsal{Mode: RehearsalAuto}, Gate: Gate{Mode: GateEnforce}, Backup: Backup{Keep: 3, At: -1},
	}
}

func (l *lab) open() {
	l.t.Helper()
	d, err := New(l.options)
	if err != nil {
		l.t.Fatal(err)
	}
	l.d = d
}

// release is one whose migrations are these statements, each its own step.
func (l *lab) release(steps ...string) *switcher.Release {
	l.count++
	r := &switcher.Release{ID: fmt.Sprintf("r%d", l.count), Commit: fmt.Sprintf("c%d", l.count), ImageID: fmt.Sprintf("i%d", l.count)}
	l.jobs.steps[r.ImageID] = steps
	return r
}

func (l *lab) work(r, active *switcher.Release) switcher.DatabaseWork {
	l.teller = &teller{}
	l.count++
	return switcher.DatabaseWork{
		Teller: l.teller, Operation: fmt.Sprintf("op%d", l.count), Actor: "maria", Release: r, Active: active,
		Freeze: func(bool) {}, Hold: func(context.Context) func() { return func() {} },
	}
}

// deploy migrates for r, which must pass.
func (l *lab) deploy(r, active *switcher.Release) {
	l.t.Helper()
	if err := l.d.Migrate(l.t.Context(), l.work(r, active)); err != nil {
		l.t.Fatalf("%v\n%s", err, l.teller)
	}
}

// schema is the live schema as pg_dump writes it.
func (l *lab) schema() string {
	l.t.Helper()
	text, err := l.d.backups.DumpSchema(l.t.Context(), l.d.server)
	if err != nil {
		l.t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`).ReplaceAllString(text, "")
}

// clean fails when something of an operation was left.
func (l *lab) clean() {
	l.t.Helper()
	l.d.Close()
	var left []string
	conn := pgtest.Connect(l.t, l.db.Cluster.Superuser)
	rows, _ := conn.Query(l.t.Context(), "SELECT datname FROM pg_database WHERE datname LIKE 'bluegreen\\_%' AND pg_get_userbyid(datdba) = $1", l.db.Owner)
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(left) > 0 {
		l.t.Errorf("databases are left: %v %v", left, err)
	}
	if names := l.d.files.scratches(); len(names) > 0 {
		l.t.Errorf("names of scratch databases are left: %v", names)
	}
	if j, err := l.d.files.journal(); j != nil || err != nil {
		l.t.Errorf("a journal is left: %v %v", j, err)
	}
	var locks int
	owner := pgtest.Connect(l.t, l.db.OwnerURL)
	await(l.t, "the advisory lock to be free", func() bool {
		err := owner.QueryRow(l.t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&locks)
		return err == nil && locks == 0
	})
	if ids, _ := l.jobs.Jobs(l.t.Context()); len(ids) > 0 {
		l.t.Errorf("jobs are left: %v", ids)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func says(t *testing.T, err error, code switcher.Code, parts ...string) {
	t.Helper()
	if err == nil || switcher.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want %s", err, switcher.CodeOf(err), code)
	}
	text := err.Error()
	var e *switcher.Error
	if errors.As(err, &e) {
		text += "\n" + e.Hint + "\n" + strings.Join(e.Output, "\n")
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
	for _, secret := range []string{"app-secret", "owner-secret", "topsecret", "wr0ngpass"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in:\n%s", secret, text)
		}
	}
}

// teller keeps what it is told.
type teller struct {
	mu    sync.Mutex
	lines []string
	steps []string
	marks []string
	mark  func(string)

	progress []string
}

func (t *teller) add(kind, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, kind+": "+fmt.Sprintf(format, args...))
}

func (t *teller) Enter(step string) func(string, ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		t.add(step, "%s [%v]", fmt.Sprintf(format, args...), time.Since(began).Round(time.Millisecond))
		t.mu.Lock()
		t.steps = append(t.steps, step)
		t.mu.Unlock()
	}
}
func (t *teller) Say(format string, args ...any)  { t.add("say", format, args...) }
func (t *teller) Warn(format string, args ...any) { t.add("warn", format, args...) }
func (t *teller) Progress(p switcher.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress = append(t.progress, p.Text)
}
func (t *teller) Mark(step string) error {
	t.mu.Lock()
	t.marks = append(t.marks, step)
	t.mu.Unlock()
	if t.mark != nil {
		t.mark(step)
	}
	return nil
}

func (t *teller) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func (t *teller) has(text string) bool { return strings.Contains(t.String(), text) }

// jobs run a little migration tool: it notes its steps in a table, applies what
// is missing, each in a transaction of its own, and says so.
type jobs struct {
	mu     sync.Mutex
	steps  map[string][]string // by image; a contract's under image/contract
	ran    []switcher.Job
	exist  map[string]bool
	before func(job switcher.Job) // is called first
}

func newJobs() *jobs { return &jobs{steps: map[string][]string{}, exist: map[string]bool{}} }

func (j *jobs) Once(ctx context.Context, job switcher.Job, take func(switcher.Line)) (int, error) {
	j.mu.Lock()
	j.ran, j.exist[job.ID] = append(j.ran, job), true
	key := job.Release.ImageID
	if job.Command[0] != "migrate" {
		key += "/" + job.Command[0]
	}
	steps, before := j.steps[key], j.before
	j.mu.Unlock()
	if before != nil {
		before(job)
	}
	code := tool(ctx, job.Environment["DATABASE_URL"], job.Command[0], steps, func(text string) { take(switcher.Line{Text: []byte(text)}) })
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.exist, job.ID)
	return code, nil
}

func (j *jobs) Jobs(context.Context) ([]string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []string
	for id := range j.exist {
		ids = append(ids, id)
	}
	return ids, nil
}

func (j *jobs) Remove(_ context.Context, id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.exist, id)
	return nil
}

// names returns the ends of the ids of the jobs that ran.
func (j *jobs) names() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var names []string
	for _, job := range j.ran {
		names = append(names, job.ID[strings.Index(job.ID, "op")+3:])
	}
	return names
}

func tool(ctx context.Context, url, command string, steps []string, say func(string)) int {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		say(err.Error())
		return 1
	}
	defer hangUp(conn)
	fail := func(err error) int {
		say("error with " + url + ": " + err.Error())
		return 1
	}
	if command == "migrate-down" || command == "down" {
		for _, step := range steps {
			if _, err := conn.Exec(ctx, step); err != nil {
				return fail(err)
			}
		}
		return 0
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('schema_migrations') IS NOT NULL").Scan(&there); err != nil {
		return fail(err)
	}
	if !there {
		if _, err := conn.Exec(ctx, "CREATE TABLE schema_migrations (step text PRIMARY KEY)"); err != nil {
			return fail(err)
		}
	}
	rows, _ := conn.Query(ctx, "SELECT step FROM schema_migrations")
	done, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fail(err)
	}
	for _, step := range steps {
		if slices.Contains(done, step) {
			continue
		}
		if strings.Contains(step, "CONCURRENTLY") {
			if _, err := conn.Exec(ctx, step); err != nil {
				return fail(err)
			}
			if _, err := conn.Exec(ctx, "INSERT INTO schema_migrations VALUES ($1)", step); err != nil {
				return fail(err)
			}
			continue
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Conn().PgConn().Exec(ctx, step).ReadAll(); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO schema_migrations VALUES ($1)", step)
			return err
		})
		if err != nil {
			return fail(err)
		}
		say("applied: " + step)
	}
	return 0
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
