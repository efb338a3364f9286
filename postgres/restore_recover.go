package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// recoverRestore ends a restore that an earlier process was in. Up to the first
// rename it is undone; from there on it is brought to its end, for what is
// restored was proven and confirmed by then. The names and ids of the databases
// say how far it had come.
func (d *Database) recoverRestore(ctx context.Context, t switcher.Teller) (string, error) {
	j, err := d.files.restore()
	if j == nil || err != nil {
		return "", err
	}
	control, err := d.control(ctx)
	if err != nil {
		return "", err
	}
	defer hangUp(control)
	l := &leftRestore{d, *j, control, nil}
	if err := l.look(ctx); err != nil {
		return "", err
	}
	said, err := l.end(ctx)
	if err != nil {
		return "", err
	}
	if err := d.files.remove(restoreFile); err != nil {
		return "", err
	}
	t.Say("%s", said)
	return said, nil
}

// leftRestore is a restore of which the process has ended.
type leftRestore struct {
	d       *Database
	journal restoreJournal
	control *pgx.Conn
	ids     map[string]uint32 // of the databases by name
}

func (l *leftRestore) look(ctx context.Context) error {
	j := l.journal
	rows, _ := l.control.Query(ctx, "SELECT datname::text, oid FROM pg_database WHERE datname = ANY($1)", []string{j.Live, j.Restored, j.Failed})
	l.ids = map[string]uint32{}
	var name string
	var id uint32
	_, err := pgx.ForEachRow(rows, []any{&name, &id}, func() error { l.ids[name] = id; return nil })
	if err != nil {
		return explain(ctx, err, "looking for databases from", l.control.Config())
	}
	return nil
}

func (l *leftRestore) end(ctx context.Context) (string, error) {
	j := l.journal
	live, restored, failed := l.ids[j.Live], l.ids[j.Restored], l.ids[j.Failed]
	switch {
	case !j.swapping() || live == j.LiveID && j.LiveID != 0:
		return l.undone(ctx)
	case live == 0 && restored == j.RestoredID:
		if err := l.rename(ctx, j.Restored, j.Live); err == nil {
			return l.done(ctx)
		} else if failed == 0 {
			return "", err
		}
		return l.back(ctx)
	case live == j.RestoredID:
		return l.done(ctx)
	case live == 0 && failed != 0 && failed == j.LiveID:
		return l.back(ctx)
	}
	return "", failedRestore(j, l.ids)
}

func failedRestore(j restoreJournal, ids map[string]uint32) error {
	var names []string
	for name := range ids {
		names = append(names, name)
	}
	return &switcher.Error{Code: switcher.CodeFailed,
		What: fmt.Sprintf("the restore of backup %s was cut short, and of its databases there are now only: %s", j.Backup, strings.Join(names, ", ")),
		Hint: fmt.Sprintf("give the app its database with ALTER DATABASE … RENAME TO %s and ALLOW_CONNECTIONS true, then remove %s of the app's databases folder", quote(j.Live), restoreFile)}
}

// undone leaves the live database as it was.
func (l *leftRestore) undone(ctx context.Context) (string, error) {
	j := l.journal
	if j.swapping() {
		if err := l.exec(ctx, "ALTER DATABASE "+quote(j.Live)+" ALLOW_CONNECTIONS true"); err != nil {
			return "", err
		}
	}
	if err := backup.Drop(ctx, l.control, j.Restored); err != nil {
		return "", explain(ctx, err, "ending a restore from", l.control.Config())
	}
	return fmt.Sprintf("the restore of backup %s was cut short and is undone: database %s is as it was", j.Backup, j.Live), nil
}

// back gives the database that had been renamed its name again.
func (l *leftRestore) back(ctx context.Context) (string, error) {
	if err := l.rename(ctx, l.journal.Failed, l.journal.Live); err != nil {
		return "", err
	}
	return l.undone(ctx)
}

func (l *leftRestore) done(ctx context.Context) (string, error) {
	j := l.journal
	said := fmt.Sprintf("the restore of backup %s was cut short in its swap and is complete: it is database %s now", j.Backup, j.Live)
	if l.ids[j.Failed] == j.LiveID && j.LiveID != 0 {
		if err := l.d.openFailed(ctx, l.control, j); err != nil {
			return "", err
		}
		said += ", and the one that failed is kept as " + j.Failed
	}
	defer l.d.lookAgain()
	return said, l.d.recordLive(ctx)
}

func (l *leftRestore) rename(ctx context.Context, from, to string) error {
	return renameDatabase(ctx, l.control, from, to, func(context.Context) error { return nil })
}

func (l *leftRestore) exec(ctx context.Context, sql string) error {
	if _, err := l.control.Exec(ctx, sql); err != nil {
		return explain(ctx, err, "ending a restore from", l.control.Config())
	}
	return nil
}
