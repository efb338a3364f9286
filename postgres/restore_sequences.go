package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// sequence is where a sequence of either database stands.
type sequence struct {
	Name      string
	Increment int64
	Min, Max  int64
	Cycle     bool
	Last      *int64 // nil: never used
}

const sequencesQuery = `
	SELECT format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
		CASE WHEN has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') THEN pg_sequence_last_value(s.seqrelid) END
	FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relpersistence <> 't'`

func readSequences(ctx context.Context, conn *pgx.Conn) (map[string]sequence, error) {
	rows, _ := conn.Query(ctx, sequencesQuery)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sequence])
	if err != nil {
		return nil, explain(ctx, err, "reading the sequences of", conn.Config())
	}
	found := make(map[string]sequence, len(list))
	for _, s := range list {
		found[s.Name] = s
	}
	return found, nil
}

// What a sequence is raised by that is gone from the failed database: so many
// times the rows that may have been written to tables that are gone, and so many
// more, but no more than this part of what it has left.
const (
	unseenFactor  = 10
	unseenLeast   = 1000
	unseenPart    = 10
	unseenUnknown = 100_000 // rows, where nobody can tell how many
)

// raised is a position that a restored sequence has to be set to.
type raised struct {
	name string
	to   int64
}

// raise says where the restored sequences have to stand so that no value is given
// out twice: past the failed database's, in the direction in which each counts.
// One that is gone from it is raised past what can have been given out by the
// inserts into the tables that are gone; those are told in unseen.
func raise(failed, restored map[string]sequence, inserted int64) (to []raised, unseen []string) {
	for name, s := range restored {
		was, known := failed[name]
		switch {
		case !known:
			to = append(to, raised{name, s.ahead(inserted)})
			unseen = append(unseen, name)
		case was.Last == nil:
		case s.Cycle || s.Last == nil || s.further(*was.Last):
			to = append(to, raised{name, min(max(*was.Last, s.Min), s.Max)})
		}
	}
	slices.SortFunc(to, func(a, b raised) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	slices.Sort(unseen)
	return to, unseen
}

// further reports whether a value comes after the one it stands at.
func (s sequence) further(value int64) bool {
	if s.Increment < 0 {
		return value < *s.Last
	}
	return value > *s.Last
}

// ahead is the position after a number of unseen inserts.
func (s sequence) ahead(inserted int64) int64 {
	from := s.Min - s.Increment
	if s.Increment < 0 {
		from = s.Max - s.Increment
	}
	if s.Last != nil {
		from = *s.Last
	}
	step := max(s.Increment, -s.Increment)
	left := s.Max - max(from, s.Min)
	if s.Increment < 0 {
		left = min(from, s.Max) - s.Min
	}
	steps := min(inserted*unseenFactor+unseenLeast, left/step/unseenPart)
	return min(max(from+steps*s.Increment, s.Min), s.Max)
}

func setSequences(ctx context.Context, conn *pgx.Conn, to []raised) error {
	batch := &pgx.Batch{}
	for _, r := range to {
		batch.Queue("SELECT setval($1::text::regclass, $2)", r.name, r.to)
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return explain(ctx, err, fmt.Sprintf("raising %d sequences of", len(to)), conn.Config())
	}
	return nil
}
