package switcher

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// needDatabase refuses a deploy while the database does not answer: nothing that
// is started then could be judged.
func (a *App) needDatabase(ctx context.Context, d *deployment) error {
	if a.settings.Load().Database == nil {
		return nil
	}
	told := d.op.enter("database")
	if err := a.askDatabase(ctx); misconfigured(err) {
		return err
	} else if err != nil {
		e := refuse("production was not touched; `bluegreen status` shows when the database answers again", "the database does not answer")
		e.Err = err
		return e
	}
	told("the database answers")
	return nil
}

// migrate brings the database to what the release needs. Until its end nothing
// that runs has been touched.
func (a *App) migrate(ctx context.Context, d *deployment) error {
	db := a.settings.Load().Database
	if db == nil {
		return nil
	}
	d.op.enter("database")
	if active := a.state.Load().Active; active != "" {
		h := a.healthOf(active)
		d.wasWell = h.Status == Healthy && h.Failures == 0
	}
	r := d.request
	work, done := a.databaseWork(d.op, &d.release, DatabaseRequest{
		Commit: r.Commit, Image: r.Image, SkipMigrations: r.SkipMigrations, Allow: r.Allow, Reason: r.Reason,
	})
	defer done()
	err := db.Migrate(ctx, work)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		if errors.Is(err, ctx.Err()) {
			return cause
		}
		return fmt.Errorf("%w: %w", cause, err) // it tells what was applied
	}
	d.migrated, d.migratedAt = err == nil && !r.SkipMigrations, time.Now()
	return err
}

// looksAfterMigration are the probes of the active release on a new schema: what
// it had prepared on a pooled connection may fail at its second use only.
const looksAfterMigration = 2

// lookAtActive sees to it that the active release lives on the schema that the
// candidate's migrations have left. One that was not well before is no measure.
func (a *App) lookAtActive(ctx context.Context, d *deployment) error {
	s := a.state.Load()
	if !d.migrated || s.Active == "" {
		return nil
	}
	told := d.op.enter("active")
	release := describe(s.Slots[s.Active].Release)
	if !d.wasWell {
		d.op.warn("%s on %s was not well before the migrations: whether it can live with them is not tried", release, s.Active)
		return nil
	}
	for range looksAfterMigration {
		err := a.probe(ctx, s.Active, s.Slots[s.Active].Port)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			continue
		}
		if lost := a.askDatabase(ctx); lost != nil && !misconfigured(lost) {
			return &Error{Code: CodeUnhealthy, What: fmt.Sprintf("%s on %s fails, and the database does not answer", release, s.Active), Err: lost,
				Hint: "no release is to blame; deploy again when the database answers"}
		}
		d.unfit = true
		why := fmt.Sprintf("%s on %s, which is live, fails on the new schema: %v", release, s.Active, err)
		a.tellSchema(s.Active, why)
		return &Error{Code: CodeUnhealthy, What: why,
			Hint: "`bluegreen db down` undoes the migrations, if they can be; " +
				"a new start of the backend makes its prepared statements anew; `bluegreen health` probes again"}
	}
	if h := a.healthOf(s.Active); h.FailedAt != nil && h.FailedAt.After(d.migratedAt) {
		d.op.warn("%s on %s has failed a health check since the migrations, and answers again: %s", release, s.Active, h.LastError)
	}
	told("%s on %s answers on the new schema", release, s.Active)
	return nil
}

// keepsSchema adds to the error of a deploy what has become of the schema.
func (a *App) keepsSchema(d *deployment, err error) error {
	if !d.migrated || a.ctx.Err() != nil { // in this case the next start tells
		return err
	}
	text := fmt.Sprintf("the database keeps the schema of %s", describe(&d.release))
	s := a.state.Load()
	if active := s.Slots[s.Active].Release; active != nil && !d.unfit {
		switch fit, known := a.fitOf(context.WithoutCancel(d.op.ctx), active.ID); {
		case known && fit.stops() == "":
			text += fmt.Sprintf(", and %s can live with it", describe(active))
		case known:
			text += fmt.Sprintf(", and %s cannot live with it: %s", describe(active), fit.stops())
		}
	}
	var e *Error
	if errors.As(err, &e) {
		told := *e
		told.What, told.Err = told.Error()+"; "+text, nil
		if e.Err != nil && errors.Is(e.Err, ErrDiscarded) {
			told.Err = ErrDiscarded
		}
		return &told
	}
	return fmt.Errorf("%w; %s", err, text)
}
