package main

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/postgres"
	"sofiacall.com/bluegreen/switcher"
)

// base is the database of an app. One that could not be made refuses whatever
// needs it, with the reason.
type base struct {
	switcher.Database
	real *postgres.Database // nil: it could not be made
	stop func()             // ends its Run and waits; nil before that
	once sync.Once          // it is closed once
}

// database is the switcher's; nil without one.
func (b *base) database() switcher.Database {
	if b == nil {
		return nil
	}
	return b.Database
}

// close gives up a database that does not run.
func (b *base) close() {
	if b != nil && b.real != nil {
		b.once.Do(b.real.Close)
	}
}

// newBase makes the database of an app; nil: it has none.
type newBase func(*hosted, *config.App) (*base, error)

// databasesDir holds a folder with what is kept of each app's database.
func databasesDir(c *config.Config) string { return filepath.Join(c.State.Dir, "databases") }

func (e *edge) newBase(h *hosted, app *config.App) (*base, error) {
	if !app.Database.Configured() {
		return nil, nil
	}
	id, err := owner(e.config.State.Dir)
	if err != nil {
		return nil, err
	}
	real, err := postgres.New(e.databaseOptions(h, app, id))
	if err != nil {
		return nil, fmt.Errorf("the database of app %s: %w", app.Name, err)
	}
	return &base{Database: real, real: real}, nil
}

// newBaseOrBroken never fails: what an app's releases serve is worth more than
// a complaint about what they are deployed with.
func (e *edge) newBaseOrBroken(h *hosted, app *config.App) (*base, error) {
	b, err := e.newBase(h, app)
	if err != nil {
		e.log.Error("app keeps its routes but nothing can be done with its database", "app", app.Name, "error", err)
		return &base{Database: newBrokenDatabase(err)}, nil
	}
	return b, nil
}

// databaseOptions turns a section of the configuration into the terms of package
// postgres.
func (e *edge) databaseOptions(h *hosted, app *config.App, id string) postgres.Options {
	d := app.Database
	return postgres.Options{
		App: app.Name, Owner: id, Dir: filepath.Join(databasesDir(e.config), app.Name),
		AppURL: func() (string, error) { return appURL(app) }, URLEnv: d.URLEnv,
		AdminURL: string(d.AdminURL), AdminURLEnv: d.AdminURLEnv,
		Jobs:   h.jobs,
		Expand: d.Expand, Contract: d.Contract, Down: d.Down, MigrationsDir: d.MigrationsDir,
		LockTimeout: d.LockTimeout, StatementTimeout: d.StatementTimeout, LockRetries: d.LockRetries,
		Rehearsal: postgres.Rehearsal{Mode: postgres.RehearsalMode(d.Rehearsal.Mode), Tables: d.Rehearsal.Tables},
		Gate:      postgres.Gate{Mode: postgres.GateMode(d.Gate.Mode), LargeTable: int64(d.Gate.LargeTable)},
		Backup: postgres.Backup{
			Dir: d.Backup.Dir, Keep: d.Backup.Keep, Verify: d.Backup.Verify, At: nightly(d.Backup.At), MaxAge: d.Backup.MaxAge, Command: d.Backup.Command,
		},
		Restore: postgres.Restore{KeepFailed: d.Restore.KeepFailed, Command: d.Restore.Command},
		Start: func(kind switcher.Kind) error {
			_, err := h.app.Database(switcher.Self, kind, switcher.DatabaseRequest{})
			return err
		},
		Logger: e.log.With("app", app.Name), Failpoint: e.options.Failpoint,
	}
}

// nightly is a time of day as time after midnight; negative: never.
func nightly(at string) time.Duration {
	clock, err := time.Parse("15:04", at)
	if err != nil {
		return -1
	}
	return clock.Sub(clock.Truncate(24 * time.Hour))
}

// appURL reads the URL that the app gets, where the app gets it. No error holds
// a value.
func appURL(app *config.App) (string, error) {
	name, where := app.Database.URLEnv, "container.environment or env_file"
	variables, err := docker.Variables(app.Container.EnvFile, app.Container.Environment)
	if err != nil {
		return "", err
	}
	if app.Runtime == config.RuntimeProcess {
		variables, where = app.Process.Environment, "process.environment"
	}
	url := variables[name]
	if url == "" {
		return "", &switcher.Error{Code: switcher.CodeUsage,
			What: fmt.Sprintf("app %s gets no %s, which database.url_env names", app.Name, name),
			Hint: fmt.Sprintf("set it in %s to the app's database URL", where)}
	}
	return url, nil
}

// look has somebody look after the database until the edge ends, or until the
// database is replaced. Called with e.mu held.
func (e *edge) look(h *hosted) {
	b := h.base
	if b == nil || b.real == nil {
		return
	}
	ctx, stop := context.WithCancel(e.life)
	done := make(chan struct{})
	b.stop = func() { stop(); <-done }
	e.running.Go(func() error {
		defer close(done)
		defer stop()
		return wrap("looking after the database of "+h.app.Name(), b.real.Run(ctx))
	})
}

// end stops looking after the database and gives it up.
func (b *base) end() {
	if b != nil && b.stop != nil {
		b.stop()
	}
	b.close()
}

// closeDatabases gives up all databases once the apps have ended.
func (e *edge) closeDatabases() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.apps {
		h.base.close()
	}
}

// newBases makes the databases of the apps for which what one is made from has
// changed, or has gone: then it is nil.
func (e *edge) newBases(next *config.Config) (bases map[string]*base, err error) {
	bases = map[string]*base{}
	for _, app := range sorted(next.Apps) {
		h := e.apps[app.Name]
		if h == nil || !h.base.outdated(&h.section, app) {
			continue
		}
		if bases[app.Name], err = e.newBase(h, app); err != nil {
			closeBases(bases)
			return nil, err
		}
	}
	return bases, nil
}

func closeBases(bases map[string]*base) {
	for _, b := range bases {
		b.close()
	}
}

// outdated reports whether what the database is made from has changed: also
// where the app's URL is read.
func (b *base) outdated(now, next *config.App) bool {
	return b != nil && b.real == nil || !reflect.DeepEqual(now.Database, next.Database) || b != nil && (now.Runtime != next.Runtime ||
		!reflect.DeepEqual(now.Container, next.Container) || !reflect.DeepEqual(now.Process, next.Process))
}

// currentJobs runs jobs on whatever runtime the app has now: a reload may
// replace it.
type currentJobs struct {
	runtime atomic.Pointer[closingRuntime]
}

var _ switcher.Jobs = (*currentJobs)(nil)

func (j *currentJobs) now() switcher.Jobs { return *j.runtime.Load() }

// Once implements switcher.Jobs.
func (j *currentJobs) Once(ctx context.Context, job switcher.Job, take func(switcher.Line)) (int, error) {
	return j.now().Once(ctx, job, take)
}

// Jobs implements switcher.Jobs.
func (j *currentJobs) Jobs(ctx context.Context) ([]string, error) { return j.now().Jobs(ctx) }

// Remove implements switcher.Jobs.
func (j *currentJobs) Remove(ctx context.Context, id string) error { return j.now().Remove(ctx, id) }
