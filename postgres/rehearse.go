package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

const (
	smallDatabase = 2 << 30     // bytes up to which a rehearsal has all rows
	quickDump     = time.Minute // the last dump took less: so has it
)

// rehearsal is what the migrations did in a copy.
type rehearsal struct {
	m             *migration
	b             *beside
	server        *backup.Server // the copy
	before, after *catalog.Schema

	dumpBefore, dumpAfter string
	found                 []switcher.SchemaFinding // besides what both schemas tell
	repeats               bool                     // a second run needs no right to write
	missing               map[string]bool          // from the copy, by kind and name: only a superuser could make it
}

// needsScratch reports whether databases beside the live one are made.
func (d *Database) needsScratch() bool {
	return d.options.Rehearsal.Mode != RehearsalOff || d.options.Backup.Verify
}

// mode is what a rehearsal of this database has.
func (m *migration) mode(ctx context.Context) RehearsalMode {
	if mode := m.d.options.Rehearsal.Mode; mode != RehearsalAuto && mode != "" {
		return mode
	}
	if len(m.d.options.Backup.Command) > 0 && len(m.d.options.Restore.Command) == 0 {
		return RehearsalSchema // nothing is known to bring such a backup back
	}
	small := m.d.options.Rehearsal.Small
	if small == 0 {
		small = smallDatabase
	}
	var size int64
	if err := m.w.conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size); err == nil && size < small {
		return RehearsalFull
	}
	if last, err := m.d.backups.Latest(); err == nil && last != nil && last.Took.Duration() < quickDump {
		return RehearsalFull
	}
	return RehearsalSchema
}

// backUp makes the backup to which a failed migration can go back.
func (m *migration) backUp(ctx context.Context) error {
	told := m.Enter("backup")
	if err := m.mark("backup"); err != nil {
		return err
	}
	reason := "deploy"
	switch {
	case m.dry:
		reason = reasonPlan
	case m.phase != expand:
		reason = string(m.phase)
	}
	made, err := m.d.backUp(ctx, reason, m.Release, m.Progress)
	if err != nil {
		return err
	}
	m.backup = made.ID
	told("%s, %s in %v", made.ID, backup.Size(made.Bytes), round(made.Took.Duration()))
	return nil
}

// rehearse runs the migrations in a copy of the database.
func (m *migration) rehearse(ctx context.Context) error {
	told, began := m.Enter("rehearsal"), time.Now()
	if err := m.mark("rehearsal"); err != nil {
		return err
	}
	b, err := m.d.createBeside(ctx, m.w.conn, "scratch", m.Operation)
	if err != nil {
		return err
	}
	defer b.remove(ctx)
	m.d.fail("scratch")
	r := &rehearsal{m: m, b: b, server: m.d.server.In(b.name)}
	how, err := r.fill(ctx)
	if err != nil {
		return err
	}
	m.d.fail("filled")
	if err := r.perform(ctx); err != nil {
		return err
	}
	m.tried = r
	told("passed in %v on %s", round(time.Since(began)), how)
	return nil
}

// fill makes the copy, and says what of.
func (r *rehearsal) fill(ctx context.Context) (string, error) {
	m := r.m
	if m.mode(ctx) == RehearsalFull && m.backup != "" {
		made, err := m.d.backups.Verify(ctx, m.backup, r.server, m.Progress)
		if err != nil {
			return "", fmt.Errorf("restoring the backup for the rehearsal: %w", err)
		}
		m.d.noteBackups() // one is verified now
		return fmt.Sprintf("the restored backup, which took %v", round(made.Verified.Took.Duration())), nil
	}
	if _, err := m.d.backups.CopySchema(ctx, m.d.server, r.server); err != nil {
		return "", fmt.Errorf("copying the schema for the rehearsal: %w", err)
	}
	if err := backup.CopyRows(ctx, m.d.server, r.server, m.bookkeeping()); err != nil {
		return "", fmt.Errorf("copying the tables in which migrations are noted: %w", err)
	}
	return "the schema alone, without rows", nil
}

