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
func (d *Database) Do(ctx context.Context, kind switcher.Kind, w switcher.DatabaseWork) (string, error) {
	if kind == switcher.KindRestore {
		return d.restore(ctx, w)
	}
	return "", errAbsent
}

// Fit implements switcher.Database.
func (d *Database) Fit(_ context.Context, release string) (switcher.Fit, error) {
	return switcher.Fit{Release: release}, errAbsent
}

// Recover implements switcher.Database.
func (d *Database) Recover(ctx context.Context, t switcher.Teller) (string, error) {
	return d.recoverRestore(ctx, t) // before scratch databases are removed
}

func (d *Database) noteHealth(time.Time, error) {}
