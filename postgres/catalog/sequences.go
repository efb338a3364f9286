package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// restarted finds where sequences go on that have given no value since they were
// set: the server tells that only to who reads the sequence itself.
func (s *Schema) restarted(ctx context.Context, tx pgx.Tx) error {
	var unused []uint32
	for _, sequence := range s.Sequences {
		if sequence.Last == 0 {
			unused = append(unused, sequence.OID)
		}
	}
	rows, _ := tx.Query(ctx, "SELECT oid::regclass::text FROM unnest($1::oid[]) oid WHERE has_sequence_privilege(oid, 'SELECT')", unused)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for some := range slices.Chunk(names, 200) {
		var query []string
		for _, name := range some {
			query = append(query, "SELECT "+literal(name)+", last_value, is_called FROM "+name)
		}
		var name string
		var next int64
		var called bool
		rows, _ := tx.Query(ctx, strings.Join(query, " UNION ALL "))
		_, err := pgx.ForEachRow(rows, []any{&name, &next, &called}, func() error {
			if sequence, ok := s.Sequences[name]; ok && !called && next != sequence.Start {
				sequence.Last = next - sequence.Increment
				s.Sequences[name] = sequence
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