// noted are the tables in which tools note what they have applied: goose, Django,
// Rails, Alembic, Prisma, Flyway, Liquibase, Knex, Sequelize, TypeORM, Entity
// Framework, sqlx, diesel, Ecto, Drizzle, golang-migrate, dbmate, MikroORM, Phinx,
// Laravel, Doctrine, node-pg-migrate, Sqitch, Atlas, tern.
var noted = []string{
	expandTable, contractTable, "django_migrations", "django_content_type", "auth_permission", "schema_migrations", "ar_internal_metadata",
	"alembic_version", "_prisma_migrations", "flyway_schema_history", "databasechangelog", "databasechangeloglock", "knex_migrations",
	"knex_migrations_lock", "SequelizeMeta", "migrations", "typeorm_metadata", "__EFMigrationsHistory", "_sqlx_migrations",
	"__diesel_schema_migrations", "__drizzle_migrations", "mikro_orm_migrations", "phinxlog", "doctrine_migration_versions",
	"pgmigrations", "schema_version", "atlas_schema_revisions", "schemaversion", "migration_versions",
}

// bookkeeping lists the tables whose rows the migrations need to know what there
// is to do.
func (m *migration) bookkeeping() []string {
	var tables []string
	for name := range m.before.Tables {
		bare := strings.Trim(name[strings.LastIndex(name, ".")+1:], `"`)
		if slices.Contains(noted, bare) || strings.HasPrefix(name, "sqitch.") || slices.Contains(m.d.options.Rehearsal.Tables, name) {
			tables = append(tables, name)
		}
	}
	slices.Sort(tables)
	return tables
}

// perform runs the migrations in the copy, and looks at it before and after.
func (r *rehearsal) perform(ctx context.Context) error {
	m := r.m
	conn, err := m.d.asOwner(ctx, r.b.name)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	if r.before, err = readSchema(ctx, conn); err != nil {
		return err
	}
	if err := r.sameAsLive(); err != nil {
		return err
	}
	if r.dumpBefore, err = m.d.backups.DumpSchema(ctx, r.server); err != nil {
		return err
	}
	statements, err := r.collect(ctx)
	if err != nil {
		return err
	}
	rows, err := catalog.ReadRows(ctx, conn, r.before, m.bookkeeping())
	if err != nil {
		return explain(ctx, err, "looking at", conn.Config())
	}
	seen, err := r.watched(ctx, conn)
	if err != nil {
		return err
	}
	if r.after, err = readSchema(ctx, conn); err != nil {
		return err
	}
	rowsAfter, err := catalog.ReadRows(ctx, conn, r.after, m.bookkeeping())
	if err != nil {
		return explain(ctx, err, "looking at", conn.Config())
	}
	r.lend(r.after)
	if r.found, err = statements.again(ctx, r); err != nil {
		return err
	}
	r.found = append(r.found, compat.Rows(rows, rowsAfter)...)
	r.found = append(r.found, seen.Findings(r.before, r.after, r.lockOptions())...)
	if r.dumpAfter, err = m.d.backups.DumpSchema(ctx, r.server); err != nil {
		return err
	}
	if err := r.again(ctx, conn); err != nil {
		return err
	}
	return r.andBack(ctx, conn)
}

// sameAsLive refuses a copy that is not one: what it says would be of another
// database.
func (r *rehearsal) sameAsLive() error {
	r.lend(r.before)
	if changes := differs(r.m.before, r.before); changes != "" {
		return failed("rehearsal.mode: off does without one", "the copy for the rehearsal is not like the live database: %s", changes)
	}
	if missing := slices.Sorted(maps.Keys(r.missing)); len(missing) > 0 {
		r.m.Say("the copy has no %s: only a superuser could make it there", several(missing, 5))
	}
	return nil
}

