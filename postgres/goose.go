package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"sofiacall.com/bluegreen/switcher"
)

// The tables in which goose notes what was applied. Each phase has one, for
// goose wants the versions in a folder to rise.
const (
	expandTable   = goose.DefaultTablename
	contractTable = goose.DefaultTablename + "_contract"
)

// folder returns the SQL files of a phase, and the table of their versions.
func (d *Database) folder(p phase) (dir, table string) {
	if p == contract {
		return filepath.Join(d.options.MigrationsDir, "contract"), contractTable
	}
	return d.options.MigrationsDir, expandTable
}

// runGoose runs a phase's files over sessions of its own.
func (d *Database) runGoose(ctx context.Context, r run) error {
	return d.withGoose(r, func(p *goose.Provider) error {
		if r.readOnly {
			pending, err := p.HasPending(ctx)
			if err == nil && pending {
				err = errPending
			}
			return d.gooseFailure(ctx, err)
		}
		var done []*goose.MigrationResult
		var err error
		if r.phase == down {
			done, err = p.DownTo(ctx, r.to)
		} else {
			done, err = p.Up(ctx)
		}
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			done = partial.Applied
		}
		for _, result := range done {
			if r.tell != nil {
				r.tell(fmt.Sprintf("%s %s (%v)", filepath.Base(result.Source.Path), result.Direction, result.Duration.Round(time.Millisecond)))
			}
		}
		return d.gooseFailure(ctx, err)
	})
}

var errPending = errors.New("migrations are to be applied")

// gooseVersion is the newest version that was applied to the live database.
func (d *Database) gooseVersion(ctx context.Context, p phase) (int64, error) {
	var version int64
	err := d.withGoose(run{phase: p, database: d.admin.Database, readOnly: true}, func(provider *goose.Provider) (err error) {
		version, err = provider.GetDBVersion(ctx)
		if state(err) == readOnly {
			return nil // its table is not there yet
		}
		return d.gooseFailure(ctx, err)
	})
	return version, err
}

// withGoose lends a goose on the phase's files; use is not called when there are
// none.
func (d *Database) withGoose(r run, use func(*goose.Provider) error) error {
	dir, table := d.folder(r.phase)
	if err := checkFolder(dir, r.phase); err != nil {
		return err
	}
	config := d.ownerConfig(r.database)
	for _, s := range d.sessionSettings(r) {
		config.RuntimeParams[s[0]] = s[1]
	}
	db := stdlib.OpenDB(*config)
	defer closeDB(db)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir), goose.WithTableName(table),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	switch {
	case errors.Is(err, goose.ErrNoMigrations), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("reading the migrations in %s: %v", dir, err),
			Hint: "its files are named NUMBER_what.sql, each with its own number"}
	}
	return use(provider)
}

func closeDB(db *sql.DB) { _ = db.Close() }

// substitutes matches the annotation with which a file asks for variables of the
// environment: the edge's own, which holds secrets.
var substitutes = regexp.MustCompile(`(?mi)^\s*--\s*\+goose\s+ENVSUB\s+ON`)

func checkFolder(dir string, p phase) error {
	if _, err := os.Stat(dir); err != nil && p != contract {
		return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("the folder with the migrations cannot be read: %v", err), Hint: "correct migrations_dir, or make the folder"}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.sql"))
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading the migrations: %w", err)
		}
		if substitutes.Match(content) {
			return &switcher.Error{Code: switcher.CodeUsage, What: name + " asks for variables of the environment, which would be those of the edge",
				Hint: "write the values into the file, without ENVSUB"}
		}
	}
	return nil
}

// gooseFailure tells which file failed, and what the server said.
func (d *Database) gooseFailure(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errPending) {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	what, _ := plainly(err)
	if state(err) == "" {
		what = err.Error() // goose's own, which names files and versions
	}
	failure := &runFailure{locked: state(err) == lockTimeout}
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		what = fmt.Sprintf("%s: %s", filepath.Base(partial.Failed.Source.Path), what)
		for _, done := range partial.Applied {
			failure.output = append(failure.output, "applied "+filepath.Base(done.Source.Path))
		}
	}
	failure.what = what
	failure.output = append(failure.output, what)
	return failure
}
