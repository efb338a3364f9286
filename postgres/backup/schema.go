package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DumpSchema returns the schema of a database as SQL, as pg_dump writes it.
func (s *Store) DumpSchema(ctx context.Context, from *Server) (string, error) {
	var sql bytes.Buffer
	err := s.dumpSchema(ctx, from, &sql)
	return sql.String(), err
}

func (s *Store) dumpSchema(ctx context.Context, from *Server, to io.Writer, args ...string) error {
	tools, err := s.toolsFor(ctx, from)
	if err != nil {
		return err
	}
	return command{program: tools.Dump, env: from.environment(), mask: from.mask, output: to,
		args: append([]string{"--schema-only", "--no-password", fmt.Sprintf("--lock-wait-timeout=%d", lockWait.Milliseconds())}, args...)}.run(ctx)
}

func (s *Store) toolsFor(ctx context.Context, server *Server) (Tools, error) {
	conn, err := server.Connect(ctx)
	if err != nil {
		return Tools{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return Tools{}, sqlError(ctx, "asking the server for its version", err)
	}
	return s.tools(ctx, version, "")
}

// CopySchema makes the schema of a database in an empty one and returns what the
// role of the target was not allowed to create there.
func (s *Store) CopySchema(ctx context.Context, from, to *Server) (leftOut []string, err error) {
	archive, err := inMemory("schema")
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	m := new(Manifest)
	conn, err := from.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	at, err := survey(ctx, conn, m)
	if err != nil {
		return nil, err
	}
	defer at.end(ctx)
	if err := s.dumpSchema(ctx, from, archive, "--format=custom", "--snapshot="+at.snapshot); err != nil {
		return nil, err
	}
	l := &load{store: s, m: m, to: to, jobs: 1}
	how, err := l.run(ctx, inherited(4), archive)
	return how.leftOut, err
}

// CopyRows copies the rows of tables, qualified as SQL writes them, into tables
// that exist and are empty in another database, with the positions of all
// sequences. Those that the source does not have are left out.
func CopyRows(ctx context.Context, from, to *Server, tables []string) error {
	source, err := from.Connect(ctx)
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	target, err := to.connect(ctx, nil) // triggers of these tables find what they are used to
	if err != nil {
		return err
	}
	defer target.Close(context.WithoutCancel(ctx))
	read, err := source.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return sqlError(ctx, "copying rows", err)
	}
	defer func() { _ = read.Rollback(context.WithoutCancel(ctx)) }()
	write, err := target.Begin(ctx)
	if err != nil {
		return sqlError(ctx, "copying rows", err)
	}
	defer func() { _ = write.Rollback(context.WithoutCancel(ctx)) }()
	for _, table := range tables {
		if err := copyTable(ctx, read, write, table); err != nil {
			return sqlError(ctx, "copying the rows of "+table, err)
		}
	}
	if err := copySequences(ctx, read, write); err != nil {
		return sqlError(ctx, "copying the positions of sequences", err)
	}
	return sqlError(ctx, "copying rows", write.Commit(ctx))
}

func copyTable(ctx context.Context, from, to pgx.Tx, table string) error {
	rows, err := from.Query(ctx, `SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`, table)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(columns) == 0 {
		return err
	}
	list := strings.Join(columns, ", ")
	reading, writing := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		_, err := from.Conn().PgConn().CopyTo(ctx, writing, "COPY (SELECT "+list+" FROM "+table+") TO STDOUT")
		_ = writing.CloseWithError(err)
		sent <- err
	}()
	_, err = to.Conn().PgConn().CopyFrom(ctx, reading, "COPY "+table+" ("+list+") FROM STDIN")
	_ = reading.CloseWithError(errors.New("the copy has ended"))
	if sendErr := <-sent; sendErr != nil && err == nil {
		err = sendErr
	}
	return err
}

func copySequences(ctx context.Context, from, to pgx.Tx) error {
	sequences, err := readSequences(ctx, from)
	if err != nil {
		return err
	}
	for name, s := range sequences {
		if s.Last == nil {
			continue
		}
		if _, err := to.Exec(ctx, "SELECT pg_catalog.setval(pg_catalog.to_regclass($1), $2) WHERE pg_catalog.to_regclass($1) IS NOT NULL", name, *s.Last); err != nil {
			return err
		}
	}
	return nil
}

// Preflight returns the tools, or why they cannot read the server, before
// anything is begun. A store with a command of its own needs none.
func (s *Store) Preflight(ctx context.Context, from *Server) (Tools, error) {
	if len(s.Command) > 0 {
		return Tools{}, nil
	}
	return s.toolsFor(ctx, from)
}
