package postgres

import (
	"context"
	"fmt"
	"time"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Do implements switcher.Database.
func (d *Database) Do(ctx context.Context, kind switcher.Kind, w switcher.DatabaseWork) (string, error) {
	defer d.lookAgain()
	switch kind {
	case switcher.KindBackup:
		return d.backUpNow(ctx, w)
	case switcher.KindVerify:
		return d.verifyNewest(ctx, w)
	case switcher.KindPlan:
		return (&migration{DatabaseWork: w, d: d, phase: expand, dry: true}).run(ctx)
	case switcher.KindAccept:
		return d.acceptLive(ctx, w)
	case switcher.KindContract:
		return (&migration{DatabaseWork: w, d: d, phase: contract}).run(ctx)
	case switcher.KindDown:
		return d.downFrom(ctx, w)
	case switcher.KindRestore:
		return d.restore(ctx, w)
	}
	return "", &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("%q is no operation on a database", kind)}
}

// backUp makes a backup, and removes those that are too many.
func (d *Database) backUp(ctx context.Context, reason string, release *switcher.Release, report func(switcher.Progress)) (*backup.Manifest, error) {
	from := backup.Source{Server: d.server, Reason: reason, Schema: catalog.ReadIn}
	if release != nil {
		from.Release, from.Commit = release.ID, release.Commit
	}
	made, err := d.backups.Create(ctx, from, report)
	d.backedUp(ctx, err)
	if err != nil {
		return nil, err
	}
	if keep := d.options.Backup.Keep; keep > 0 && reason != reasonPlan {
		if _, err := d.backups.Prune(keep); err != nil {
			d.log.Warn("old backups could not be removed", "error", err)
		}
	}
	return made, nil
}

// reasonPlan is why a backup was made that only a plan needs.
const reasonPlan = "plan"

// dropBackup removes the backup that a plan has rehearsed with: were it kept,
// some plans in a row would push out all that are older. What a command of the
// user's has made is that one's business.
func (m *migration) dropBackup() {
	if m.backup == "" || len(m.d.options.Backup.Command) > 0 {
		return
	}
	if err := m.d.backups.Remove(m.backup); err != nil {
		m.d.log.Warn("the backup of a plan could not be removed", "backup", m.backup, "error", err)
	}
	m.d.noteBackups()
}

func (d *Database) backUpNow(ctx context.Context, w switcher.DatabaseWork) (string, error) {
	reason := "manual"
	if w.Actor == switcher.Self {
		reason = "nightly"
	}
	told := w.Enter("backup")
	if err := w.Mark("backup"); err != nil {
		return "", err
	}
	d.fail("backup")
	if err := d.canConnect(ctx); err != nil {
		d.backedUp(ctx, err)
		return "", err
	}
	made, err := d.backUp(ctx, reason, nil, w.Progress)
	if err != nil {
		return "", err
	}
	told("%s, %s in %v", made.ID, backup.Size(made.Bytes), round(made.Took.Duration()))
	if !d.options.Backup.Verify {
		return "backup " + made.ID + " was made", nil
	}
	if _, err := d.verify(ctx, w, made.ID); err != nil {
		return "", err
	}
	return "backup " + made.ID + " was made and verified", nil
}

// canConnect says why the owner does not get in, and what to do; nil: they do, or
// a command of the user's makes the backups, in its own way.
func (d *Database) canConnect(ctx context.Context) error {
	if len(d.options.Backup.Command) > 0 {
		return nil
	}
	conn, err := d.asOwner(ctx, "")
	if err == nil {
		hangUp(conn)
	}
	return err
}

func (d *Database) verifyNewest(ctx context.Context, w switcher.DatabaseWork) (string, error) {
	id := w.Request.Backup
	if id == "" {
		newest, err := d.backups.Latest()
		if err != nil {
			return "", err
		}
		if newest == nil {
			return "", refused("`bluegreen db backup` makes one", "there is no backup that could be verified")
		}
		id = newest.ID
	}
	return d.verify(ctx, w, id)
}

// verify restores a backup into a scratch database, and compares.
func (d *Database) verify(ctx context.Context, w switcher.DatabaseWork, id string) (string, error) {
	told := w.Enter("verify")
	if err := w.Mark("verify"); err != nil {
		return "", err
	}
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return "", err
	}
	defer hangUp(conn)
	b, err := d.createBeside(ctx, conn, "scratch", w.Operation)
	if err != nil {
		return "", err
	}
	defer b.remove(ctx)
	d.fail("scratch")
	proved, err := d.backups.Verify(ctx, id, d.server.In(b.name), w.Progress)
	d.backedUp(ctx, err)
	if err != nil {
		return "", err
	}
	told("%s was restored in %v and compared: %d tables with their rows", id, round(proved.Verified.Took.Duration()), proved.Verified.Counted)
	return "backup " + id + " was restored and compared", nil
}

// backedUp notes how a backup or its verification ended.
func (d *Database) backedUp(ctx context.Context, err error) {
	if ctx.Err() != nil { // it was ended, and has not failed
		return
	}
	d.mu.Lock()
	d.backupError = ""
	if err != nil {
		d.backupError = err.Error()
	}
	d.mu.Unlock()
	d.noteBackups()
}

// noteBackups brings the status of the backups up to date.
func (d *Database) noteBackups() {
	status := &switcher.BackupStatus{}
	if newest, err := d.backups.Latest(); err == nil && newest != nil {
		at := newest.At
		status.Newest, status.At, status.Verified = newest.ID, &at, newest.Verified != nil
	}
	status.Late = late(status.At, d.began, time.Now(), d.options.Backup.MaxAge)
	if d.options.Backup.At >= 0 {
		next := nextAt(time.Now(), d.options.Backup.At)
		status.Next = &next
	}
	d.note(func(s *switcher.DatabaseStatus) {
		status.Error = d.backupError
		s.Backup = status
	})
}

// acceptLive takes the live schema as the one that is to be there.
func (d *Database) acceptLive(ctx context.Context, w switcher.DatabaseWork) (string, error) {
	told := w.Enter("snapshot")
	l, err := d.begin(ctx)
	if err != nil {
		return "", err
	}
	defer l.end()
	now, err := l.schema(ctx)
	if err != nil {
		return "", err
	}
	recorded, err := d.files.schema(liveFile)
	if err != nil {
		return "", err
	}
	text := "the live schema is recorded for the first time"
	if recorded != nil {
		changes := drifted(recorded, now)
		if changes == "" {
			told("%s, as they were recorded", tables(now))
			return "the live schema was the recorded one already", nil
		}
		text = "the live schema is accepted as it is: " + changes
	}
	if err := w.Mark("record"); err != nil {
		return "", err
	}
	d.fail("record")
	if recorded == nil {
		err = d.firstSight(now)
	} else {
		err = d.files.putSchema(liveFile, now)
	}
	told("%s", text)
	return text, err
}

// downFrom undoes the migrations of a release.
func (d *Database) downFrom(ctx context.Context, w switcher.DatabaseWork) (string, error) {
	m := &migration{DatabaseWork: w, d: d, phase: down}
	if d.options.MigrationsDir != "" {
		if w.Release == nil {
			return "", refused("name it", "which release's migrations are to be undone is not known")
		}
		version, known := d.files.version(w.Release.ID)
		if !known {
			return "", refused("only what a deploy has applied can be undone", "%s has applied no migrations that are on record", w.Release)
		}
		m.to = version
	}
	if _, err := m.run(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("the migrations of %s were undone", w.Release), nil
}
