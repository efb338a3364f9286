package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// otherDatabases are where every server lets one connect to, unless that was
// forbidden.
var otherDatabases = [...]string{"postgres", "template1"}

// control connects to a database that is neither the live one nor one beside it,
// for neither can be renamed while somebody is in it.
func (d *Database) control(ctx context.Context) (*pgx.Conn, error) {
	conn, err := d.asOwner(ctx, otherDatabases[0])
	if err == nil {
		return conn, nil
	}
	if conn, err := d.asOwner(ctx, otherDatabases[1]); err == nil {
		return conn, nil
	}
	return nil, err
}

// obstacles finds what would stop a restore in the middle, before it begins, and
// what will not come back by itself. conn is in the live database, as its owner.
func (d *Database) obstacles(ctx context.Context, conn *pgx.Conn) (found []switcher.Obstacle, warnings []string, err error) {
	p := &preflight{d: d, conn: conn, name: conn.Config().Database, me: conn.Config().User}
	for _, check := range []func(context.Context) error{p.rights, p.sessions, p.holders, p.sequences, p.replication, p.properties} {
		if err := check(ctx); err != nil {
			return nil, nil, explain(ctx, err, "looking for what stands in the way of a restore of", conn.Config())
		}
	}
	control, err := d.control(ctx)
	if err != nil {
		p.obstacle(fmt.Sprintf("let %s connect to the database postgres, or to template1", p.me),
			"a database can be renamed only from another one, and %s may connect to neither postgres nor template1", p.me)
		return p.found, p.warnings, nil
	}
	hangUp(control)
	return p.found, p.warnings, nil
}

type preflight struct {
	d        *Database
	conn     *pgx.Conn
	name, me string
	found    []switcher.Obstacle
	warnings []string
}

