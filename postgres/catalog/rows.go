package catalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Rows are fingerprints of the rows of small tables, as lookup tables are: their
// values stand in statements, and no catalog tells when they change.
type Rows map[string]TableRows

// TableRows are the rows of one table.
type TableRows struct {
	Columns []string   // name and type
	Values  [][]*int64 // of each row, a digest for each column; nil: NULL
}

// Tables up to this size are read, and this much altogether.
const (
	smallTable  = 1 << 20
	smallTables = 64 << 20
)

// Querier is a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// ReadRows reads the rows of the small tables of a schema, but for those that are
// left out, and those that the role may not read as they are.
func ReadRows(ctx context.Context, conn Querier, s *Schema, leave []string) (Rows, error) {
	var names []string
	total := int64(0)
	for _, name := range slices.Sorted(maps.Keys(s.Tables)) {
		t := s.Tables[name]
		if t.Kind == "r" && !t.ForceRowSecurity && len(t.Columns) > 0 && t.Bytes <= smallTable && total+t.Bytes <= smallTables && !slices.Contains(leave, name) {
			names, total = append(names, name), total+t.Bytes
		}
	}
	found, _ := conn.Query(ctx, "SELECT name FROM unnest($1::text[]) name WHERE has_table_privilege(name, 'SELECT') AND NOT row_security_active(name)", names)
	names, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	read, batch := Rows{}, &pgx.Batch{}
	for _, name := range names {
		var t TableRows
		var values []string
		for _, column := range s.Tables[name].Columns {
			t.Columns = append(t.Columns, column.Name+" "+column.Type)
			values = append(values, "hashtextextended("+column.Name+`::text COLLATE "C", 0)`)
		}
		batch.Queue("SELECT ARRAY[" + strings.Join(values, ", ") + "] FROM ONLY " + name).Query(func(rows pgx.Rows) error {
			var err error
			t.Values, err = pgx.CollectRows(rows, pgx.RowTo[[]*int64])
			read[name] = t
			return err
		})
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	return read, nil
}

// Lost is how many rows are not among those of later, looking at the columns
// that both have.
func (t TableRows) Lost(later TableRows) int {
	var common []string
	for _, column := range t.Columns {
		if slices.Contains(later.Columns, column) {
			common = append(common, column)
		}
	}
	left, lost := later.counted(common), 0
	for row, n := range t.counted(common) {
		lost += max(n-left[row], 0)
	}
	return lost
}

// counted is how often each row is there, looking at some columns only.
func (t TableRows) counted(columns []string) map[string]int {
	var at []int
	for _, column := range columns {
		at = append(at, slices.Index(t.Columns, column))
	}
	counted := map[string]int{}
	for _, row := range t.Values {
		var key strings.Builder
		for _, i := range at {
			if row[i] == nil {
				key.WriteString("-,")
			} else {
				fmt.Fprintf(&key, "%x,", uint64(*row[i]))
			}
		}
		counted[key.String()]++
	}
	return counted
}
