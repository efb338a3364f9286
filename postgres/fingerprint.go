package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// known is the live schema as it was read last, and the fingerprint that the
// system catalogs had before that.
type known struct {
	fingerprint string
	schema      *catalog.Schema
}

// catalogsThatMatter are all tables of the system but for those that hold figures
// or rows, and those that only some roles may read, or that the server changes by
// itself.
const catalogsThatMatter = `SELECT quote_ident(relname) FROM pg_class
	WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND has_table_privilege(oid, 'SELECT')
		AND relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject', 'pg_replication_origin', 'pg_shdepend', 'pg_tablespace')
	ORDER BY relname`

// fingerprint is another one after every change of the schema: each row of a
// system catalog has a place and a transaction that wrote it. It takes a fraction
// of the time of reading the schema.
func fingerprint(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, _ := conn.Query(ctx, catalogsThatMatter)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", explain(ctx, err, "looking for changes of the schema of", conn.Config())
	}
	sums := []string{"SELECT 'roles', count(*), coalesce(sum(hashtext(r::text)::bigint), 0)::bigint FROM pg_roles r"}
	for _, name := range names {
		sums = append(sums, fmt.Sprintf("SELECT '%s', count(*), coalesce(sum(hashtext(xmin::text || ctid::text)::bigint), 0)::bigint FROM pg_catalog.%s", name, name))
	}
	var all string
	err = conn.QueryRow(ctx, "SELECT current_database() || string_agg(format('%s %s %s', a, b, c), ',' ORDER BY a) FROM ("+strings.Join(sums, " UNION ALL ")+") s (a, b, c)").Scan(&all)
	if err != nil {
		return "", explain(ctx, err, "looking for changes of the schema of", conn.Config())
	}
	return all, nil
}

// standing is the live schema for a check that is made again and again. It is
// read only when something of it may have changed.
func (w *work) standing(ctx context.Context) (*catalog.Schema, error) {
	now, err := fingerprint(ctx, w.conn)
	if err != nil {
		return nil, err
	}
	if last := w.d.known.Load(); last != nil && last.fingerprint == now {
		return last.schema, nil
	}
	schema, err := w.schema(ctx)
	if err == nil {
		w.d.known.Store(&known{now, schema})
	}
	return schema, err
}
