package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// How what a restore loses was counted.
const (
	byCounters = "counters" // of the server: every row written
	byRows     = "rows"     // how many more or fewer there are: at least so many
)

// counting bounds the counting of rows where the counters are of no use.
const counting = 30 * time.Second

// loss is what was written since a backup.
type loss struct {
	tables   []switcher.TableLoss
	by       string
	unknown  string // why nobody can tell; empty: it was counted
	inserted int64  // into tables that are gone
}

func (l loss) total() int64 {
	if l.unknown != "" {
		return switcher.LostUnknown
	}
	var n int64
	for _, t := range l.tables {
		n += t.Total()
	}
	return n
}

func (l loss) String() string {
	switch n := l.total(); {
	case n == switcher.LostUnknown:
		return "an unknown number of written rows, for " + l.unknown
	case l.by == byRows:
		return fmt.Sprintf("at least %d written rows", n)
	default:
		return fmt.Sprintf("%d written rows", n)
	}
}

// lossSince compares the counters of a backup's moment with those of now. Where
// a table is gone its own are gone too: what it had is what the database counted
// and no table did.
func lossSince(then, now backup.Counters) loss {
	if why := incomparable(then, now); why != "" {
		return loss{unknown: why}
	}
	before := make(map[uint32]backup.TableCounters, len(then.Tables))
	for _, t := range then.Tables {
		before[t.OID] = t
	}
	l := loss{by: byCounters}
	rest := minus(minus(now.Database, then.Database), minus(now.Internal, then.Internal))
	for _, t := range now.Tables {
		was := before[t.OID]
		delete(before, t.OID)
		written := minus(t.Writes, was.Writes)
		if written.Inserted < 0 || written.Updated < 0 || written.Deleted < 0 {
			return loss{unknown: "the counters of table " + t.Name + " were reset since the backup"}
		}
		rest = minus(rest, written)
		l.add(switcher.TableLoss{Table: t.Name}, written)
	}
	if len(before) > 0 {
		gone := switcher.TableLoss{}
		for _, t := range before {
			gone.Gone = append(gone.Gone, t.Name)
		}
		slices.Sort(gone.Gone)
		rest = backup.Writes{Inserted: max(rest.Inserted, 0), Updated: max(rest.Updated, 0), Deleted: max(rest.Deleted, 0)}
		l.inserted = rest.Inserted
		l.add(gone, rest)
	}
	slices.SortStableFunc(l.tables, func(a, b switcher.TableLoss) int { return cmp.Compare(b.Total(), a.Total()) })
	return l
}

func (l *loss) add(t switcher.TableLoss, written backup.Writes) {
	t.Inserted, t.Updated, t.Deleted = written.Inserted, written.Updated, written.Deleted
	if t.Total() > 0 {
		l.tables = append(l.tables, t)
	}
}

// incomparable is why two readings of counters say nothing together; empty: they
// do.
func incomparable(then, now backup.Counters) string {
	same := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
	switch written := minus(now.Database, then.Database); {
	case then.At.IsZero():
		return "the backup has no counters"
	case then.System != now.System:
		return "the database is on another server than it was then"
	case !same(then.Crashed, now.Crashed):
		return "the server has lost its counters since the backup, as it does in a crash"
	case !same(then.Reset, now.Reset), written.Inserted < 0 || written.Updated < 0 || written.Deleted < 0:
		return "the counters of the database were reset since the backup"
	}
	return ""
}

func minus(a, b backup.Writes) backup.Writes {
	return backup.Writes{Inserted: a.Inserted - b.Inserted, Updated: a.Updated - b.Updated, Deleted: a.Deleted - b.Deleted}
}

// lossInRows compares how many rows there are with how many there were, table by
// table. What was updated, and what was both added and taken away, is not in it.
func lossInRows(ctx context.Context, conn *pgx.Conn, then map[string]backup.Table, why string) loss {
	unknown := func(what string) loss { return loss{unknown: why + ", and " + what} }
	ctx, cancel := context.WithTimeout(ctx, counting)
	defer cancel()
	rows, _ := conn.Query(ctx, `SELECT format('%I.%I', s.schemaname, s.relname) FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
		WHERE c.relpersistence <> 't' AND c.relkind = 'r' ORDER BY 1`)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return unknown("the tables cannot be counted")
	}
	l := loss{by: byRows}
	for name := range then {
		if !slices.Contains(names, name) {
			return unknown("table " + name + " is gone")
		}
	}
	for _, name := range names {
		was, known := then[name]
		if known && was.Rows == nil {
			return unknown("the rows of table " + name + " were not counted then")
		}
		var n int64
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM ONLY "+name).Scan(&n); err != nil {
			return unknown("the rows of table " + name + " could not be counted in " + counting.String())
		}
		if known {
			n -= *was.Rows
		}
		l.add(switcher.TableLoss{Table: name}, backup.Writes{Inserted: max(n, 0), Deleted: max(-n, 0)})
	}
	slices.SortStableFunc(l.tables, func(a, b switcher.TableLoss) int { return cmp.Compare(b.Total(), a.Total()) })
	return l
}

// lost is what a restore of a backup would lose now.
func lost(ctx context.Context, conn *pgx.Conn, m *backup.Manifest) (loss, error) {
	now, err := backup.ReadCounters(ctx, conn)
	if err != nil {
		return loss{}, explain(ctx, err, "reading the counters of", conn.Config())
	}
	l := lossSince(m.Counters, now)
	if l.unknown != "" {
		l = lossInRows(ctx, conn, m.Tables, l.unknown)
	}
	return l, nil
}
