package postgres

import (
	"context"
	"errors"

	"sofiacall.com/bluegreen/switcher"
)

// Database implements switcher.Database.
type Database struct {
	options Options
}

var _ switcher.Database = (*Database)(nil)

// New makes a Database. Nothing is connected to yet; what is wrong with the URLs
// is an error that quotes none.
func New(o Options) (*Database, error) { return &Database{options: o}, nil }

// Run looks after the database until ctx ends: whether it answers, what its
// schema has become, how old its backups are.
func (d *Database) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Close ends what the Database still holds; Run has returned.
func (d *Database) Close() {}

var errAbsent = errors.New("databases are not implemented yet")

// Migrate implements switcher.Database.
func (d *Database) Migrate(context.Context, switcher.DatabaseWork) error { return errAbsent }

// Do implements switcher.Database.
func (d *Database) Do(context.Context, switcher.Kind, switcher.DatabaseWork) (string, error) {
	return "", errAbsent
}

// Fit implements switcher.Database.
func (d *Database) Fit(_ context.Context, release string) (switcher.Fit, error) {
	return switcher.Fit{Release: release}, errAbsent
}

// Answers implements switcher.Database.
func (d *Database) Answers(context.Context) error { return errAbsent }

// Recover implements switcher.Database.
func (d *Database) Recover(context.Context, switcher.Teller) (string, error) { return "", errAbsent }

// Status implements switcher.Database.
func (d *Database) Status() switcher.DatabaseStatus { return switcher.DatabaseStatus{} }

// PlanRestore implements switcher.Database.
func (d *Database) PlanRestore(context.Context, switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	return switcher.RestorePlan{}, errAbsent
}
