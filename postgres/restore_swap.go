package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
)

const (
	holdPatience = 2 * time.Second  // for requests in flight before their sessions are ended
	endPatience  = 10 * time.Second // for sessions to end, and for both renames
	selfPatience = time.Second      // for sessions that may not be ended
	endLook      = 3 * time.Millisecond
	swapPatience = time.Minute // for all of it, whatever happens to who asked
)

// swap puts the restored database in the live one's place while requests wait.
// What has been done is undone when a step fails; from here on a crash is for
// recoverRestore.
func (r *restoration) swap(ctx context.Context) error {
	if r.lent.Request.FreezeWrites {
		r.lent.Freeze(true)
		defer r.lent.Freeze(false)
		r.lent.Say("requests that may write are refused from here on")
	}
	if err := r.lastLook(ctx); err != nil {
		return errors.Join(err, r.abandon())
	}
	if err := errors.Join(r.d.files.writeRestore(r.journal), r.lent.Mark("swap")); err != nil {
		return errors.Join(err, r.abandon())
	}
	r.failpoint("swapping")

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapPatience)
	defer cancel()
	told := r.lent.Enter("swap")
	began := time.Now()
	holding, stop := context.WithTimeout(ctx, holdPatience)
	release := r.lent.Hold(holding)
	stop()
	defer release()

	u := &undoing{}
	err := r.exchange(ctx, u)
	if err != nil {
		if undone := u.undo(ctx); undone != nil {
			return errors.Join(err, fmt.Errorf("undoing it failed as well, the next start does it: %w", undone))
		}
		release()
		return errors.Join(fmt.Errorf("the swap was undone, database %s is as it was: %w", r.journal.Live, err), r.abandon())
	}
	r.took = time.Since(began)
	told("database %s is the restored one; %s lost", r.journal.Live, r.lost)
	return nil
}

// lastLook tells what will be lost while that can still be seen at leisure. It
// refuses nothing: whoever confirmed knew that it grows, and nothing is thrown
// away.
func (r *restoration) lastLook(ctx context.Context) error {
	if r.live == nil {
		return nil
	}
	var err error
	if r.lost, err = lost(ctx, r.live.conn, r.m); err != nil {
		return err
	}
	r.lent.Say("%s will be lost, %s had been told", r.lost, rowsTold(r.plan.Lost))
	return nil
}

// undoing takes steps back, the last one first.
type undoing struct{ steps []func(context.Context) error }

func (u *undoing) add(step func(context.Context) error) { u.steps = append(u.steps, step) }

func (u *undoing) undo(ctx context.Context) error {
	for _, step := range slices.Backward(u.steps) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoration) exchange(ctx context.Context, u *undoing) error {
	j := r.journal
	if r.live != nil {
		if err := r.alter(ctx, "ALTER DATABASE "+quote(j.Live)+" ALLOW_CONNECTIONS false"); err != nil {
			return err
		}
		u.add(func(ctx context.Context) error {
			return r.alter(ctx, "ALTER DATABASE "+quote(j.Live)+" ALLOW_CONNECTIONS true")
		})
		r.failpoint("closed")
		if err := r.endSessions(ctx, j.Live, r.live.conn.PgConn().PID()); err != nil {
			return err
		}
		r.failpoint("ended")
		if err := r.settle(ctx); err != nil {
			return err
		}
		r.failpoint("settled")
		if err := r.rename(ctx, j.Live, j.Failed); err != nil {
			return err
		}
		u.add(func(ctx context.Context) error { return r.rename(ctx, j.Failed, j.Live) })
		r.failpoint("away")
	}
	if err := r.rename(ctx, j.Restored, j.Live); err != nil {
		return err
	}
	u.add(func(ctx context.Context) error { return r.rename(ctx, j.Live, j.Restored) })
	r.failpoint("here")
	return r.d.answersIn(ctx, "")
}

// settle reads what the live database says last, when nobody can write to it any
// more: what is lost, and which ids were given out. Its session ends then, and
// with it the lock.
func (r *restoration) settle(ctx context.Context) error {
	conn := r.live.conn
	now, err := backup.ReadCounters(ctx, conn)
	if err != nil {
		return explain(ctx, err, "reading the counters of", conn.Config())
	}
	if l := lossSince(r.m.Counters, now); l.unknown == "" {
		r.lost = l
	} else if r.lost.unknown != "" {
		r.lost.inserted = unseenUnknown
	}
	failed, err := readSequences(ctx, conn)
	if err != nil {
		return err
	}
	r.live.end()
	r.live = nil
	return r.raise(ctx, failed)
}

func (r *restoration) raise(ctx context.Context, failed map[string]sequence) error {
	conn, err := r.besides(ctx)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	restored, err := readSequences(ctx, conn)
	if err != nil {
		return err
	}
	to, unseen := raise(failed, restored, r.lost.inserted)
	if err := setSequences(ctx, conn, to); err != nil {
		return err
	}
	if len(unseen) > 0 {
		r.lent.Warn("where %s stood is gone with the tables: raised by %d for each row that was inserted and %d more; set them higher if ids were given out faster",
			several(unseen, 5), unseenFactor, unseenLeast)
	}
	return nil
}

// endSessions ends all sessions in a database but one, until there are none: some
// come in a moment after the door was closed. Those that may not be ended get a
// moment to end by themselves.
func (r *restoration) endSessions(ctx context.Context, database string, but uint32) error {
	began := time.Now()
	for {
		rows, _ := r.control.Query(ctx, `SELECT r.rolname::text, CASE WHEN `+mayEnd+` THEN pg_terminate_backend(a.pid) ELSE false END
			FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid WHERE a.datname = $1 AND a.pid <> $2`, database, int32(but))
		ended, staying := 0, map[string]bool{}
		var role string
		var asked bool
		_, err := pgx.ForEachRow(rows, []any{&role, &asked}, func() error {
			staying[role] = true
			if asked {
				ended++
			}
			return nil
		})
		if err != nil {
			return explain(ctx, err, "ending sessions of "+database+", asking", r.control.Config())
		}
		waited := time.Since(began)
		switch {
		case len(staying) == 0:
			return nil
		case waited > endPatience, waited > selfPatience && ended == 0:
			return failed("SELECT pid, usename, application_name FROM pg_stat_activity says whose they are; GRANT pg_signal_backend lets this role end all but a superuser's",
				"sessions of %s in %s do not end", several(slices.Sorted(maps.Keys(staying)), 5), database)
		}
		if err := pause(ctx, endLook); err != nil {
			return err
		}
	}
}

// rename renames a database that nobody is in. A session that is ending may
// still be counted by the server, so it is tried again.
func (r *restoration) rename(ctx context.Context, from, to string) error {
	return renameDatabase(ctx, r.control, from, to, func(ctx context.Context) error { return r.endSessions(ctx, from, 0) })
}

func renameDatabase(ctx context.Context, control *pgx.Conn, from, to string, clear func(context.Context) error) error {
	until := time.Now().Add(endPatience)
	for {
		if err := clear(ctx); err != nil {
			return err
		}
		_, err := control.Exec(ctx, "ALTER DATABASE "+quote(from)+" RENAME TO "+quote(to))
		if err == nil {
			return nil
		}
		if state(err) != inUse || time.Now().After(until) {
			return explain(ctx, err, fmt.Sprintf("renaming %s to %s, from", from, to), control.Config())
		}
	}
}

func (r *restoration) alter(ctx context.Context, sql string) error {
	if _, err := r.control.Exec(ctx, sql); err != nil {
		return explain(ctx, err, sql+", from", r.control.Config())
	}
	return nil
}
