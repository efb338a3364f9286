package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
)

// openFailed lets people look into a database that was replaced, without writing
// to it, and says on it what it is.
func (d *Database) openFailed(ctx context.Context, control *pgx.Conn, j restoreJournal) error {
	name := quote(j.Failed)
	said := fmt.Sprintf("%s: replaced on %s by backup %s", d.failedMark(), j.Began.UTC().Format("2006-01-02 15:04:05 UTC"), j.Backup)
	for _, sql := range []string{
		"COMMENT ON DATABASE " + name + " IS " + quoteText(said),
		"ALTER DATABASE " + name + " SET default_transaction_read_only TO on",
		"ALTER DATABASE " + name + " ALLOW_CONNECTIONS true",
	} {
		if _, err := control.Exec(ctx, sql); err != nil {
			return explain(ctx, err, "opening "+j.Failed+" for looking into it, from", control.Config())
		}
	}
	return nil
}

// quoteText writes a text without a backslash as SQL does.
func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// failedMark begins the comment on a replaced database, by which this edge knows
// its own.
func (d *Database) failedMark() string { return d.mark() + " failed database" }

// surplus are the databases that were replaced in earlier restores and are more
// than what is kept, the oldest first, when so many come to them. The one
// replaced last always stays.
func (d *Database) surplus(ctx context.Context, conn *pgx.Conn, more int) ([]string, error) {
	rows, _ := conn.Query(ctx, `SELECT d.datname::text FROM pg_database d WHERE starts_with(d.datname, $1) AND starts_with(shobj_description(d.oid, 'pg_database'), $2) ORDER BY 1`,
		failedPrefix(d.admin.Database), d.failedMark())
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, explain(ctx, err, "looking for kept databases from", conn.Config())
	}
	return names[:min(len(names), max(0, len(names)+more-max(d.options.Restore.KeepFailed, 1)))], nil
}

func (d *Database) dropSurplus(ctx context.Context, control *pgx.Conn) (dropped []string, err error) {
	names, err := d.surplus(ctx, control, 0)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := backup.Drop(ctx, control, name); err != nil {
			return dropped, explain(ctx, err, "removing "+name+", from", control.Config())
		}
		dropped = append(dropped, name)
	}
	return dropped, nil
}
