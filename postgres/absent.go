package postgres

import (
	"context"
	"errors"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

var errAbsent = errors.New("databases are not implemented yet")

// phase is a part of an app's migrations.
type phase string

// Run looks after the database until ctx ends: whether it answers, what its
// schema has become, how old its backups are.
func (d *Database) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

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

// Recover implements switcher.Database.
func (d *Database) Recover(context.Context, switcher.Teller) (string, error) { return "", errAbsent }

// PlanRestore implements switcher.Database.
func (d *Database) PlanRestore(context.Context, switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	return switcher.RestorePlan{}, errAbsent
}

func (d *Database) noteHealth(time.Time, error) {}
