package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// lockWait is how long a dump waits for a table that somebody has locked.
const lockWait = time.Minute

// moment is a transaction whose snapshot others can share.
type moment struct {
	tx       pgx.Tx
	snapshot string
}

const ownRelation = `c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

// survey begins a transaction and describes in m what its snapshot shows.
func survey(ctx context.Context, conn *pgx.Conn, m *Manifest) (*moment, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	at := &moment{tx: tx}
	for _, step := range []func(context.Context, *Manifest) error{at.begin, at.tables, at.sequences, at.properties, at.privileged} {
		if err := step(ctx, m); err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx))
			return nil, sqlError(ctx, "reading what the database holds", err)
		}
	}
	return at, nil
}

func (at *moment) end(ctx context.Context) { _ = at.tx.Rollback(context.WithoutCancel(ctx)) }

func (at *moment) begin(ctx context.Context, m *Manifest) error {
	// What is set for the role or the database is for the app's statements.
	_, err := at.tx.Exec(ctx, fmt.Sprintf(`SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
  set_config('lock_timeout', '%dms', true), set_config('row_security', 'off', true)`, lockWait.Milliseconds()))
	if err == nil {
		// If this process is killed, a statement that waits ends soon. Servers
		// before 14 cannot do that.
		_, err = at.tx.Exec(ctx, "SELECT set_config(name, '2000', true) FROM pg_settings WHERE name = 'client_connection_check_interval'")
	}
	if err != nil {
		return err
	}
	err = at.tx.QueryRow(ctx, `SELECT pg_export_snapshot(), clock_timestamp(),
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
  current_database(), current_setting('server_version_num')::int, current_setting('server_version'), pg_database_size(current_database())`).
		Scan(&at.snapshot, &m.At, &m.LSN, &m.Database, &m.Server, &m.ServerVersion, &m.FullSize)
	m.At = m.At.UTC()
	if err == nil {
		m.Counters, err = ReadCounters(ctx, at.tx.Conn())
	}
	return err
}

func (at *moment) tables(ctx context.Context, m *Manifest) error {
	rows, err := at.tx.Query(ctx, `SELECT c.oid, format('%I.%I', n.nspname, c.relname), coalesce(pg_table_size(c.oid), 0), greatest(c.reltuples, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND `+ownRelation)
	if err != nil {
		return err
	}
	m.Tables = make(map[string]Table)
	var name string
	var t Table
	_, err = pgx.ForEachRow(rows, []any{&t.OID, &name, &t.Bytes, &t.Estimate}, func() error {
		m.Tables[name] = t
		m.DataSize += t.Bytes
		return nil
	})
	return err
}

const sequencesQuery = `SELECT format('%I.%I', n.nspname, c.relname), q.seqincrement, pg_sequence_last_value(c.oid)
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ` + ownRelation

func (at *moment) sequences(ctx context.Context, m *Manifest) error {
	var err error
	m.Sequences, err = readSequences(ctx, at.tx)
	return err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func readSequences(ctx context.Context, from querier) (map[string]Sequence, error) {
	rows, err := from.Query(ctx, sequencesQuery)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Sequence)
	var name string
	var increment int64
	var last *int64
	_, err = pgx.ForEachRow(rows, []any{&name, &increment, &last}, func() error {
		found[name] = Sequence{Increment: increment, Last: last}
		last = nil
		return nil
	})
	return found, err
}

// privileged notes what a role that is no superuser may be unable to create.
func (at *moment) privileged(ctx context.Context, m *Manifest) error {
	rows, err := at.tx.Query(ctx, `SELECT 'extension', x.extname::text, n.nspname::text FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname <> 'plpgsql'
UNION ALL SELECT 'publication', pubname::text, '' FROM pg_publication WHERE puballtables
UNION ALL SELECT 'event trigger', evtname::text, '' FROM pg_event_trigger ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	m.Privileged, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Privileged])
	return err
}

// sqlError tells what a statement was for and what the server said, without
// values of rows.
func sqlError(ctx context.Context, doing string, err error) error {
	var refused *pgconn.PgError
	var known *switcher.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &known):
		return err
	case errors.As(err, &refused):
		return &switcher.Error{Code: switcher.CodeFailed, What: doing, Hint: hintFor(refused.Message),
			Err: fmt.Errorf("%s (SQLSTATE %s)", refused.Message, refused.Code)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
