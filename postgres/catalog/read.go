package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Format is the version of what Encode writes.
const Format = 1

// Beginner is a connection, or a pool of them.
type Beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// Read reads the catalog of the database that conn leads to, PostgreSQL 13 or
// newer, as of one moment. It changes nothing, and waits only for locks that keep
// even readers out. Any role may do it; what a role may not see is left out
// (options of other users' mappings, positions of sequences).
//
// An object that another session drops meanwhile may be in the snapshot, and not
// be there any more when it is to be printed: then it is read anew.
func Read(ctx context.Context, conn Beginner) (*Schema, error) {
	for attempt := 1; ; attempt++ {
		s, err := readOnce(ctx, conn)
		var refused *pgconn.PgError
		if err == nil || attempt == attempts || !errors.As(err, &refused) || refused.Code != internalError && refused.Code != undefinedTable {
			return s, err
		}
	}
}

const (
	attempts       = 10
	internalError  = "XX000" // cache lookup failed
	undefinedTable = "42P01"
)

func readOnce(ctx context.Context, conn Beginner) (*Schema, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("reading the catalog: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	return ReadIn(ctx, tx)
}

// ReadIn is Read in a transaction that has begun, and that sees one moment:
// REPEATABLE READ or more. Settings that change how things are printed stay
// changed until its end.
func ReadIn(ctx context.Context, tx pgx.Tx) (*Schema, error) {
	s, err := readIn(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("reading the catalog: %w", err)
	}
	return s, nil
}

// printing has everything printed in one way whatever the session's settings:
// with the schema of all that is not built in, and as a dump writes it.
const printing = `
SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = off;
SET LOCAL standard_conforming_strings = on;
SET LOCAL bytea_output = hex;
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = postgres;
SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 1;
SET LOCAL jit = off`

func readIn(ctx context.Context, tx pgx.Tx) (*Schema, error) {
	if _, err := tx.Conn().PgConn().Exec(ctx, printing).ReadAll(); err != nil {
		return nil, err
	}
	s := &Schema{Format: Format}
	var identified bool
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, d.oid, has_function_privilege('pg_control_system()', 'EXECUTE')
		FROM pg_database d WHERE datname = current_database()`).Scan(&s.Server, &s.Identity.Database, &identified)
	if err != nil {
		return nil, err
	}
	if s.Server < 130000 {
		return nil, fmt.Errorf("the server has version %d, and PostgreSQL 13 is the oldest that is supported: upgrade it", s.Server)
	}

	r := reader{server: s.Server}
	var columns map[string][]Column
	var constraints map[string]map[string]Constraint
	var indexes map[string]map[string]Index
	var triggers map[string]map[string]Trigger
	var rules map[string]map[string]Rule
	var policies map[string]map[string]Policy
	var database map[string]Database

	if identified {
		r.add("SELECT '' AS _key, system_identifier::text AS system FROM pg_control_system()", one(func(found Identity) { s.Identity.System = found.System }))
	}
	r.add(databaseQuery, objects(&database))
	r.add(databaseGrantsQuery, one(func(found struct{ Grants []Grant }) { s.Grants = found.Grants }))
	r.add(namespacesQuery, objects(&s.Namespaces))
	r.add(tablesQuery, objects(&s.Tables))
	r.add(viewsQuery, objects(&s.Views))
	r.add(columnsQuery, lists(&columns))
	r.add(constraintsQuery, members(&constraints))
	r.add(indexesQuery, members(&indexes))
	r.add(triggersQuery, members(&triggers))
	r.add(rulesQuery, members(&rules))
	r.add(policiesQuery, members(&policies))
	r.add(sequencesQuery, objects(&s.Sequences))
	r.add(enumsQuery, objects(&s.Enums))
	r.add(domainsQuery, objects(&s.Domains))
	r.add(compositesQuery, objects(&s.Composites))
	r.add(rangesQuery, objects(&s.Ranges))
	r.add(functionsQuery, objects(&s.Functions))
	r.add(extensionsQuery, objects(&s.Extensions))
	r.add(publicationsQuery, objects(&s.Publications))
	r.add(eventTriggersQuery, objects(&s.EventTriggers))
	r.add(settingsQuery, texts(&s.Settings))
	for _, query := range otherQueries {
		r.add(query, texts(&s.Others))
	}
	for _, query := range localQueries {
		r.add(query, texts(&s.Local))
	}
	if err := r.run(ctx, tx); err != nil {
		return nil, err
	}

	if err := s.restarted(ctx, tx); err != nil {
		return nil, err
	}

	s.Database = database[""]
	for name, table := range s.Tables {
		table.Columns, table.Constraints, table.Indexes = columns[name], constraints[name], indexes[name]
		table.Triggers, table.Rules, table.Policies = triggers[name], rules[name], policies[name]
		s.Tables[name] = table
	}
	for name, view := range s.Views {
		view.Columns, view.Indexes = columns[name], indexes[name]
		view.Triggers, view.Rules = triggers[name], rules[name]
		s.Views[name] = view
	}
	for name, domain := range s.Domains {
		domain.Constraints = constraints[name]
		s.Domains[name] = domain
	}
	for name, composite := range s.Composites {
		composite.Fields = columns[name]
		s.Composites[name] = composite
	}
	s.settle()
	return s, nil
}

// reader asks all queries in one round trip. Each returns the columns _key, for
// what belongs to something also _name, and the fields of one of our types.
type reader struct {
	server  int
	queries []string
	takes   []take
}

// take takes a row: the key and name of an object, and its fields as JSON.
type take func(key, name string, fields []byte) error

func (r *reader) add(query string, t take) {
	r.queries = append(r.queries, forServer(query, r.server))
	r.takes = append(r.takes, t)
}

func (r *reader) run(ctx context.Context, tx pgx.Tx) error {
	batch := &pgx.Batch{}
	for i, query := range r.queries {
		// OFFSET 0 keeps the server from making an object once for each use of it.
		batch.Queue(`SELECT fields->>'_key', coalesce(fields->>'_name', ''), (fields - '{_key,_name}'::text[])::text
			FROM (SELECT to_jsonb(object) AS fields FROM (` + query + `) object OFFSET 0) row`).Query(func(rows pgx.Rows) error {
			defer rows.Close()
			for rows.Next() {
				var key, name string
				var fields []byte
				if err := rows.Scan(&key, &name, &fields); err != nil {
					return err
				}
				if err := r.takes[i](key, name, fields); err != nil {
					return fmt.Errorf("%s %s: %w", key, name, err)
				}
			}
			return rows.Err()
		})
	}
	return tx.SendBatch(ctx, batch).Close()
}

// objects takes rows into a map by their key.
func objects[T any](into *map[string]T) take {
	*into = map[string]T{}
	return func(key, _ string, fields []byte) error {
		var object T
		err := json.Unmarshal(fields, &object)
		(*into)[key] = object
		return err
	}
}

// members takes rows into maps by their name, for each key.
func members[T any](into *map[string]map[string]T) take {
	*into = map[string]map[string]T{}
	return func(key, name string, fields []byte) error {
		var object T
		err := json.Unmarshal(fields, &object)
		if (*into)[key] == nil {
			(*into)[key] = map[string]T{}
		}
		(*into)[key][name] = object
		return err
	}
}

// lists takes rows into a list for each key, in their order.
func lists[T any](into *map[string][]T) take {
	*into = map[string][]T{}
	return func(key, _ string, fields []byte) error {
		var object T
		err := json.Unmarshal(fields, &object)
		(*into)[key] = append((*into)[key], object)
		return err
	}
}

// texts adds the field definition of rows to a map by their key.
func texts(into *map[string]string) take {
	if *into == nil {
		*into = map[string]string{}
	}
	return func(key, _ string, fields []byte) error {
		var object struct{ Definition string }
		err := json.Unmarshal(fields, &object)
		(*into)[key] = object.Definition
		return err
	}
}

// one takes the only row.
func one[T any](use func(T)) take {
	return func(_, _ string, fields []byte) error {
		var object T
		err := json.Unmarshal(fields, &object)
		use(object)
		return err
	}
}
