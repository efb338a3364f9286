package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Recover implements switcher.Database.
func (d *Database) Recover(ctx context.Context, t switcher.Teller) (string, error) {
	defer d.lookAgain()                   // while there is a journal nothing is seen
	said, err := d.recoverRestore(ctx, t) // before scratch databases are removed
	if err != nil {
		return "", err
	}
	j, err := d.files.journal()
	if err != nil {
		return "", err
	}
	if err := d.endJobs(ctx, j, t); err != nil {
		return "", err
	}
	if j == nil && len(d.files.scratches()) == 0 {
		return said, nil // nothing else was begun: the database need not even answer
	}
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return "", err
	}
	defer hangUp(conn)
	if err := d.removeLeft(ctx, conn, t); err != nil {
		return "", err
	}
	if j == nil {
		return said, nil
	}
	return d.endMigration(ctx, &work{conn, d}, j, t)
}

// endJobs waits for the job that migrates the live database, and removes the
// others: what they worked on is removed as well.
func (d *Database) endJobs(ctx context.Context, j *journal, t switcher.Teller) error {
	if d.options.Jobs == nil || d.options.MigrationsDir != "" {
		return nil
	}
	ids, err := d.options.Jobs.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if j == nil || id != j.Job {
			if err := d.options.Jobs.Remove(ctx, id); err != nil {
				return err
			}
			continue
		}
		told := t.Enter("migrate")
		out := &tail{mask: d.maskNow(), tell: func(line string) { t.Say("%s", line) }}
		code, err := d.options.Jobs.Once(ctx, switcher.Job{ID: id}, func(line switcher.Line) { out.take(string(line.Text)) })
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if left, listErr := d.options.Jobs.Jobs(ctx); listErr != nil || slices.Contains(left, id) {
				return err // it may still run
			}
			t.Warn("%v", err) // what it did is seen in the database
			continue
		}
		told("the migration that an earlier process has begun has ended with exit code %d", code)
		j.Ended = code == 0
	}
	return nil
}

// maskNow is mask where the app's URL may have gone.
func (d *Database) maskNow() switcher.Mask {
	app, err := d.appURL()
	if err != nil {
		app = &connString{}
	}
	return d.mask(app)
}

// endMigration says what became of a migration that nobody has told the end of.
func (d *Database) endMigration(ctx context.Context, w *work, j *journal, t switcher.Teller) (string, error) {
	if err := w.lock(ctx); err != nil { // of the earlier process, which the server may not miss yet
		return "", err
	}
	if err := d.awaitSessions(ctx, w, t); err != nil {
		return "", err
	}
	before, err := d.files.schema(beforeFile)
	if err != nil || before == nil {
		return "", errors.Join(err, d.forgetMigration())
	}
	after, err := d.files.schema(afterFile)
	if err != nil {
		return "", err
	}
	now, err := w.schema(ctx)
	if err != nil {
		return "", err
	}
	rehearsed := after != nil && differs(after, now) == ""
	if j.Ended && (rehearsed || after == nil) {
		if err := d.files.putSchema(liveFile, now); err != nil {
			return "", err
		}
		return fmt.Sprintf("the migrations of %s were applied", j.Release), d.forgetMigration()
	}
	how := partly
	if j.Ended {
		how = wholly
	}
	left, hint, err := d.whatIsLeft(ctx, before, j.Backup, how)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("the migrations of %s did not come to their end: %s", j.Release, left)
	switch {
	case j.Ended:
		text = fmt.Sprintf("the live schema is not the one of the rehearsal of %s: %s", j.Release, left)
	case rehearsed && drifted(before, now) != "":
		// They may still have had something to do with rows.
		text = fmt.Sprintf("whether the migrations of %s came to their end is not known, though the schema is the one that they lead to: %s", j.Release, left)
		hint = "deploy again: what was not applied is applied then"
	case after == nil:
		text = fmt.Sprintf("whether the migrations of %s have come to their end is not known, as they were not rehearsed: %s", j.Release, left)
	}
	t.Warn("%s; %s", text, hint)
	return text, d.forgetMigration()
}

// awaitSessions waits for migrating sessions on the live database whose job has
// gone: the server goes on with what it was told.
func (d *Database) awaitSessions(ctx context.Context, w *work, t switcher.Teller) error {
	const look = 200 * time.Millisecond
	for {
		var pids []int32
		err := w.conn.QueryRow(ctx, `SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = $1`, d.applicationName(migrating)).Scan(&pids)
		if err != nil {
			return w.explain(ctx, err, "reading the sessions of")
		}
		if len(pids) == 0 {
			return nil
		}
		slices.Sort(pids)
		t.Progress(switcher.Progress{Text: fmt.Sprintf("waiting for the migration that still runs, in session %s", strings.Trim(fmt.Sprint(pids), "[]"))})
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}
