package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// migrate applies the steps that were not applied yet, in their order, and says
// so. It writes nothing when there is none.
func migrate(ctx context.Context, steps []step) error {
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return errors.New("the database cannot be reached")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	applied, err := bookkeeping(ctx, conn)
	if err != nil {
		return told(err)
	}
	left := slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return slices.Contains(applied, s.name) })
	if len(left) == 0 {
		log.Print("nothing to apply")
		return nil
	}
	if err := createBooks(ctx, conn); err != nil {
		return told(err)
	}
	for _, s := range left {
		log.Printf("applying %s", s.name)
		if err := apply(ctx, conn, s); err != nil {
			return fmt.Errorf("step %s: %w", s.name, told(err))
		}
	}
	log.Printf("applied %d steps", len(left))
	return nil
}

// bookkeeping returns the names of the steps that were applied.
func bookkeeping(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	var there bool
	err := conn.QueryRow(ctx, "SELECT to_regclass('public.guestbook_migrations') IS NOT NULL").Scan(&there)
	if err != nil || !there {
		return nil, err
	}
	rows, _ := conn.Query(ctx, "SELECT name FROM guestbook_migrations")
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func createBooks(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS guestbook_migrations (
		name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`)
	return err
}

func apply(ctx context.Context, conn *pgx.Conn, s step) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// The simple protocol takes several statements.
		if _, err := tx.Conn().PgConn().Exec(ctx, s.sql).ReadAll(); err != nil {
			return err
		}
		if s.undo != "" {
			_, err := tx.Exec(ctx, "DELETE FROM guestbook_migrations WHERE name = $1", s.undo)
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO guestbook_migrations (name) VALUES ($1)", s.name)
		return err
	})
}

// told is what the server says of an error, without anything of the URL.
func told(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return fmt.Errorf("%s: %s", said.Code, said.Message)
	}
	return errors.New("the connection to the database has failed")
}
