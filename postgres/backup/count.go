package backup

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// leastOvertime is how long counting may go on after a dump, or as long as that
// took.
const leastOvertime = 30 * time.Second

// counting counts the rows of tables, the smallest first, until all are counted
// or it is told to stop.
type counting struct {
	conn    *pgx.Conn
	stopped atomic.Bool
	done    chan struct{}
	counts  map[string]int64
	err     error
}

// count begins to count in a transaction, which nobody else uses until finish
// has returned.
func count(ctx context.Context, tx pgx.Tx, tables map[string]Table) *counting {
	c := &counting{conn: tx.Conn(), done: make(chan struct{}), counts: make(map[string]int64, len(tables))}
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(tables[a].Bytes, tables[b].Bytes), cmp.Compare(a, b))
	})
	go func() {
		defer close(c.done)
		for _, name := range names {
			if c.stopped.Load() || ctx.Err() != nil {
				return
			}
			if c.err = c.one(ctx, tx, name); c.err != nil {
				return
			}
		}
	}()
	return c
}

// one counts a table. A cancelled statement must not end the transaction, whose
// snapshot is in use.
func (c *counting) one(ctx context.Context, tx pgx.Tx, name string) error {
	step, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	var n int64
	err = step.QueryRow(ctx, "SELECT count(*) FROM ONLY "+name).Scan(&n)
	var refused *pgconn.PgError
	switch {
	case err == nil:
		c.counts[name] = n
		return step.Commit(ctx)
	case errors.As(err, &refused):
		return step.Rollback(ctx) // cancelled, or not ours to read: it has no count
	}
	return err
}

// after returns what was counted once a dump, begun then, has ended: well, or with
// an error, which is returned.
func (c *counting) after(ctx context.Context, began time.Time, err error) (map[string]int64, error) {
	overtime := max(leastOvertime, time.Since(began))
	if err != nil {
		overtime = 0
	}
	counts, countErr := c.finish(ctx, overtime)
	if err == nil {
		err = sqlError(ctx, "counting rows", countErr)
	}
	return counts, err
}

// finish waits for the counting at most for overtime and returns what was
// counted.
func (c *counting) finish(ctx context.Context, overtime time.Duration) (map[string]int64, error) {
	timer := time.NewTimer(overtime)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.stopped.Store(true)
		c.cancel(ctx)
	case <-ctx.Done():
	}
	<-c.done
	return c.counts, c.err
}

// cancel has the server end the statement that runs. It is asked until it has,
// for between two statements there is nothing to cancel.
func (c *counting) cancel(ctx context.Context) {
	for ctx.Err() == nil {
		_ = c.conn.PgConn().CancelRequest(ctx)
		select {
		case <-c.done:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
