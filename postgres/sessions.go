package postgres

import (
	"context"
	"time"
)

// endSessions ends the migrating sessions on the live database and waits until
// they are gone. Whoever has begun them is, and the server would go on with what
// it was told, and apply it after everybody has looked.
func (w *work) endSessions(ctx context.Context) error {
	const look = 50 * time.Millisecond
	for {
		var left int
		err := w.conn.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = current_user AND application_name = $1`, w.d.applicationName(migrating)).Scan(&left)
		if err != nil {
			return w.explain(ctx, err, "ending the sessions of the migrations in")
		}
		if left == 0 {
			return nil
		}
		if err := pause(ctx, look); err != nil {
			return err
		}
	}
}
