package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// phase is a part of an app's migrations.
type phase string

const (
	expand   phase = "expand"   // before a release is started; the active one must live with it
	contract phase = "contract" // takes away what no release needs any more
	down     phase = "down"     // undoes a release's expand
)

// command is what a release runs for a phase; empty: nothing.
func (o Options) command(p phase) []string {
	switch p {
	case expand:
		return o.Expand
	case contract:
		return o.Contract
	case down:
		return o.Down
	}
	return nil
}

// has reports whether a phase can be run at all.
func (o Options) has(p phase) bool { return o.MigrationsDir != "" || len(o.command(p)) > 0 }

// run is one run of a phase's migrations on a database.
type run struct {
	phase    phase
	database string // name
	job      string // id, if it is a command
	release  *switcher.Release
	readOnly bool  // its sessions may not write: only a run without anything to do succeeds
	live     bool  // what it has begun is not to be ended with the edge
	to       int64 // down, of goose: the version to go back to
	tell     func(line string)
}

// runFailure is a run that ended otherwise than well.
type runFailure struct {
	what   string
	output []string // last lines, masked
	locked bool     // for a lock was not to be had in time
}

func (f *runFailure) Error() string { return f.what }

// perform runs it, by goose or as a job.
func (d *Database) perform(ctx context.Context, r run) error {
	if d.options.MigrationsDir != "" {
		return d.runGoose(ctx, r)
	}
	return d.runJob(ctx, r)
}

func (d *Database) runJob(ctx context.Context, r run) error {
	app, err := d.appURL()
	if err != nil {
		return err
	}
	job := switcher.Job{ID: r.job, Command: d.options.command(r.phase), Environment: d.jobEnvironment(app, r)}
	out := &tail{mask: d.mask(app, job.Environment[d.options.URLEnv]), tell: r.tell}
	if r.release != nil {
		job.Release = *r.release
	}
	code, err := d.options.Jobs.Once(ctx, job, func(line switcher.Line) { out.take(string(line.Text)) })
	switch {
	case ctx.Err() == nil:
	case !r.live: // nobody has to wait for it
		d.background.Go(func() { d.removeJob(r.job) })
	case wanted(ctx):
		d.removeJob(r.job)
	}
	switch {
	case ctx.Err() != nil && err != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("running %q: %w", strings.Join(job.Command, " "), err)
	case code != 0:
		return &runFailure{
			what:   fmt.Sprintf("%q ended with exit code %d", strings.Join(job.Command, " "), code),
			output: out.last(), locked: out.locked,
		}
	}
	return nil
}

// removeJob ends a job, gently first, whatever has ended the work.
func (d *Database) removeJob(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), clearing)
	defer cancel()
	if err := d.options.Jobs.Remove(ctx, id); err != nil {
		d.log.Warn("a migration job could not be removed", "job", id, "error", err)
	}
}

// wanted reports whether somebody wants the work to end, and not the edge.
func wanted(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, switcher.ErrDiscarded) || errors.Is(cause, switcher.ErrOvertaken)
}

// jobEnvironment is what a job gets besides what the app gets: the app's URL, for
// the owner and the database in question, and limits on its sessions.
func (d *Database) jobEnvironment(app *connString, r run) map[string]string {
	options := d.sessionOptions(r)
	return map[string]string{
		d.options.URLEnv: app.with(d.admin.User, d.admin.Password, r.database, options),
		"PGOPTIONS":      options,
		"PGAPPNAME":      d.applicationName(migrating),
	}
}

// migrating is in the application name of sessions that migrate.
const migrating = "migration"

// sessionOptions limit what the sessions of a run may do, as libpq's options.
func (d *Database) sessionOptions(r run) string {
	var b strings.Builder
	for _, s := range d.sessionSettings(r) {
		fmt.Fprintf(&b, " -c %s=%s", s[0], strings.ReplaceAll(s[1], " ", `\ `))
	}
	return b.String()[1:]
}

func (d *Database) sessionSettings(r run) [][2]string {
	ms := func(t time.Duration) string { return fmt.Sprint(t.Milliseconds()) }
	settings := [][2]string{
		{"lock_timeout", ms(d.options.LockTimeout)},
		{"statement_timeout", ms(d.options.StatementTimeout)},
		{"application_name", d.applicationName(migrating)},
	}
	if r.readOnly {
		settings = append(settings, [2]string{"default_transaction_read_only", "on"})
	}
	return settings
}

// mask hides both accounts in what a migration writes.
func (d *Database) mask(app *connString, urls ...string) switcher.Mask {
	var secrets []string
	for _, secret := range append(urls, d.options.AdminURL, d.admin.Password, app.password) {
		if secret != "" {
			secrets = append(secrets, "S="+secret, "S="+escape(secret), "S="+url.PathEscape(secret), "S="+url.QueryEscape(secret))
		}
	}
	return switcher.NewMask(secrets)
}

const (
	tailLines = 20
	tailWidth = 400 // bytes of a line
)

// tail keeps the last lines of what a run writes.
type tail struct {
	mask   switcher.Mask
	tell   func(string)
	mu     sync.Mutex
	lines  []string
	locked bool
}

// saysLocked matches what drivers and tools say of a lock timeout.
var saysLocked = regexp.MustCompile(`55P03|(?i)lock timeout|LockNotAvailable|lock_not_available`)

func (t *tail) take(line string) {
	line = strings.TrimRight(line, " \r\n")
	if line == "" {
		return
	}
	line = t.mask.Line(line)
	if len(line) > tailWidth {
		line = strings.ToValidUTF8(line[:tailWidth], "") + "…"
	}
	t.mu.Lock()
	t.locked = t.locked || saysLocked.MatchString(line)
	if t.lines = append(t.lines, line); len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
	t.mu.Unlock()
	if t.tell != nil {
		t.tell(line)
	}
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines
}
