package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

// live runs the migrations on the live database, and looks at what they did.
func (m *migration) live(ctx context.Context) error {
	if err := m.w.still(ctx); err != nil {
		return err
	}
	if err := m.announce(); err != nil {
		return err
	}
	told, began := m.Enter("migrate"), time.Now()
	attempts, err := m.attempts(ctx)
	if err != nil {
		return m.broken(ctx, err)
	}
	m.applied = true
	if err := m.putJournal("", true); err != nil {
		return err
	}
	m.d.fail("migrated")
	text := fmt.Sprintf("applied in %v", round(time.Since(began)))
	if attempts > 1 {
		text += fmt.Sprintf(", with attempt %d", attempts)
	}
	told("%s", text)
	after, err := m.verify(ctx)
	if err != nil {
		return m.broken(ctx, err)
	}
	if err := m.record(after); err != nil {
		return err
	}
	return m.d.forgetMigration()
}

// announce writes down that the live database is about to be changed.
func (m *migration) announce() error {
	if err := m.d.files.putSchema(beforeFile, m.before); err != nil {
		return err
	}
	if m.tried != nil {
		if err := m.d.files.putSchema(afterFile, m.tried.after); err != nil {
			return err
		}
	}
	if err := m.putJournal("", false); err != nil {
		return err
	}
	return m.mark("migrate")
}

func (m *migration) putJournal(job string, ended bool) error {
	j := journal{
		Operation: m.Operation, Phase: m.phase, Job: job, Plan: m.plan, Backup: m.backup, Began: time.Now().UTC().Format(time.RFC3339), Ended: ended,
	}
	if m.Release != nil {
		j.Release = m.Release.String()
	}
	return m.d.files.putJournal(j)
}

// forgetMigration removes what announce has written.
func (d *Database) forgetMigration() error {
	return errors.Join(d.files.remove(journalFile), d.files.remove(beforeFile), d.files.remove(afterFile))
}

// attempts runs the migrations until they pass, or fail for another reason than
// a lock, and returns how many it took.
func (m *migration) attempts(ctx context.Context) (int, error) {
	if m.phase == expand && m.d.options.MigrationsDir != "" && m.Release != nil {
		version, err := m.version(ctx)
		if err == nil {
			err = m.d.files.putVersion(m.Release.ID, version)
		}
		if err != nil {
			return 0, err
		}
	}
	for n := 1; ; n++ {
		err := m.try(ctx, n)
		var failure *runFailure
		if !errors.As(err, &failure) || !failure.locked || n > m.d.options.LockRetries {
			return n, err
		}
		wait := backoff(n, m.d.options.LockTimeout, rand.Float64())
		m.Warn("attempt %d of %d gave up after %v of waiting for a lock, so that nobody had to wait behind it; the next one is in %v",
			n, m.d.options.LockRetries+1, m.d.options.LockTimeout, round(wait))
		if err := pause(ctx, wait); err != nil {
			return n, err
		}
	}
}

// try is one attempt. What an earlier one has left half built goes first.
func (m *migration) try(ctx context.Context, n int) error {
	if n > 1 {
		if err := m.dropInvalid(ctx); err != nil {
			return err
		}
	}
	r := m.attempt(fmt.Sprintf("live%d", n), m.d.admin.Database, false)
	r.live = true
	r.tell = m.some(toldLines)
	if m.d.options.MigrationsDir == "" {
		if err := m.putJournal(r.job, false); err != nil {
			return err
		}
	}
	return m.d.perform(ctx, r)
}

// toldLines is how many lines of a live migration are told for good.
const toldLines = 200

// some says the first lines, and shows the others as they come.
func (m *migration) some(n int) func(string) {
	return func(line string) {
		if n--; n >= 0 {
			m.Say("%s", line)
			return
		}
		m.Progress(switcher.Progress{Text: line})
	}
}

const longestBackoff = 30 * time.Second

// backoff is how long to wait after attempt n; chance is in [0, 1). Whoever was
// waiting behind it gets at least as long as they waited.
func backoff(n int, lockTimeout time.Duration, chance float64) time.Duration {
	wait := max(lockTimeout, 100*time.Millisecond) << min(n-1, 10)
	return time.Duration(float64(min(wait, longestBackoff)) * (1 + chance/2))
}

// dropInvalid drops indexes that an attempt has left half built: the next one
// would find their names taken.
func (m *migration) dropInvalid(ctx context.Context) error {
	rows, _ := m.w.conn.Query(ctx, invalid)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return m.w.explain(ctx, err, "looking for invalid indexes in")
	}
	for _, name := range names { // preflight has seen none
		if _, err := m.w.conn.Exec(ctx, "SET lock_timeout = "+fmt.Sprint(m.d.options.LockTimeout.Milliseconds())); err != nil {
			return m.w.explain(ctx, err, "preparing")
		}
		_, err := m.w.conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+name)
		if state(err) == lockTimeout {
			return &runFailure{what: "the invalid index " + name + ", which an attempt had left, could not be dropped in time", locked: true}
		}
		if err != nil {
			return m.w.explain(ctx, err, "dropping the invalid index "+name+" of")
		}
		m.Say("invalid index %s, which an attempt had left, is dropped", name)
	}
	return nil
}