func (p *preflight) obstacle(remedy, format string, args ...any) {
	p.found = append(p.found, switcher.Obstacle{What: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (p *preflight) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// strings asks for a list of texts.
func (p *preflight) strings(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, _ := p.conn.Query(ctx, sql, args...)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (p *preflight) rights(ctx context.Context) error {
	var owner, create bool
	var ownedBy string
	err := p.conn.QueryRow(ctx, `SELECT pg_has_role(d.datdba, 'USAGE'), r.rolcreatedb OR r.rolsuper, pg_get_userbyid(d.datdba)
		FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`).Scan(&owner, &create, &ownedBy)
	if err != nil {
		return err
	}
	if !owner {
		p.obstacle(fmt.Sprintf("GRANT %s TO %s", quote(ownedBy), quote(p.me)), "%s does not own the database %s, so it may not rename it", p.me, p.name)
	}
	if !create {
		p.obstacle(fmt.Sprintf("ALTER ROLE %s CREATEDB", quote(p.me)), "%s may neither create nor rename databases", p.me)
	}
	return nil
}

// mayEnd is true of a session that this role may end, given its role.
const mayEnd = `(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
	OR NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))`

// sessions finds roles whose sessions could not be ended: the app's, and those
// that have had one for a while. Shorter ones get a moment to end by themselves.
func (p *preflight) sessions(ctx context.Context) error {
	var app string
	if url, err := p.d.appURL(); err == nil {
		app = url.user
	}
	rows, _ := p.conn.Query(ctx, `SELECT r.rolname::text, r.rolsuper FROM pg_roles r
		WHERE (r.rolname = $1 OR r.oid IN (SELECT usesysid FROM pg_stat_activity
				WHERE datname = current_database() AND backend_start < clock_timestamp() - interval '5 seconds'))
			AND NOT (`+mayEnd+`) ORDER BY 1`, app)
	type role struct {
		Name  string
		Super bool
	}
	roles, err := pgx.CollectRows(rows, pgx.RowToStructByPos[role])
	if err != nil {
		return err
	}
	for _, r := range roles {
		remedy := fmt.Sprintf("GRANT pg_signal_backend TO %s, or GRANT %s TO %s", quote(p.me), quote(r.Name), quote(p.me))
		if r.Super {
			remedy = "end those sessions; only a superuser may end a superuser's"
		}
		p.obstacle(remedy, "%s may not end sessions of %s, and a database in use cannot be renamed", p.me, r.Name)
	}
	return nil
}

// holders finds what stays in a database when all its sessions have ended.
func (p *preflight) holders(ctx context.Context) error {
	prepared, err := p.strings(ctx, "SELECT quote_literal(gid) FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared")
	if err != nil {
		return err
	}
	if len(prepared) > 0 {
		p.obstacle("in "+p.name+", COMMIT PREPARED or ROLLBACK PREPARED each of them",
			"prepared transactions keep the database from being renamed: %s", several(prepared, 3))
	}
	return nil
}

func (p *preflight) sequences(ctx context.Context) error {
	hidden, err := p.strings(ctx, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relpersistence <> 't' AND NOT has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') ORDER BY 1`)
	if err == nil && len(hidden) > 0 {
		p.obstacle(fmt.Sprintf("GRANT SELECT ON SEQUENCE %s TO %s", several(hidden, 20), quote(p.me)),
			"%s may not see where %s stands, so ids could be given out twice", p.me, several(hidden, 3))
	}
	return err
}

// replication finds what would go on with the failed database under its new name.
func (p *preflight) replication(ctx context.Context) error {
	slots, err := p.strings(ctx, "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database() ORDER BY 1")
	if err != nil {
		return err
	}
	if len(slots) > 0 {
		p.obstacle("SELECT pg_drop_replication_slot(…) for each; make them anew after the restore, and copy the tables to the subscribers again",
			"logical replication slots would go on with the replaced database: %s", several(slots, 5))
	}
	subscriptions, err := p.strings(ctx, `SELECT s.subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
		WHERE d.datname = current_database() AND s.subenabled ORDER BY 1`)
	if err != nil {
		return err
	}
	if len(subscriptions) > 0 {
		p.obstacle("ALTER SUBSCRIPTION … DISABLE for each; make them anew after the restore",
			"subscriptions would go on writing into the replaced database: %s", several(subscriptions, 5))
	}
	publications, err := p.strings(ctx, "SELECT pubname::text FROM pg_publication ORDER BY 1")
	if err == nil && len(publications) > 0 {
		p.warn("publications come back without their subscribers, which have to copy the tables again: %s", several(publications, 5))
	}
	return err
}

// properties tries, in a transaction that is rolled back, whether this role may
// say of a database again what is said of the live one.
func (p *preflight) properties(ctx context.Context) error {
	properties, err := backup.ReadProperties(ctx, p.conn)
	if err != nil {
		return err
	}
	for _, s := range properties.Settings {
		if s.Name == "default_transaction_read_only" && s.Value != "off" {
			p.warn("the live database is read-only by a setting, and so will the restored one be: ALTER DATABASE %s RESET %s ends it", quote(p.name), s.Name)
		}
	}
	tx, err := p.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
		return err
	}
	for _, sql := range properties.Statements(p.name) {
		if err := try(ctx, tx, sql); err != nil && state(err) != lockTimeout {
			why, _ := plainly(err)
			p.obstacle(fmt.Sprintf("have it set by a superuser, and run restores as one; or RESET it first and set it again afterwards; the statement is: %s", sql),
				"%s may not give the restored database what the live one has: %s", p.me, why)
		}
	}
	return nil
}

// try runs a statement and takes it back.
func try(ctx context.Context, tx pgx.Tx, sql string) error {
	step, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = step.Exec(ctx, sql)
	return errors.Join(err, step.Rollback(ctx))
}

// refuseObstacles is the error of a restore that cannot be done now.
func refuseObstacles(found []switcher.Obstacle) error {
	if len(found) == 0 {
		return nil
	}
	whats, remedies := make([]string, len(found)), make([]string, len(found))
	for i, o := range found {
		whats[i], remedies[i] = o.What, o.Remedy
	}
	return refused(strings.Join(remedies, "; "), "%s", cmp.Or(strings.Join(whats, "; "), "the restore cannot be done"))
}
