package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// restored says how a restore went.
type restored struct {
	took    Seconds
	leftOut []string // what the role was not allowed to create
}

// restore loads a backup into an existing empty database, as the role of to. All
// files are checked before anything is loaded. Owners and privileges are kept;
// one that the role may not give is an error.
func (s *Store) restore(ctx context.Context, id string, to *Server, report func(switcher.Progress)) (*Manifest, restored, error) {
	if report != nil {
		report(switcher.Progress{Text: "checking the files of the backup"})
	}
	m, err := s.check(ctx, id)
	if err != nil {
		return nil, restored{}, err
	}
	if m.Hook != nil {
		how, err := s.restoreByHook(ctx, m, to)
		return m, how, err
	}
	load := &load{store: s, m: m, to: to, jobs: s.jobs(), report: report}
	how, err := load.run(ctx, filepath.Join(s.Folder(id), dataFolder))
	return m, how, err
}

// load is a restore that goes on.
type load struct {
	store  *Store
	m      *Manifest
	to     *Server
	jobs   int
	report func(switcher.Progress)
	tools  Tools
	list   *os.File // what of the archive is loaded
	items  int
}

// run loads an archive of pg_dump's: its path, as pg_restore finds it when it
// inherits files after the list.
func (l *load) run(ctx context.Context, archive string, files ...*os.File) (restored, error) {
	leftOut, err := l.prepare(ctx)
	if err != nil {
		return restored{}, err
	}
	if l.list, err = inMemory("list"); err != nil {
		return restored{}, err
	}
	defer l.list.Close()
	files = append([]*os.File{l.list}, files...)
	if err := l.choose(ctx, archive, files, leftOut); err != nil {
		return restored{}, err
	}

	began := time.Now()
	progress := newTracker("restoring", l.m.Tables, l.report)
	progress.items, progress.serial = l.items, l.jobs == 1
	stop := progress.watch(ctx, l.to)
	err = command{program: l.tools.Restore, env: l.to.environment(), mask: l.to.mask, line: progress.line, files: files,
		args: []string{"--no-password", "--verbose", "--exit-on-error", "--jobs=" + strconv.Itoa(l.jobs), "--use-list=" + inherited(3),
			"--dbname=" + connectionName(l.to.Database()), archive}}.run(ctx)
	stop()
	if err != nil {
		return restored{}, err
	}
	if l.report != nil {
		l.report(switcher.Progress{Text: "restoring", Done: progress.total, Total: progress.total})
	}
	r := restored{took: since(began)}
	for _, p := range leftOut {
		r.leftOut = append(r.leftOut, p.Kind+" "+p.Name)
	}
	return r, nil
}

// connectionName is a database name that is not taken for a connection string.
func connectionName(database string) string {
	if !strings.ContainsAny(database, "=:") {
		return database
	}
	return "dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'"
}

// prepare makes sure that the database is empty and that the tools suit, and
// returns what the role may not create in it.
func (l *load) prepare(ctx context.Context) ([]Privileged, error) {
	conn, err := l.to.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var server int
	var superuser bool
	var occupied *string
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  (SELECT min(format('%I.%I', n.nspname, c.relname)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND `+ownRelation+`)`).
		Scan(&server, &superuser, &occupied)
	switch {
	case err != nil:
		return nil, sqlError(ctx, "looking into the database to restore into", err)
	case occupied != nil:
		return nil, &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf("database %s is not empty: it has %s", l.to.Database(), *occupied),
			Hint: "restore into a new database"}
	}
	if major := server / 10000; major < l.m.Server/10000 {
		return nil, &switcher.Error{Code: switcher.CodeFailed,
			What: fmt.Sprintf("the backup is of a server of version %d and this one is of version %d", l.m.Server/10000, major),
			Hint: "restore into a server of the same version or a newer one"}
	}
	if l.tools, err = l.store.tools(ctx, server, l.m.Tool); err != nil {
		return nil, err
	}
	if superuser {
		return nil, nil
	}
	var leftOut []Privileged
	for _, p := range l.m.Privileged {
		may, err := mayCreate(ctx, conn, p)
		if err != nil {
			return nil, err
		}
		if !may {
			leftOut = append(leftOut, p)
		}
	}
	return leftOut, nil
}

// mayCreate tries an extension and takes it back: which ones a role may create
// differs among hosts. The other kinds are a superuser's.
func mayCreate(ctx context.Context, conn *pgx.Conn, p Privileged) (bool, error) {
	if p.Kind != "extension" {
		return false, nil
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, sqlError(ctx, "trying an extension", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if !strings.HasPrefix(p.Schema, "pg_") {
		_, err = tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(p.Schema))
	}
	if err == nil {
		_, err = tx.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+ident(p.Name)+" SCHEMA "+ident(p.Schema)+" CASCADE")
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		if refused.Code == "42501" { // insufficient_privilege
			return false, nil
		}
		return true, nil // pg_restore will say it
	}
	return err == nil, sqlError(ctx, "trying an extension", err)
}

// choose writes the list of what is loaded.
func (l *load) choose(ctx context.Context, archive string, files []*os.File, leftOut []Privileged) error {
	var listing bytes.Buffer
	err := command{program: l.tools.Restore, args: []string{"--list", archive}, env: l.to.environment(), mask: l.to.mask, output: &listing, files: files}.run(ctx)
	if err != nil {
		return err
	}
	var kept strings.Builder
	for line := range strings.Lines(listing.String()) {
		if strings.HasPrefix(line, ";") || isLeftOut(line, leftOut) {
			continue
		}
		kept.WriteString(line)
		l.items++
	}
	if _, err := l.list.WriteString(kept.String()); err != nil {
		return fmt.Errorf("writing the list of what is restored: %w", err)
	}
	return nil
}

// entry is a line of pg_restore --list: two numbers of the object, its kind,
// schema, name and owner.
var entry = regexp.MustCompile(`^\d+; \d+ \d+ (.*)$`)

func isLeftOut(line string, leftOut []Privileged) bool {
	found := entry.FindStringSubmatch(strings.TrimRight(line, "\n"))
	if found == nil {
		return false
	}
	for _, p := range leftOut {
		kind := strings.ToUpper(p.Kind)
		if strings.HasPrefix(found[1], kind+" - "+p.Name+" ") || strings.HasPrefix(found[1], "COMMENT - "+kind+" "+p.Name+" ") ||
			strings.HasPrefix(found[1], "COMMENT - "+kind+" "+ident(p.Name)+" ") {
			return true
		}
	}
	return false
}
