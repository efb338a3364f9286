package apptest

import (
	"context"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Database is a switcher.Database in memory. It does what is asked of it at once
// and says what a test has told it to say.
type Database struct {
	mu      sync.Mutex
	status  switcher.DatabaseStatus
	fits    map[string]switcher.Fit // by release; without one it fits
	refusal error
	plan    switcher.RestorePlan
	asked   []Asked
}

// Asked is an operation that was asked for.
type Asked struct {
	Kind    switcher.Kind // empty: a migration in a deploy
	Request switcher.DatabaseRequest
}

// WithDatabase gives an app the database.
func WithDatabase(d *Database) func(*switcher.Settings) {
	return func(s *switcher.Settings) { s.Database = d }
}

// SetStatus says what Status tells, besides what fits.
func (d *Database) SetStatus(s switcher.DatabaseStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = s
}

// SetFit says what the schema is to a release.
func (d *Database) SetFit(release string, f switcher.Fit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fits == nil {
		d.fits = make(map[string]switcher.Fit)
	}
	f.Release = release
	d.fits[release] = f
}

// SetPlan says what a restore would do.
func (d *Database) SetPlan(p switcher.RestorePlan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan = p
}

// Refuse has every operation and migration fail; nil: none.
func (d *Database) Refuse(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal = err
}

// Asked returns what was asked of it, in order.
func (d *Database) Asked() []Asked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Asked(nil), d.asked...)
}

func (d *Database) note(kind switcher.Kind, work switcher.DatabaseWork) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, Asked{kind, work.Request})
	return d.refusal
}

// Migrate implements switcher.Database.
func (d *Database) Migrate(_ context.Context, work switcher.DatabaseWork) error {
	told := work.Enter("migrate")
	if err := d.note("", work); err != nil {
		return err
	}
	told("nothing is to be migrated")
	return nil
}

// Do implements switcher.Database.
func (d *Database) Do(_ context.Context, kind switcher.Kind, work switcher.DatabaseWork) (string, error) {
	told := work.Enter("work")
	work.Progress(switcher.Progress{Text: "public.entries", Done: 1, Total: 2})
	if err := d.note(kind, work); err != nil {
		return "", err
	}
	told("it was looked at")
	return string(kind) + " is done", nil
}

// Fit implements switcher.Database.
func (d *Database) Fit(_ context.Context, release string) (switcher.Fit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.fits[release]
	if !ok {
		f = switcher.Fit{Release: release, Plan: "fits", Findings: []switcher.SchemaFinding{}}
	}
	f.Checked = time.Now()
	return f, nil
}

// Answers implements switcher.Database.
func (d *Database) Answers(context.Context) error { return nil }

// Recover implements switcher.Database.
func (d *Database) Recover(context.Context, switcher.Teller) (string, error) { return "", nil }

// Status implements switcher.Database.
func (d *Database) Status() switcher.DatabaseStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	for _, f := range d.fits {
		s.Fits = append(s.Fits, f)
	}
	return s
}

// PlanRestore implements switcher.Database.
func (d *Database) PlanRestore(context.Context, switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan, nil
}