// verify compares the live schema with that of the rehearsal, and runs the
// migrations once more: there must be nothing left to do.
func (m *migration) verify(ctx context.Context) (*catalog.Schema, error) {
	told := m.Enter("verify")
	if err := m.mark("verify"); err != nil {
		return nil, err
	}
	after, err := m.w.schema(ctx)
	if err != nil {
		return nil, err
	}
	if m.tried != nil {
		if changes := differs(m.tried.after, after); changes != "" {
			return nil, failed("did somebody else change it meanwhile? `bluegreen db accept` takes it as it is", "the live schema is not the one of the rehearsal: %s", changes)
		}
	}
	if err := m.w.invalidIndexes(ctx); err != nil {
		return nil, err
	}
	if m.phase != down {
		if err := m.nothingLeft(ctx, after); err != nil {
			return nil, err
		}
	}
	if m.tried == nil {
		m.seen(after)
	}
	told("the live schema is the one of the rehearsal, and nothing is left to do")
	return after, nil
}

func (m *migration) nothingLeft(ctx context.Context, after *catalog.Schema) error {
	err := m.d.perform(ctx, m.attempt("verify", m.d.admin.Database, m.tried != nil && m.tried.repeats))
	var failure *runFailure
	switch {
	case errors.As(err, &failure):
		return &switcher.Error{Code: switcher.CodeFailed, What: "the migrations fail when they are run again: " + failure.what, Output: failure.output}
	case errors.Is(err, errPending):
		return failed("", "there are migrations left after all were applied")
	case err != nil:
		return err
	}
	now, err := m.w.schema(ctx)
	if err != nil {
		return err
	}
	if changes := drifted(after, now); changes != "" {
		return failed("", "the migrations change the schema again when they are run again: %s", changes)
	}
	return nil
}

// seen tells what migrations did that were not rehearsed.
func (m *migration) seen(after *catalog.Schema) {
	if m.Active == nil || m.d.options.Gate.Mode == GateOff {
		return
	}
	for _, f := range compat.Compare(m.before, after, m.d.rules(m.app)) {
		if f.Verdict != switcher.SchemaPass {
			m.Warn("%s", line(f))
		}
	}
}

// lookTimeout bounds the look at a database after work on it has ended badly.
const lookTimeout = 15 * time.Second

// broken says what a migration of the live database that did not end well has
// left. When the edge itself ends, the next start does that.
func (m *migration) broken(ctx context.Context, cause error) error {
	if ctx.Err() != nil && !wanted(ctx) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	e := &switcher.Error{Code: switcher.CodeFailed, What: cause.Error(), Err: nil}
	var failure *runFailure
	var known *switcher.Error
	switch {
	case errors.As(cause, &failure):
		e.What, e.Output = fmt.Sprintf("the migrations of %s have failed: %s", m.Release, failure.what), failure.output
		if failure.locked {
			e.What = fmt.Sprintf("the migrations of %s did not get a lock within %v, in %d attempts", m.Release, m.d.options.LockTimeout, m.d.options.LockRetries+1)
		}
	case errors.As(cause, &known):
		e.Code, e.What, e.Output, e.Hint = known.Code, known.Error(), known.Output, known.Hint
	case errors.Is(cause, switcher.ErrDiscarded):
		e.What, e.Err = fmt.Sprintf("the migrations of %s were ended", m.Release), switcher.ErrDiscarded
	}
	how := partly
	if m.applied {
		how = wholly
	}
	left, hint, err := m.d.whatIsLeft(ctx, m.before, m.backup, how)
	if err != nil {
		m.Warn("what the migrations have left is not known: %v", err)
		e.Hint = "the journal stays: the next start, or `bluegreen recover`, looks again"
		return e
	}
	e.What += "; " + left
	if e.Hint == "" || hint != "" {
		e.Hint = hint
	}
	if err := m.d.forgetMigration(); err != nil {
		m.Warn("%v", err)
	}
	return e
}

// whatIsLeft compares the live schema with the one before a migration that did
// not end well, and records it: what is different is not a change by hand.
func (d *Database) whatIsLeft(ctx context.Context, before *catalog.Schema, madeBefore, how string) (left, hint string, err error) {
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return "", "", err
	}
	defer hangUp(conn)
	w := &work{conn, d}
	if err := w.endSessions(ctx); err != nil {
		return "", "", err
	}
	now, err := w.schema(ctx)
	if err != nil {
		return "", "", err
	}
	app, err := w.appRole(ctx)
	if err != nil {
		return "", "", err
	}
	if err := d.files.putSchema(liveFile, now); err != nil {
		return "", "", err
	}
	left, hint = leftBehind(compat.Compare(before, now, d.rules(app)), drifted(before, now) == "", how)
	if madeBefore != "" && hint != "" {
		hint += fmt.Sprintf("; backup %s is of before", madeBefore)
	}
	return left, hint, nil
}

// How much of migrations was applied that did not end well.
const (
	partly = "a part of them was applied"
	wholly = "they were applied"
)

// leftBehind says what became of the schema, and the next step.
func leftBehind(findings []switcher.SchemaFinding, same bool, how string) (left, hint string) {
	if same {
		return "nothing of the schema has changed", "correct the migrations, and deploy again"
	}
	var whats, breaks []string
	for _, f := range findings {
		what := fmt.Sprintf("%s (%s %s)", strings.TrimSuffix(f.What, "."), f.Code, f.Object)
		whats = append(whats, what)
		if f.Verdict == switcher.SchemaBlock {
			breaks = append(breaks, what)
		}
	}
	applied := "applied was: " + strings.Join(slices.Compact(whats), ", ")
	if len(breaks) == 0 {
		return how + ", which the release that runs can live with; " + applied,
			"correct the rest of the migrations, and deploy again: what was applied stays"
	}
	return how + ", which the release that runs cannot live with: " + strings.Join(breaks, ", ") + "; " + applied,
		"undo that part now, by hand or with `bluegreen db down`; `bluegreen db restore` loses writes, and says how many"
}
