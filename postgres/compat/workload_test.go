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

// session is one of the app.
type session struct {
	conn         *pgx.Conn
	own          bool   // the connection is its own
	name         string // what names of prepared statements begin with
	begin, end   string // of what is undone, in a connection of its own
	enter, leave string // to become the app and back, and what is between is undone
}

func (s *session) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// prepare prepares statements in the session, as clients do that keep them.
func (s *session) prepare(t *testing.T, texts []string) []statement {
	t.Helper()
	s.exec(t, s.enter)
	var all []statement
	for i, text := range texts {
		one := statement{name: fmt.Sprintf("%ss%d", s.name, i)}
		var arguments string
		one.text, arguments, _ = strings.Cut(text, "; -- ")
		one.text = strings.TrimSuffix(one.text, ";")
		if arguments != "" {
			one.arguments = strings.Split(arguments, " | ")
		}
		if !strings.HasPrefix(one.text, "COPY") {
			_, err := s.conn.PgConn().Prepare(t.Context(), one.name, one.text, nil)
			if one.failed = failure(err); err != nil && !s.own {
				s.exec(t, s.end)
			}
		}
		all = append(all, one)
	}
	s.exec(t, s.leave)
	return all
}

// run runs prepared statements, each in a transaction that is rolled back after
// what is deferred to its end.
func (s *session) run(t *testing.T, all []statement) []outcome {
	t.Helper()
	s.exec(t, s.enter)
	var outcomes []outcome
	for _, one := range all {
		o := outcome{statement: one.text, failed: one.failed}
		if o.failed == "" {
			o = s.execute(t, one)
		}
		outcomes = append(outcomes, o)
	}
	s.exec(t, s.leave)
	return outcomes
}

func (s *session) execute(t *testing.T, one statement) outcome {
	t.Helper()
	o := outcome{statement: one.text}
	s.exec(t, s.begin)
	if strings.HasPrefix(one.text, "COPY") {
		o.failed = failure(o.copy(t.Context(), s.conn.PgConn(), one))
	} else {
		o.failed = failure(o.query(t.Context(), s.conn.PgConn(), one))
	}
	if o.failed == "" {
		_, err := s.conn.PgConn().Exec(t.Context(), "SET CONSTRAINTS ALL IMMEDIATE; "+s.end).ReadAll()
		if o.failed = failure(err); err == nil {
			return o
		}
	}
	s.exec(t, s.end)
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
