package backup

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Counters are the server's statistics of what was written to a database until
// one moment. Those of a backup's moment and those of now tell together what a
// restore would lose. A session reports what it has written up to ten seconds
// later, and when it ends.
type Counters struct {
	At      time.Time  `json:"at"`                // by the server's clock
	System  string     `json:"system"`            // identifier of the cluster
	Started time.Time  `json:"started"`           // pg_postmaster_start_time
	Reset   *time.Time `json:"reset,omitempty"`   // of the database's statistics, by hand
	Crashed *time.Time `json:"crashed,omitempty"` // of the server's own, also by a crash

	Database Writes          `json:"database"` // to all of it, also to tables that are gone
	Internal Writes          `json:"internal"` // to system catalogs and TOAST tables, part of Database
	Tables   []TableCounters `json:"tables"`
}

// Writes are numbers of rows written, also by transactions that were rolled
// back. TRUNCATE counts as none.
type Writes struct {
	Inserted int64 `json:"inserted"`
	Updated  int64 `json:"updated"`
	Deleted  int64 `json:"deleted"`
}

// TableCounters are those of a table that is neither temporary nor the system's.
type TableCounters struct {
	OID  uint32 `json:"oid"`
	Name string `json:"name"` // qualified, quoted where it must be
	Writes
}

// ReadCounters reads them now.
func ReadCounters(ctx context.Context, conn *pgx.Conn) (Counters, error) {
	var c Counters
	// Without it a server before 15 tells once more what it told in this transaction.
	if _, err := conn.Exec(ctx, "SELECT pg_stat_clear_snapshot()"); err != nil {
		return c, err
	}
	err := conn.QueryRow(ctx, `
		SELECT clock_timestamp(), (SELECT system_identifier::text FROM pg_control_system()), pg_postmaster_start_time(),
			d.stats_reset, (SELECT stats_reset FROM pg_stat_bgwriter),
			d.tup_inserted, d.tup_updated, d.tup_deleted, i.inserted, i.updated, i.deleted
		FROM pg_stat_database d, (
			SELECT coalesce(sum(n_tup_ins), 0)::bigint AS inserted, coalesce(sum(n_tup_upd), 0)::bigint AS updated, coalesce(sum(n_tup_del), 0)::bigint AS deleted
			FROM pg_stat_sys_tables s JOIN pg_class c ON c.oid = s.relid WHERE NOT c.relisshared) i
		WHERE d.datname = current_database()`).Scan(&c.At, &c.System, &c.Started, &c.Reset, &c.Crashed,
		&c.Database.Inserted, &c.Database.Updated, &c.Database.Deleted, &c.Internal.Inserted, &c.Internal.Updated, &c.Internal.Deleted)
	if err != nil {
		return c, err
	}
	rows, _ := conn.Query(ctx, `
		SELECT s.relid, format('%I.%I', s.schemaname, s.relname), s.n_tup_ins, s.n_tup_upd, s.n_tup_del
		FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
		WHERE c.relpersistence <> 't' AND c.relkind IN ('r', 'm') ORDER BY 2`)
	c.Tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t TableCounters, err error) {
		err = row.Scan(&t.OID, &t.Name, &t.Inserted, &t.Updated, &t.Deleted)
		return t, err
	})
	return c, err
}
