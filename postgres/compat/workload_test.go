package compat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is one of the old version's, with its arguments.
type statement struct {
	text, name string
	arguments  []string
	failed     string // in preparing it
}

// outcome is what a statement has come to.
type outcome struct {
	statement string
	failed    string
	tag       string
	types     []string
	rows      []string
}

func (o outcome) equal(other outcome) bool {
	return o.tag == other.tag && slices.Equal(o.types, other.types) && slices.Equal(o.rows, other.rows)
}

func (o outcome) String() string {
	if o.failed != "" {
		return o.failed
	}
	return fmt.Sprintf("%s %v %v", o.tag, o.types, o.rows)
}

// prepare prepares statements in a session, as clients do that keep them.
func (l *lab) prepare(t *testing.T, conn *pgx.Conn, texts []string) []statement {
	t.Helper()
	var all []statement
	for i, text := range texts {
		s := statement{name: fmt.Sprintf("s%d", i)}
		var arguments string
		s.text, arguments, _ = strings.Cut(text, "; -- ")
		s.text = strings.TrimSuffix(s.text, ";")
		if arguments != "" {
			s.arguments = strings.Split(arguments, " | ")
		}
		if !strings.HasPrefix(s.text, "COPY") {
			_, err := conn.PgConn().Prepare(t.Context(), s.name, s.text, nil)
			s.failed = failure(err)
		}
		all = append(all, s)
	}
	return all
}

// run runs prepared statements, each in a transaction that is rolled back after
// what is deferred to its end.
func run(t *testing.T, conn *pgx.Conn, all []statement) []outcome {
	t.Helper()
	var outcomes []outcome
	for _, s := range all {
		o := outcome{statement: s.text, failed: s.failed}
		if o.failed == "" {
			o = execute(t.Context(), conn.PgConn(), s)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func execute(ctx context.Context, conn *pgconn.PgConn, s statement) outcome {
	o := outcome{statement: s.text}
	if _, err := conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		o.failed = failure(err)
		return o
	}
	if strings.HasPrefix(s.text, "COPY") {
		o.failed = failure(o.copy(ctx, conn, s))
	} else {
		o.failed = failure(o.query(ctx, conn, s))
	}
	end := "ROLLBACK"
	if o.failed == "" {
		end = "SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK"
	}
	if _, err := conn.Exec(ctx, end).ReadAll(); err != nil {
		o.failed = failure(err)
		_, _ = conn.Exec(ctx, "ROLLBACK").ReadAll()
	}
	return o
}

func (o *outcome) query(ctx context.Context, conn *pgconn.PgConn, s statement) error {
	values := make([][]byte, len(s.arguments))
	for i, argument := range s.arguments {
		values[i] = []byte(argument)
	}
	result := conn.ExecPrepared(ctx, s.name, values, nil, nil).Read()
	o.tag = result.CommandTag.String()
	for _, field := range result.FieldDescriptions {
		o.types = append(o.types, kind(field.DataTypeOID))
	}
	for _, row := range result.Rows {
		var cells []string
		for _, cell := range row {
			cells = append(cells, fmt.Sprintf("%q", cell))
		}
		o.rows = append(o.rows, strings.Join(cells, ","))
	}
	return result.Err
}

func (o *outcome) copy(ctx context.Context, conn *pgconn.PgConn, s statement) error {
	var tag pgconn.CommandTag
	var err error
	if strings.Contains(s.text, "STDIN") {
		tag, err = conn.CopyFrom(ctx, strings.NewReader(strings.Join(s.arguments, "\n")+"\n"), s.text)
	} else {
		tag, err = conn.CopyTo(ctx, io.Discard, s.text)
	}
	o.tag = tag.String()
	return err
}

// kind is the type of a result as a client tells types apart: those that it
// reads in the same way are one. Object ids of types of ours differ from run to
// run of a migration, and do not count.
func kind(oid uint32) string {
	switch {
	case oid == 25 || oid == 1043:
		return "text"
	case oid == 20 || oid == 21 || oid == 23:
		return "integer"
	case oid == 700 || oid == 701:
		return "float"
	case oid >= 16384:
		return "own"
	}
	return fmt.Sprint(oid)
}

func failure(err error) string {
	var from *pgconn.PgError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &from):
		return from.Message + " (" + from.Code + ")"
	}
	return err.Error()
}
