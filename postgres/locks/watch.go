package locks

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	interval = 20 * time.Millisecond // between two looks at the locks
	patience = 10 * time.Second      // with a server that does not answer a look
	settling = 3 * time.Second       // that sessions and counters may take to end and arrive
)

// Watch is a scratch database in which a migration is about to run.
type Watch struct {
	conn   *pgx.Conn
	server int
	exact  bool // each statement is noted
	before map[uint32]counters
	held   map[uint32]map[string]time.Duration
	end    context.CancelFunc
	done   chan struct{}
}

// Start begins to watch the database that conn leads to; the first of the two
// schemas to be compared has been read. For a superuser each statement that
// changes the schema is noted with the locks that are held at its end; for
// others the locks are looked at again and again. The connection belongs to the
// Watch until Stop has returned.
func Start(ctx context.Context, conn *pgx.Conn) (*Watch, error) {
	w := &Watch{conn: conn, held: map[uint32]map[string]time.Duration{}, done: make(chan struct{})}
	err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, rolsuper FROM pg_roles WHERE rolname = current_user").Scan(&w.server, &w.exact)
	if err == nil {
		w.before, err = w.settled(ctx)
	}
	if err == nil && w.exact {
		err = exec(ctx, conn, install)
	}
	if err != nil {
		return nil, fmt.Errorf("watching the locks of a migration: %w", err)
	}
	ctx, w.end = context.WithCancel(ctx)
	go w.look(ctx)
	return w, nil
}

// look adds up for how long which locks that keep writers out are held.
func (w *Watch) look(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		rows, _ := w.conn.Query(within, `SELECT DISTINCT relation, mode FROM pg_locks
			WHERE locktype = 'relation' AND granted AND relation >= 16384 AND pid <> pg_backend_pid() AND mode = ANY ($1)
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, blocking)
		seen, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			Relation uint32
			Mode     string
		}])
		cancel()
		if err != nil {
			return // Stop finds out why
		}
		now := time.Now()
		for _, lock := range seen {
			if w.held[lock.Relation] == nil {
				w.held[lock.Relation] = map[string]time.Duration{}
			}
			w.held[lock.Relation][lock.Mode] += now.Sub(last)
		}
		last = now
	}
}

// Stop ends watching and tells what was seen. Nothing is left in the database,
// and the second schema may be read. The sessions of the migration have ended.
func (w *Watch) Stop(ctx context.Context) (*Seen, error) {
	w.end()
	<-w.done
	seen := &Seen{before: w.before, held: w.held, exact: w.exact}
	err := w.finish(ctx, seen)
	if err != nil {
		return nil, fmt.Errorf("reading the locks of a migration: %w", err)
	}
	return seen, nil
}

func (w *Watch) finish(ctx context.Context, seen *Seen) (err error) {
	if w.exact {
		rows, _ := w.conn.Query(ctx, "SELECT tag, relation, mode, scans FROM bluegreen_watch.note ORDER BY id")
		if seen.notes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[note]); err != nil {
			return err
		}
		if err := exec(ctx, w.conn, remove); err != nil {
			return err
		}
	}
	if err := w.alone(ctx); err != nil {
		return err
	}
	if seen.after, err = w.settled(ctx); err != nil {
		return err
	}
	if err := w.conn.QueryRow(ctx, "SELECT current_setting('track_counts')::bool").Scan(&seen.counted); err != nil {
		return err
	}
	seen.atOnce, err = oids(ctx, w.conn, madeAtOnce)
	return err
}

// alone waits a moment for the sessions of the migration to end, for what they
// have counted arrives with that.
func (w *Watch) alone(ctx context.Context) error {
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); {
		var others int
		err := w.conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND backend_type = 'client backend'`).Scan(&others)
		if err != nil || others == 0 {
			return err
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
	return nil
}

// counters are those of a table since it was made.
type counters struct{ Scans, Inserted, Updated, Deleted, Live int64 }

// settled reads the counters of all tables. Up to version 14 they arrive up to
// half a second late.
func (w *Watch) settled(ctx context.Context) (map[uint32]counters, error) {
	found, err := w.count(ctx)
	if err != nil || w.server >= 150000 {
		return found, err
	}
	for deadline := time.Now().Add(settling); time.Now().Before(deadline); {
		if err := pause(ctx, 600*time.Millisecond); err != nil {
			return nil, err
		}
		again, err := w.count(ctx)
		if err != nil || same(found, again) {
			return again, err
		}
		found = again
	}
	return found, nil
}

func (w *Watch) count(ctx context.Context) (map[uint32]counters, error) {
	rows, _ := w.conn.Query(ctx, "SELECT relid, coalesce(seq_scan, 0), n_tup_ins, n_tup_upd, n_tup_del, n_live_tup FROM pg_stat_user_tables")
	found := map[uint32]counters{}
	var table uint32
	var c counters
	_, err := pgx.ForEachRow(rows, []any{&table, &c.Scans, &c.Inserted, &c.Updated, &c.Deleted, &c.Live}, func() error {
		found[table] = c
		return nil
	})
	return found, err
}

func same(a, b map[uint32]counters) bool {
	for table, counted := range b {
		if a[table] != counted {
			return false
		}
	}
	return len(a) == len(b)
}

func oids(ctx context.Context, conn *pgx.Conn, query string) (map[uint32]bool, error) {
	rows, _ := conn.Query(ctx, query)
	list, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
	found := make(map[uint32]bool, len(list))
	for _, oid := range list {
		found[oid] = true
	}
	return found, err
}

func exec(ctx context.Context, conn *pgx.Conn, script string) error {
	_, err := conn.PgConn().Exec(ctx, script).ReadAll()
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