// lend adds to a schema of the copy what the edge's role could not make there,
// and what therefore no migration that it runs can change.
func (r *rehearsal) lend(s *catalog.Schema) {
	if r.missing == nil {
		r.missing = map[string]bool{}
		lacking(r.missing, "extension", r.m.before.Extensions, s.Extensions)
		lacking(r.missing, "publication", r.m.before.Publications, s.Publications)
		lacking(r.missing, "event trigger", r.m.before.EventTriggers, s.EventTriggers)
	}
	borrow(r.missing, "extension", r.m.before.Extensions, &s.Extensions)
	borrow(r.missing, "publication", r.m.before.Publications, &s.Publications)
	borrow(r.missing, "event trigger", r.m.before.EventTriggers, &s.EventTriggers)
}

func lacking[T any](missing map[string]bool, kind string, live, own map[string]T) {
	for name := range live {
		if _, there := own[name]; !there {
			missing[kind+" "+name] = true
		}
	}
}

func borrow[T any](missing map[string]bool, kind string, live map[string]T, own *map[string]T) {
	for name, object := range live {
		if !missing[kind+" "+name] {
			continue
		}
		if *own == nil {
			*own = map[string]T{}
		}
		if _, there := (*own)[name]; !there {
			(*own)[name] = object
		}
	}
}

// failed tells that the migrations fail, which is what a rehearsal is for.
func (r *rehearsal) failed(err error) error {
	var failure *runFailure
	if !errors.As(err, &failure) {
		return err
	}
	return &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf("the migrations of %s fail in the rehearsal: %s", r.m.Release, failure.what),
		Hint: "nothing of the live database was changed; what they said is below", Output: failure.output}
}

// again runs the migrations once more: there must be nothing left to do, or else
// they cannot be tried again after a lock timeout.
func (r *rehearsal) again(ctx context.Context, conn *pgx.Conn) error {
	m := r.m
	if m.phase == down {
		return nil
	}
	err := m.d.perform(ctx, m.attempt("again-ro", r.b.name, true))
	r.repeats = err == nil
	var failure *runFailure
	if errors.As(err, &failure) || errors.Is(err, errPending) {
		err = m.d.perform(ctx, m.attempt("again", r.b.name, false))
	}
	if errors.As(err, &failure) {
		return &switcher.Error{Code: switcher.CodeFailed, What: "the migrations fail when they are run again: " + failure.what,
			Hint: "a second run must find nothing to do; nothing of the live database was changed", Output: failure.output}
	}
	if err != nil {
		return err
	}
	now, err := readSchema(ctx, conn)
	if err != nil {
		return err
	}
	r.lend(now)
	if changes := drifted(r.after, now); changes != "" {
		return failed("a second run must find nothing to do; nothing of the live database was changed", "the migrations change the schema again when they are run again: %s", changes)
	}
	return nil
}

// andBack tries the way back, if there is one.
func (r *rehearsal) andBack(ctx context.Context, conn *pgx.Conn) error {
	m := r.m
	if m.phase != expand || len(m.d.options.Down) == 0 && m.d.options.MigrationsDir == "" {
		return nil
	}
	back := m.attempt("down", r.b.name, false)
	back.phase = down
	var err error
	if back.to, err = m.version(ctx); err != nil {
		return err
	}
	finding := func(what string) {
		r.found = append(r.found, switcher.SchemaFinding{Code: "down_incomplete", Object: "database", Verdict: switcher.SchemaWarn, What: what,
			Why: "`bluegreen db down` would not bring the old schema back", Remedy: "correct the down migrations, or leave them out"})
	}
	var failure *runFailure
	if err := m.d.perform(ctx, back); errors.As(err, &failure) {
		finding("the way back fails: " + failure.what)
		return nil
	} else if err != nil {
		return err
	}
	now, err := readSchema(ctx, conn)
	if err != nil {
		return err
	}
	r.lend(now)
	if changes := differs(r.before, now); changes != "" {
		finding("the way back leaves another schema: " + changes)
	}
	return nil
}

// version is goose's version that the way back of this release leads to.
func (m *migration) version(ctx context.Context) (int64, error) {
	if m.d.options.MigrationsDir == "" {
		return 0, nil
	}
	return m.d.gooseVersion(ctx, expand)
}
