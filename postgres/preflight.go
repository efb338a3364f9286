package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	oldestServer = 130000
	// longTransaction is the age from which on a transaction is in the way of a
	// migration: it would have to wait for it, and everybody else behind it.
	longTransaction = 5 * time.Minute
)

// preflight looks for what would make any work fail.
func (w *work) preflight(ctx context.Context) error {
	if version := serverVersion(w.conn); version < oldestServer {
		return refused("upgrade the server", "the server is PostgreSQL %s, and 13 or newer is needed", w.conn.PgConn().ParameterStatus("server_version"))
	}
	if _, err := w.d.backups.Preflight(ctx, w.d.server); err != nil {
		return err
	}
	return w.all(ctx, w.privileges, w.ownership, w.preparedTransactions, w.invalidIndexes)
}

// obstacles looks for what a migration would fail at, or wait behind.
func (w *work) obstacles(ctx context.Context) error {
	return w.all(ctx, w.runningDump, w.longTransactions)
}

func (w *work) all(ctx context.Context, checks ...func(context.Context) error) error {
	for _, check := range checks {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) privileges(ctx context.Context) error {
	var creates, member, standby bool
	var owner, readonly string
	err := w.conn.QueryRow(ctx, `SELECT r.rolsuper OR r.rolcreatedb, pg_has_role(d.datdba, 'MEMBER'), pg_get_userbyid(d.datdba),
			pg_is_in_recovery(), current_setting('transaction_read_only')
		FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`).Scan(&creates, &member, &owner, &standby, &readonly)
	user := quote(w.conn.Config().User)
	switch {
	case err != nil:
		return w.explain(ctx, err, "reading the privileges in")
	case standby:
		return failed("the URL of the owner must lead to the primary", "%s is a standby", where(w.conn.Config()))
	case readonly == "on":
		return failed("default_transaction_read_only is on, for the server, the database or the role", "%s is read-only", where(w.conn.Config()))
	case !creates && w.d.needsScratch():
		return refused(fmt.Sprintf("ALTER ROLE %s CREATEDB", user), "%s may not create the databases in which migrations are rehearsed", w.conn.Config().User)
	case !member:
		return refused(fmt.Sprintf("GRANT %s TO %s", quote(owner), user), "%s does not own database %s, and is no member of %s, who does", w.conn.Config().User, w.conn.Config().Database, owner)
	}
	return nil
}

// named collects names that a query finds, for an error text.
func (w *work) named(ctx context.Context, doing, query string, args ...any) (string, error) {
	rows, _ := w.conn.Query(ctx, query, args...)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", w.explain(ctx, err, doing)
	}
	return several(names, 5), nil
}

// several joins names, and counts those that are too many.
func several(names []string, most int) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

const userSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// ownership: what the edge's role does not own it cannot copy with its owner, nor
// can a migration change it.
func (w *work) ownership(ctx context.Context) error {
	foreign, err := w.named(ctx, "reading the owners in", `SELECT format('%s (of %s)', c.oid::regclass, pg_get_userbyid(c.relowner))
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't' AND `+userSchema+` AND NOT pg_has_role(c.relowner, 'MEMBER')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY 1`)
	if err == nil && foreign != "" {
		user := quote(w.conn.Config().User)
		err = refused(fmt.Sprintf("GRANT the role that owns them TO %s, or ALTER TABLE … OWNER TO %s", user, user),
			"%s is no member of the owner of %s", w.conn.Config().User, foreign)
	}
	return err
}

// invalid lists indexes that a failed CREATE INDEX CONCURRENTLY has left. One of a
// partitioned table is invalid until all of its parts have theirs.
const invalid = `SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relpersistence <> 't' AND ` + userSchema + ` ORDER BY 1`

func (w *work) invalidIndexes(ctx context.Context) error {
	broken, err := w.named(ctx, "looking for invalid indexes in", invalid)
	if err == nil && broken != "" {
		err = refused("drop each with DROP INDEX CONCURRENTLY, or build it again with REINDEX INDEX CONCURRENTLY",
			"an index is invalid, as a CREATE INDEX CONCURRENTLY leaves it that has failed or still runs: %s", broken)
	}
	return err
}

func (w *work) runningDump(ctx context.Context) error {
	dump, err := w.named(ctx, "reading the sessions of", `SELECT format('session %s, since %s', pid, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS'))
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'pg_dump'`)
	if err == nil && dump != "" {
		err = refused("wait for its end: what it locks no migration can change", "a pg_dump of the database runs: %s", dump)
	}
	return err
}

func (w *work) longTransactions(ctx context.Context) error { return w.longerThan(ctx, longTransaction) }

func (w *work) longerThan(ctx context.Context, age time.Duration) error {
	long, err := w.named(ctx, "reading the sessions of", `SELECT format('session %s of %s (%s), since %s', pid, usename, coalesce(nullif(application_name, ''), state), to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS'))
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
			AND xact_start < now() - $1::interval ORDER BY xact_start`, age)
	if err == nil && long != "" {
		err = refused("wait for its end, or end it with SELECT pg_terminate_backend(PID)",
			"a transaction has lasted for more than %v, and a migration would wait behind it: %s", age, long)
	}
	return err
}

func (w *work) preparedTransactions(ctx context.Context) error {
	prepared, err := w.named(ctx, "reading the prepared transactions of",
		"SELECT format('%L of %s', gid, owner) FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared")
	if err == nil && prepared != "" {
		err = refused("COMMIT PREPARED or ROLLBACK PREPARED each of them", "prepared transactions hold locks until somebody ends them: %s", prepared)
	}
	return err
}
