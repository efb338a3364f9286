package postgres

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// clearing bounds the removal of what work leaves when its context has ended.
const clearing = 20 * time.Second

// beside is a database of ours beside the live one.
type beside struct {
	d    *Database
	name string
}

// besideName names a database beside the live one: bluegreen_<app>_<purpose>_<operation>.
func (d *Database) besideName(purpose, operation string) string {
	const longest = 63 // bytes of a name
	app := d.options.App
	rest := "_" + purpose + "_" + operation
	return "bluegreen_" + app[:min(len(app), max(0, longest-len("bluegreen_")-len(rest)))] + rest
}

// createBeside makes an empty database with the owner, encoding, locale, settings
// and grants of the live one, marked as ours. Its name is on disk before it is in
// the server, so that after a crash it is found.
func (d *Database) createBeside(ctx context.Context, conn *pgx.Conn, purpose, operation string) (*beside, error) {
	b := &beside{d, d.besideName(purpose, operation)}
	if err := d.files.write(filepath.Join(scratchDir, b.name), []byte(purpose+"\n")); err != nil {
		return nil, err
	}
	if err := b.create(ctx, conn); err != nil {
		b.remove(ctx)
		return nil, err
	}
	return b, nil
}

func (b *beside) create(ctx context.Context, conn *pgx.Conn) error {
	like, err := backup.ReadProperties(ctx, conn)
	if err != nil {
		return err
	}
	if err := backup.CreateDatabase(ctx, b.d.server, b.name, like, b.d.mark()); err != nil {
		return err
	}
	like.Comment = b.d.mark()
	for _, sql := range like.Statements(b.name) {
		// What the role may not give is left out: comparing the schemas tells it.
		if _, err := conn.Exec(ctx, sql); err != nil && state(err) != notAllowed {
			return explain(ctx, err, "preparing "+b.name+" beside", conn.Config())
		}
	}
	return nil
}

// mark is the comment by which this edge knows its own.
func (d *Database) mark() string { return "bluegreen " + d.options.Owner + " " + d.options.App }

// remove drops the database. When what it was made for was ended, nobody waits
// for that.
func (b *beside) remove(ctx context.Context) {
	drop := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearing)
		defer cancel()
		if err := b.drop(ctx); err != nil {
			b.d.log.Warn("a scratch database could not be removed, the next start does it", "name", b.name, "error", err)
		}
	}
	if ctx.Err() != nil {
		b.d.background.Go(drop)
		return
	}
	drop()
}

func (b *beside) drop(ctx context.Context) error {
	if err := backup.DropDatabase(ctx, b.d.server, b.name, b.d.mark()); err != nil {
		return err
	}
	return b.keep()
}

// keep forgets that the database is a scratch one.
func (b *beside) keep() error { return b.d.files.remove(filepath.Join(scratchDir, b.name)) }

// removeLeft drops every database beside the live one that an earlier process of
// this edge has left.
func (d *Database) removeLeft(ctx context.Context, conn *pgx.Conn, t switcher.Teller) error {
	rows, _ := conn.Query(ctx, `SELECT d.datname FROM pg_database d JOIN pg_shdescription c ON c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
		WHERE c.description = $1 AND d.datname <> current_database() AND d.datname !~ '_failed_'`, d.mark())
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return explain(ctx, err, "looking for scratch databases beside", conn.Config())
	}
	var problems []error
	seen := map[string]bool{}
	for _, name := range append(names, d.files.scratches()...) {
		if seen[name] || !strings.HasPrefix(name, "bluegreen_") {
			continue
		}
		seen[name] = true
		err := (&beside{d, name}).drop(ctx)
		if err == nil {
			t.Say("scratch database %s, which was left, is removed", name)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// serverVersion is the server's version as a number: 150004 is 15.4.
func serverVersion(conn *pgx.Conn) int {
	var major, minor int
	_, _ = fmt.Sscanf(conn.PgConn().ParameterStatus("server_version"), "%d.%d", &major, &minor)
	return major*10000 + minor
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
