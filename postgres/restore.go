package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

// restoration is one restore that goes on. Until the swap it has touched nothing
// but a database of its own.
type restoration struct {
	d       *Database
	lent    switcher.DatabaseWork
	plan    switcher.RestorePlan
	m       *backup.Manifest
	journal restoreJournal
	control *pgx.Conn
	live    *work // holds the lock; nil: there is no live database, or the swap has begun
	like    backup.Properties
	lost    loss // as last seen
	took    time.Duration
}

// restore performs a KindRestore that was confirmed.
func (d *Database) restore(ctx context.Context, lent switcher.DatabaseWork) (string, error) {
	plan, err := d.confirmed(lent.Request)
	if err != nil {
		return "", err
	}
	r := &restoration{d: d, lent: lent, plan: plan}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return "", err
	}
	if err := r.prepare(ctx); err != nil {
		return "", errors.Join(err, r.abandon())
	}
	if err := r.swap(ctx); err != nil {
		return "", err
	}
	return r.finish(ctx), nil
}

func (r *restoration) close() {
	if r.live != nil {
		r.live.end()
	}
	if r.control != nil {
		hangUp(r.control)
	}
}

func (r *restoration) failpoint(name string) { r.d.fail("restore/" + name) }

// begin looks once more at what the plan has seen, and writes the journal.
func (r *restoration) begin(ctx context.Context) error {
	told := r.lent.Enter("check")
	d := r.d
	if said, err := d.recoverRestore(ctx, r.lent); err != nil {
		return err
	} else if said != "" {
		r.lent.Say("%s", said)
	}
	var err error
	if r.m, _, err = d.chooseBackup(ctx, r.plan.Backup); err != nil {
		return err
	}
	if r.control, err = d.control(ctx); err != nil {
		return err
	}
	r.journal = restoreJournal{
		Operation: r.lent.Operation, Backup: r.m.ID, Told: r.plan.Lost, Began: time.Now(),
		Live: d.admin.Database, Restored: d.besideName("restore", r.lent.Operation), Failed: cmp.Or(r.plan.KeptAs, failedName(d.admin.Database, time.Now())),
	}
	if r.live, err = d.begin(ctx); isMissing(err) {
		r.like, r.lost = r.m.Properties, loss{unknown: r.plan.Unknown}
	} else if err != nil {
		return err
	} else if err := r.look(ctx); err != nil {
		return err
	}
	if err := d.files.writeRestore(r.journal); err != nil {
		return err
	}
	if err := r.lent.Mark("restore"); err != nil {
		return errors.Join(err, d.files.remove(restoreFile))
	}
	r.failpoint("begun")
	told("backup %s of %s will replace database %s; %s will be lost, the plan said %s", r.m.ID, r.m.At.Local().Format(time.DateTime), r.journal.Live, r.lost, rowsTold(r.plan.Lost))
	return nil
}

// look sees what of the live database has to come back, what is in the way, and
// what would be lost now.
func (r *restoration) look(ctx context.Context) error {
	conn := r.live.conn
	obstacles, _, err := r.d.obstacles(ctx, conn)
	if err != nil {
		return err
	}
	if err := refuseObstacles(obstacles); err != nil {
		return err
	}
	if r.like, err = backup.ReadProperties(ctx, conn); err != nil {
		return err
	}
	if r.lost, err = lost(ctx, conn, r.m); err != nil {
		return err
	}
	if err := hasGrown(r.plan.Lost, r.lost.total()); err != nil {
		return err
	}
	err = conn.QueryRow(ctx, "SELECT oid FROM pg_database WHERE datname = current_database()").Scan(&r.journal.LiveID)
	if err != nil {
		return r.live.explain(ctx, err, "asking")
	}
	return nil
}

// prepare makes the database that will take the live one's place.
func (r *restoration) prepare(ctx context.Context) error {
	name := r.journal.Restored
	server := r.d.server.In(r.control.Config().Database)
	told := r.lent.Enter("restore")
	if err := backup.CreateDatabase(ctx, server, name, r.like, r.d.mark()); err != nil {
		return err
	}
	r.failpoint("created")
	if r.like.Grants != nil {
		if _, err := r.control.Exec(ctx, "REVOKE ALL ON DATABASE "+quote(name)+" FROM PUBLIC"); err != nil {
			return explain(ctx, err, "closing "+name+" beside", r.control.Config())
		}
	}
	var err error
	if r.m, err = r.d.backups.Verify(ctx, r.m.ID, server.In(name), r.lent.Progress); err != nil {
		return err
	}
	if v := r.m.Verified; len(v.LeftOut) > 0 {
		if slices.ContainsFunc(v.LeftOut, neededByApps) {
			return failed("have a superuser restore it: set the admin URL to one for this restore",
				"%s may not create what the app may need: %s", r.control.Config().User, strings.Join(v.LeftOut, ", "))
		}
		r.lent.Warn("not restored, for only a superuser may create it, who should do so after the restore: %s", strings.Join(v.LeftOut, ", "))
	}
	r.failpoint("restored")
	told("backup %s is restored beside the live database, and compared with what was backed up", r.m.ID)
	return r.dress(ctx)
}

