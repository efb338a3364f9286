package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// migration is one way of a phase's migrations to the live database, by way of a
// copy.
type migration struct {
	switcher.DatabaseWork
	d     *Database
	phase phase
	dry   bool // ends after the rehearsal

	applied bool  // to the live database, to their end
	to      int64 // of goose's down

	w        *work           // the live database
	before   *catalog.Schema // of the live database
	app      appRole
	backup   string            // id; empty: none was made
	tried    *rehearsal        // nil: none was made
	plan     string            // what findings are accepted in
	accepted map[string]string // reasons, by id of finding
}

// Migrate implements switcher.Database.
func (d *Database) Migrate(ctx context.Context, w switcher.DatabaseWork) error {
	m := &migration{DatabaseWork: w, d: d, phase: expand}
	defer d.lookAgain()
	_, err := m.run(ctx)
	return err
}

// run does all steps, and returns one sentence for the history.
func (m *migration) run(ctx context.Context) (string, error) {
	told := m.Enter("preflight")
	var err error
	if m.w, err = m.d.begin(ctx); err != nil {
		return "", err
	}
	defer m.w.end()
	if err := m.w.preflight(ctx); err != nil {
		return "", err
	}
	told("PostgreSQL %s answers, and the owner's role may do what it takes", m.w.conn.PgConn().ParameterStatus("server_version"))
	if err := m.snapshot(ctx); err != nil {
		return "", err
	}
	if m.Request.SkipMigrations || !m.d.options.has(m.phase) {
		return m.unmigrated()
	}
	pending, err := m.pending(ctx)
	if err != nil {
		return "", err
	}
	if !pending {
		m.Say("no new migrations: no backup, no rehearsal")
		return "there was nothing to migrate", m.record(m.before)
	}
	if err := m.w.obstacles(ctx); err != nil {
		return "", err
	}
	if m.dry {
		defer m.dropBackup()
	}
	if err := m.prepare(ctx); err != nil {
		return "", err
	}
	if m.dry {
		return m.planned(), nil
	}
	if err := m.live(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("the migrations of %s were applied", m.Release), nil
}

// prepare is everything before the live database is changed.
func (m *migration) prepare(ctx context.Context) error {
	if !m.dry || m.mode(ctx) == RehearsalFull {
		if err := m.backUp(ctx); err != nil {
			return err
		}
	}
	if m.d.options.Rehearsal.Mode == RehearsalOff {
		m.Warn("no rehearsal, as it is configured: what the migrations do is seen when they have done it")
		return nil
	}
	if err := m.rehearse(ctx); err != nil {
		return err
	}
	return m.judge(ctx)
}

// unmigrated records a release that changes no schema by itself.
func (m *migration) unmigrated() (string, error) {
	if m.dry || m.phase != expand {
		return "", refused("set it in the app's part of the configuration", "no %s command is configured", m.phase)
	}
	if m.Request.SkipMigrations {
		m.Warn("migrations are skipped, as it was asked for")
	}
	return "no migrations were run", m.record(m.before)
}

// snapshot reads the live schema, which must be the one that was recorded last.
func (m *migration) snapshot(ctx context.Context) error {
	told := m.Enter("snapshot")
	var err error
	if m.before, err = m.w.schema(ctx); err != nil {
		return err
	}
	if m.app, err = m.w.appRole(ctx); err != nil {
		return err
	}
	recorded, err := m.d.files.schema(liveFile)
	switch {
	case err != nil:
		return err
	case recorded == nil:
		told("%s, recorded for the first time", tables(m.before))
		return m.d.firstSight(m.before)
	}
	if drift := byHand(recorded, m.before); drift != "" {
		return refused("`bluegreen db accept` takes the schema as it is; or undo the change",
			"the schema was changed by hand since the last deploy: %s", drift)
	}
	told("%s, as they were recorded", tables(m.before))
	return nil
}

func tables(s *catalog.Schema) string {
	if len(s.Tables) == 1 {
		return "1 table"
	}
	return fmt.Sprintf("%d tables", len(s.Tables))
}

// pending reports whether there is anything to migrate. A command is asked by
// running it in sessions that may not write.
func (m *migration) pending(ctx context.Context) (bool, error) {
	if m.phase == down {
		return true, nil // commands that go back go back further each time
	}
	told := m.Enter("pending")
	look := m.attempt("pending", m.d.admin.Database, true)
	look.tell = nil // that it may not write is no failure to show
	err := m.d.perform(ctx, look)
	var failure *runFailure
	switch {
	case errors.Is(err, errPending), errors.As(err, &failure):
		told("there are migrations to apply")
		return true, nil
	case err != nil:
		return false, err
	}
	after, err := m.w.schema(ctx)
	if err != nil {
		return false, err
	}
	if changes := drifted(m.before, after); changes != "" {
		return false, errors.Join(m.d.files.putSchema(liveFile, after), failed("this tool must not be told READ WRITE in its sessions: then it can be rehearsed before it runs",
			"the migrations have written although their sessions were read-only: %s", changes))
	}
	told("every migration is applied already")
	return false, nil
}

// attempt is a run of the phase under a name of its own.
func (m *migration) attempt(name, database string, readOnly bool) run {
	return run{
		phase: m.phase, database: database, readOnly: readOnly, release: m.Release, to: m.to,
		job:  fmt.Sprintf("%s-%s-%s", m.phase, m.Operation, name),
		tell: func(line string) { m.Progress(switcher.Progress{Text: line}) },
	}
}

// record notes what the release needs, and that the live schema is known.
func (m *migration) record(s *catalog.Schema) error {
	if m.dry {
		return nil
	}
	if err := m.mark("record"); err != nil {
		return err
	}
	if err := m.d.recordRelease(s, m.phase, m.DatabaseWork); err != nil || m.phase != contract {
		return err
	}
	return m.d.unaccept(m.accepted)
}

func (m *migration) mark(step string) error {
	if err := m.Mark(step); err != nil {
		return err
	}
	m.d.fail(step)
	return nil
}

// recordRelease notes the live schema, and which release needs it: a contract
// moves what the active one needs, so that earlier ones do not fit any more.
func (d *Database) recordRelease(s *catalog.Schema, p phase, w switcher.DatabaseWork) error {
	var ids, kept []string
	for _, r := range []*switcher.Release{w.Active, w.Previous} {
		if r == nil {
			continue
		}
		kept = append(kept, r.ID)
	}
	switch {
	case p == expand && w.Release != nil:
		ids = append(ids, w.Release.ID)
	case p == contract && w.Active != nil:
		ids = append(ids, w.Active.ID)
	}
	for _, id := range ids {
		if err := d.files.putSchema(releaseFile(id), s); err != nil {
			return err
		}
	}
	if err := d.files.putSchema(liveFile, s); err != nil {
		return err
	}
	d.files.prune(append(kept, ids...)...)
	return nil
}

// firstSight records a schema that nobody has recorded: releases from before
// need it.
func (d *Database) firstSight(s *catalog.Schema) error {
	if err := d.files.putSchema(firstFile, s); err != nil {
		return err
	}
	return d.files.putSchema(liveFile, s)
}

// planned is the end of a plan.
func (m *migration) planned() string {
	return fmt.Sprintf("the migrations of %s would pass; nothing was changed", m.Release)
}

// round shortens a duration for a sentence.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// sentences joins what was found, for an error text.
func sentences(findings []switcher.SchemaFinding) string {
	var whats []string
	for _, f := range findings {
		whats = append(whats, strings.TrimSuffix(f.What, "."))
	}
	return several(whats, 5)
}
