package postgres

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/switcher"
)

const (
	askEvery     = 10 * time.Second // whether the database answers
	askFailing   = time.Second      // the same, while it does not
	lookEvery    = time.Minute      // at its schema
	nightlyRetry = 5 * time.Minute  // after a nightly backup could not begin
	fitsTold     = 10               // of the newest releases
)

// Run looks after the database until ctx ends: whether it answers, what its
// schema has become, how old its backups are.
func (d *Database) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { d.watchHealth(ctx); return nil })
	g.Go(func() error { d.watchSchema(ctx); return nil })
	g.Go(func() error { d.watchBackups(ctx); return nil })
	return g.Wait()
}

func (d *Database) watchHealth(ctx context.Context) {
	for {
		st := d.Status()
		wait := nextAsk(st, time.Now())
		if wait <= 0 {
			_ = d.Answers(ctx) // which notes it
			wait = askFailing
		}
		if pause(ctx, min(wait, askFailing)) != nil {
			return
		}
	}
}

// nextAsk is how long the last answer is good for: whoever else asks spares the
// question.
func nextAsk(st switcher.DatabaseStatus, now time.Time) time.Duration {
	if st.CheckedAt == nil {
		return 0
	}
	every := askEvery
	if !st.OK {
		every = askFailing
	}
	return st.CheckedAt.Add(every).Sub(now)
}

func (d *Database) noteHealth(now time.Time, err error) {
	if switcher.CodeOf(err) == switcher.CodeUsage { // it was not asked
		d.note(func(s *switcher.DatabaseStatus) { s.OK, s.Since, s.CheckedAt, s.Error = false, nil, nil, err.Error() })
		return
	}
	d.note(func(s *switcher.DatabaseStatus) {
		if s.Since == nil || s.OK != (err == nil) {
			s.Since = &now
		}
		s.OK, s.CheckedAt, s.Error = err == nil, &now, ""
		if err != nil {
			s.Error = err.Error()
		}
	})
}

func (d *Database) watchSchema(ctx context.Context) {
	for {
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.log.Debug("the schema could not be looked at", "error", err)
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.looks:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look compares the live schema with what was recorded, and with what the
// releases on record need. While a migration runs that tells nothing.
func (d *Database) look(ctx context.Context) error {
	if j, err := d.files.journal(); err != nil || j != nil {
		return err
	}
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return err
	}
	defer hangUp(conn)
	w := &work{conn, d}
	now, err := w.standing(ctx)
	if err != nil {
		return err
	}
	role, err := w.appRole(ctx)
	if err != nil {
		return err
	}
	recorded, err := d.files.schema(liveFile)
	if err != nil {
		return err
	}
	drift := ""
	if recorded == nil {
		err = d.firstSight(now)
	} else {
		drift = byHand(recorded, now)
	}
	if err != nil {
		return err
	}
	ids := d.files.releases()
	fits := []switcher.Fit{}
	for _, id := range ids[:min(fitsTold, len(ids))] {
		fit, err := d.fit(id, now, role)
		if err != nil {
			d.log.Warn("what a release needs could not be compared", "release", id, "error", err)
		}
		fits = append(fits, fit)
	}
	if j, err := d.files.journal(); err != nil || j != nil {
		return err // it has begun meanwhile
	}
	d.note(func(s *switcher.DatabaseStatus) {
		s.Server, s.Drift, s.Fits = conn.PgConn().ParameterStatus("server_version"), drift, fits
	})
	return nil
}

func (d *Database) watchBackups(ctx context.Context) {
	d.noteBackups()
	from := time.Now()
	for {
		now := time.Now()
		if d.options.Start != nil && d.options.Backup.At >= 0 && !now.Before(nextAt(from, d.options.Backup.At)) {
			if err := d.options.Start(switcher.KindBackup); err == nil {
				from = now
			} else {
				d.log.Warn("the nightly backup could not begin, and is tried again", "error", err)
				if pause(ctx, nightlyRetry) != nil {
					return
				}
				continue
			}
		}
		d.noteBackups()
		wait := lookEvery
		if d.options.Backup.At >= 0 {
			wait = max(time.Second, min(wait, nextAt(from, d.options.Backup.At).Sub(now)))
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// nextAt is the first moment after from that is at, after midnight of its day.
// On a day of 23 or 25 hours it is that time of the clock.
func nextAt(from time.Time, at time.Duration) time.Time {
	for days := 0; ; days++ {
		y, m, day := from.Date()
		next := time.Date(y, m, day+days, 0, int(at.Minutes()), 0, 0, from.Location())
		if next.After(from) {
			return next
		}
	}
}

// late reports whether the newest backup, nil: there is none, is older than it
// may be; began is when the edge began to make some.
func late(newest *time.Time, began, now time.Time, most time.Duration) bool {
	from := began
	if newest != nil {
		from = *newest
	}
	return most > 0 && now.Sub(from) > most
}