// neededByApps reports whether an app may need what was left out. No app needs
// the statistics of its statements.
func neededByApps(what string) bool {
	return strings.HasPrefix(what, "extension ") && !compat.Watches(strings.TrimPrefix(what, "extension "))
}

// dress gives the restored database what no dump has: statistics for the
// planner, and what ALTER DATABASE, GRANT and COMMENT have said of the live one.
func (r *restoration) dress(ctx context.Context) error {
	told := r.lent.Enter("settings")
	conn, err := r.besides(ctx)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "ANALYZE"); err != nil {
		return explain(ctx, err, "analyzing", conn.Config())
	}
	for _, sql := range r.like.Statements(r.journal.Restored) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return explain(ctx, err, "giving settings and grants to", conn.Config())
		}
	}
	got, err := backup.ReadProperties(ctx, conn)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, r.like) {
		return failed("compare pg_database and pg_db_role_setting of both", "the restored database did not get all of the live one's settings and grants: %+v, not %+v", got, r.like)
	}
	err = conn.QueryRow(ctx, "SELECT oid FROM pg_database WHERE datname = current_database()").Scan(&r.journal.RestoredID)
	if err != nil {
		return explain(ctx, err, "asking", conn.Config())
	}
	if err := r.d.answersIn(ctx, r.journal.Restored); err != nil {
		return err
	}
	r.failpoint("dressed")
	told("statistics, %d settings, grants and comment are as the live database has them, and the app can connect", len(r.like.Settings))
	return nil
}

// besides connects to the restored database, and may write to it whatever is set
// for the app.
func (r *restoration) besides(ctx context.Context) (*pgx.Conn, error) {
	conn, err := r.d.asOwner(ctx, r.journal.Restored)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "SET default_transaction_read_only TO off"); err != nil {
		hangUp(conn)
		return nil, explain(ctx, err, "preparing", conn.Config())
	}
	return conn, nil
}

// abandon removes the restored database before the swap: nothing else has
// changed.
func (r *restoration) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), clearing)
	defer cancel()
	if err := backup.Drop(ctx, r.control, r.journal.Restored); err != nil {
		r.lent.Warn("database %s is left, the next start removes it", r.journal.Restored)
		return explain(ctx, err, "removing "+r.journal.Restored+" beside", r.control.Config())
	}
	return r.d.files.remove(restoreFile)
}

// finish is what is done once the app has its database again. Nothing of it can
// take that back, so what fails is told.
func (r *restoration) finish(ctx context.Context) string {
	if r.journal.LiveID != 0 {
		r.complain(r.d.openFailed(ctx, r.control, r.journal))
		dropped, err := r.d.dropSurplus(ctx, r.control)
		r.complain(err)
		if len(dropped) > 0 {
			r.lent.Say("removed, from earlier restores: %s", strings.Join(dropped, ", "))
		}
	}
	r.d.rejudge(ctx, r.lent)
	r.failpoint("judged")
	r.complain(r.d.files.remove(restoreFile))
	r.failpoint("finished")
	text := fmt.Sprintf("backup %s of %s is the database now, after a swap of %v: %s lost, %s had been told",
		r.m.ID, r.m.At.Local().Format(time.DateTime), r.took.Round(time.Millisecond), r.lost, rowsTold(r.plan.Lost))
	if r.journal.LiveID != 0 {
		text += fmt.Sprintf("; the database that failed is kept, read-only, as %s: DROP DATABASE %s removes it", r.journal.Failed, quote(r.journal.Failed))
	}
	return text
}

func (r *restoration) complain(err error) {
	if err != nil {
		r.lent.Warn("%v", err)
	}
}

// answersIn asks a database as the app does.
func (d *Database) answersIn(ctx context.Context, database string) error {
	conn, err := d.asApp(ctx, database)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
		return explain(ctx, err, "asking", conn.Config())
	}
	return nil
}

// rowsTold is a number of rows as it was confirmed.
func rowsTold(n int64) string {
	if n == switcher.LostUnknown {
		return "an unknown number"
	}
	return fmt.Sprint(n)
}

// isMissing reports whether connecting failed because the database does not
// exist.
func isMissing(err error) bool { return err != nil && strings.Contains(err.Error(), noSuchDatabase) }
