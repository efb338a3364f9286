package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// advisory is the key of the lock that says who works on a database.
	advisory     int64 = 0x626c756567726e
	lockPatience       = 10 * time.Second
	lockLook           = 100 * time.Millisecond
)

// work is the live database while it is worked on: one session, which holds the
// advisory lock for as long as it lives.
type work struct {
	conn *pgx.Conn
	d    *Database
}

// begin connects to the live database and takes the advisory lock. It is polled:
// a session that waits for it would be one that CREATE INDEX CONCURRENTLY waits
// for.
func (d *Database) begin(ctx context.Context) (*work, error) {
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return nil, err
	}
	w := &work{conn, d}
	if serverVersion(conn) >= 140000 { // it has nothing to do for as long as a migration runs
		if _, err := conn.Exec(ctx, "SET idle_session_timeout = 0"); err != nil {
			w.end()
			return nil, w.explain(ctx, err, "preparing")
		}
	}
	if err := w.lock(ctx); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

func (w *work) lock(ctx context.Context) error {
	until := time.Now().Add(lockPatience)
	for {
		var got bool
		if err := w.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", advisory).Scan(&got); err != nil {
			return w.explain(ctx, err, "locking")
		}
		if got {
			return nil
		}
		if time.Now().After(until) {
			return refused("wait for its end; a session that nobody ends is ended with SELECT pg_terminate_backend(PID)",
				"another bluegreen works on database %s: %s", w.d.admin.Database, w.holder(ctx))
		}
		if err := pause(ctx, lockLook); err != nil {
			return err
		}
	}
}

// holder describes who has the lock.
func (w *work) holder(ctx context.Context) string {
	var who string
	err := w.conn.QueryRow(ctx, `SELECT format('session %s (%s) of %s from %s, since %s', a.pid, a.application_name, a.usename,
			coalesce(host(a.client_addr), 'a socket'), to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS'))
		FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND l.classid = ($1::bigint >> 32)::bit(32)::int::oid AND l.objid = ($1::bigint & 4294967295)::bit(32)::int::oid`, advisory).Scan(&who)
	if err != nil {
		return "a session that has just ended"
	}
	return who
}

// still fails when the lock was lost with its session.
func (w *work) still(ctx context.Context) error {
	if _, err := w.conn.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("the lock on the database was lost: %w", w.explain(ctx, err, "asking"))
	}
	return nil
}

func (w *work) end() { hangUp(w.conn) }

func (w *work) explain(ctx context.Context, err error, doing string) error {
	return explain(ctx, err, doing, w.conn.Config())
}

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
