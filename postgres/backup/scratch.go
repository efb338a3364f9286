package backup

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// CreateDatabase creates an empty database with the locale and encoding of the
// original, owned by its owner if the role may say so, and writes a comment on
// it. server connects to any other database.
func CreateDatabase(ctx context.Context, server *Server, name string, like Properties, comment string) error {
	conn, err := server.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	sql := like.Create(name)
	var may bool
	err = conn.QueryRow(ctx, "SELECT coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1), false)", like.Owner).Scan(&may)
	if err == nil && may {
		sql += " OWNER " + ident(like.Owner)
	}
	if err == nil {
		_, err = conn.Exec(ctx, sql)
	}
	if err != nil {
		return sqlError(ctx, "creating database "+name, err)
	}
	if _, err = conn.Exec(ctx, "COMMENT ON DATABASE "+ident(name)+" IS "+literal(comment)); err != nil {
		return errors.Join(sqlError(ctx, "writing whose database "+name+" is", err), DropDatabase(ctx, server, name, ""))
	}
	return nil
}

// DropDatabase removes a database that has the comment it was created with, or
// none as after a crash between the two statements, and ends the sessions in it.
// It goes on when ctx has ended. One that does not exist is no error.
func DropDatabase(ctx context.Context, server *Server, name, comment string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	conn, err := server.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var said string
	err = conn.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1", name).Scan(&said)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return sqlError(ctx, "removing database "+name, err)
	case said != "" && said != comment:
		return &switcher.Error{Code: switcher.CodeFailed, What: "database " + name + " is not ours to remove: its comment says " + cut(said, 100)}
	}
	return sqlError(ctx, "removing database "+name, Drop(ctx, conn, name))
}

// Drop removes a database, whoever made it, and ends the sessions in it. For an
// autovacuum, which follows on every restore, WITH (FORCE) is refused to all but
// superusers; a plain DROP ends it by itself, but no sessions. So each is tried in
// turn.
func Drop(ctx context.Context, conn *pgx.Conn, name string) error {
	var err error
	for range 5 {
		for _, how := range []string{" WITH (FORCE)", ""} {
			if _, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+ident(name)+how); err == nil {
				return nil
			}
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code == "42501" && strings.Contains(refused.Message, "must be owner") {
			return err
		}
	}
	return err
}
