package postgres

import (
	"context"

	"sofiacall.com/bluegreen/switcher"
)

// rejudge records the schema that a restore has brought back as the one that is
// to be there, and tells which of the releases can live with it: it may be older
// than they are.
func (d *Database) rejudge(ctx context.Context, lent switcher.DatabaseWork) {
	defer d.lookAgain()
	told := lent.Enter("judge")
	if err := d.recordLive(ctx); err != nil {
		lent.Warn("the schema could not be recorded: %v", err)
		return
	}
	for _, release := range []*switcher.Release{lent.Active, lent.Previous} {
		if release == nil {
			continue
		}
		fit, err := d.Fit(ctx, release.ID)
		switch {
		case err != nil:
			lent.Warn("whether %s can live with the restored schema is not known: %v", release, err)
		case fit.Unknown != "":
			lent.Warn("whether %s can live with the restored schema is not known: %s", release, fit.Unknown)
		case fit.Verdict() == switcher.SchemaBlock:
			lent.Warn("%s cannot live with the restored schema, `bluegreen db check` says why: deploy a release that can, or run its migrations with a deploy", release)
		default:
			lent.Say("%s can live with the restored schema", release)
		}
	}
	told("the restored schema is recorded as the live one")
}

func (d *Database) recordLive(ctx context.Context) error {
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return err
	}
	defer hangUp(conn)
	schema, err := readSchema(ctx, conn)
	if err != nil {
		return err
	}
	return d.files.putSchema(liveFile, schema)
}
