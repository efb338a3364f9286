package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// Outcome is what came of one statement.
type Outcome struct {
	Statement Statement
	Failed    string // message and SQLSTATE; empty: it can be run
	shape     string // columns that a COPY without a list means
}

// patience is for one statement to be planned, in milliseconds.
const patience = 5000

// Try has each statement prepared and planned with all arguments NULL, over a
// connection of the app's role, in transactions that are rolled back. An error
// says that the connection broke.
func Try(ctx context.Context, conn *pgx.Conn, statements []Statement) ([]Outcome, error) {
	var outcomes []Outcome
	for _, s := range statements {
		o, err := try(ctx, conn, s)
		if err != nil {
			return nil, fmt.Errorf("replaying statements: %w", err)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

func try(ctx context.Context, conn *pgx.Conn, s Statement) (Outcome, error) {
	o := Outcome{Statement: s}
	// A plan for any arguments: with NULL in their place much would be folded away.
	_, err := conn.PgConn().Exec(ctx, fmt.Sprintf("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL statement_timeout = %d", patience)).ReadAll()
	if err != nil {
		return o, err
	}
	err = explain(ctx, conn.PgConn(), s)
	if err == nil && s.copied != "" {
		o.shape, err = columns(ctx, conn.PgConn(), s.copied)
	}
	var failed *pgconn.PgError
	if errors.As(err, &failed) {
		o.Failed, err = fmt.Sprintf("%s (%s)", constant.ReplaceAllString(failed.Message, "'…'"), failed.Code), nil
	}
	if err != nil {
		return o, err
	}
	_, err = conn.PgConn().Exec(ctx, "ROLLBACK; DEALLOCATE ALL").ReadAll()
	return o, err
}

const name = "bluegreen_replay"

func explain(ctx context.Context, conn *pgconn.PgConn, s Statement) error {
	prepared, err := conn.Prepare(ctx, name, s.Text, nil)
	if err != nil {
		return err
	}
	arguments := ""
	if n := len(prepared.ParamOIDs); n > 0 {
		arguments = "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
	}
	_, err = conn.Exec(ctx, "EXPLAIN EXECUTE "+name+arguments).ReadAll()
	return err
}

func columns(ctx context.Context, conn *pgconn.PgConn, table string) (string, error) {
	result := conn.ExecParams(ctx, `SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`, [][]byte{[]byte(table)}, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 {
		return "", result.Err
	}
	return string(result.Rows[0][0]), nil
}

// Findings are the statements that could be run before and cannot any more.
func Findings(before, after []Outcome) []switcher.SchemaFinding {
	was := map[string]Outcome{}
	for _, o := range before {
		was[o.Statement.ID] = o
	}
	var findings []switcher.SchemaFinding
	for _, o := range after {
		old, known := was[o.Statement.ID]
		if !known || old.Failed != "" {
			continue
		}
		failed := o.Failed
		if failed == "" && o.shape != old.shape {
			failed = fmt.Sprintf("COPY without a list of columns gives %s, and the table takes %s (22P04)", old.shape, o.shape)
		}
		if failed == "" {
			continue
		}
		findings = append(findings, switcher.SchemaFinding{
			Code: "statement_fails", Object: o.Statement.ID, Verdict: switcher.SchemaBlock,
			What:   fmt.Sprintf("a statement of the app fails: %s", o.Statement.Short()),
			Why:    fmt.Sprintf("%s; it was run %d times", failed, o.Statement.Calls),
			Remedy: "make the change so that the statement still works, or accept the finding if no running version uses it any more",
		})
	}
	slices.SortFunc(findings, func(a, b switcher.SchemaFinding) int { return strings.Compare(a.What+a.Object, b.What+b.Object) })
	return findings
}
