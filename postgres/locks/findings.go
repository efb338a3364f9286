package locks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Options say what is large.
type Options struct {
	LargeRows  int64 // rows from which on a table is large; 0: a million
	LargeBytes int64 // 0: 128 MiB
	// Sizes are those of the live tables, by name; nil: what the first schema tells.
	Sizes map[string]Size
	// Bookkeeping are tables whose rows a migration may change.
	Bookkeeping []string
	// Long is for how long writers may be kept out of a large table; 0: a second.
	Long time.Duration
}

// Size is how large a table is.
type Size struct{ Rows, Bytes int64 }

// Seen is what a migration was seen to do.
type Seen struct {
	before, after map[uint32]counters
	held          map[uint32]map[string]time.Duration
	notes         []note
	atOnce        map[uint32]bool
	exact         bool // notes are there
	counted       bool // counters mean something
}

// Findings tell what keeps writers out of tables that were there before the
// migration, or has changed their rows. Tables that are written anew are told by
// comparing the schemas. In a scratch database without rows no change of rows is
// seen.
func (s *Seen) Findings(before, after *catalog.Schema, o Options) []switcher.SchemaFinding {
	o.LargeRows, o.LargeBytes, o.Long = cmp.Or(o.LargeRows, 1_000_000), cmp.Or(o.LargeBytes, 128<<20), cmp.Or(o.Long, time.Second)
	f := &finder{Seen: s, options: o, names: map[uint32]string{}, told: map[string]bool{}, schema: before}
	for name, table := range before.Tables {
		f.names[table.OID] = name
	}
	f.domains(before, after)
	for _, each := range []func(name, was string, table, old catalog.Table){
		f.constraints, f.indexes, f.notNull, f.attached, f.scans, f.long, f.rows,
	} {
		for _, name := range sorted(after.Tables) {
			if was, known := f.names[after.Tables[name].OID]; known {
				each(name, was, after.Tables[name], before.Tables[was])
			}
		}
	}
	return f.found
}

type finder struct {
	*Seen
	options Options
	schema  *catalog.Schema
	names   map[uint32]string // of tables that were there
	told    map[string]bool   // tables that a finding explains the locks of
	found   []switcher.SchemaFinding
}

// lock adds a finding whose verdict depends on the size of the tables, by their
// names before.
func (f *finder) lock(code, object, what, why, remedy string, tables ...string) {
	verdict := switcher.SchemaWarn
	if slices.ContainsFunc(tables, f.large) {
		verdict = switcher.SchemaLock
	}
	for _, table := range tables {
		f.told[table] = true
	}
	f.found = append(f.found, switcher.SchemaFinding{Code: code, Object: object, Verdict: verdict, What: what, Why: why, Remedy: remedy})
}

func (f *finder) large(name string) bool {
	size, known := f.options.Sizes[name]
	if !known {
		table := f.schema.Tables[name]
		size = Size{int64(table.Rows), table.Bytes}
	}
	return size.Rows >= f.options.LargeRows || size.Bytes >= f.options.LargeBytes
}

// scanned reports whether ALTER TABLE went through a table that nobody could read
// or write meanwhile; sure: there is no doubt.
func (f *finder) scanned(table uint32) (yes, sure bool) {
	if f.exact {
		return slices.ContainsFunc(f.notes, func(n note) bool {
			return n.Relation == table && n.Scans > 0 && n.Tag == "ALTER TABLE" && n.Mode == "AccessExclusiveLock"
		}), true
	}
	if f.counted && f.after[table].Scans == f.before[table].Scans {
		return false, true
	}
	return true, false
}

// doubt says that something could not be known.
func doubt(sure bool, what string) string {
	if sure {
		return ""
	}
	return "; " + what + " could not be seen exactly, for only a superuser may note it"
}

func (f *finder) indexes(name, was string, table, old catalog.Table) {
	known := map[uint32]bool{}
	for _, index := range old.Indexes {
		known[index.OID] = true
	}
	for _, key := range sorted(table.Indexes) {
		index := table.Indexes[key]
		if known[index.OID] || !index.Valid || table.Kind == "p" {
			continue
		}
		if _, anew := old.Indexes[key]; anew && table.File != old.File {
			continue // it belongs to a table that is written anew
		}
		object := name + "." + key
		switch {
		case index.Constraint != "" && f.atOnce[index.OID]:
			f.lock("index_built_locked", object, fmt.Sprintf("index %s of %s is built by adding constraint %s", key, name, index.Constraint),
				"nobody can read or write the table meanwhile", fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY, then ALTER TABLE %s ADD CONSTRAINT … USING INDEX", name), was)
		case index.Constraint != "":
			if f.marked(table.OID, "CREATE INDEX") {
				f.lock("index_built_locked", object, fmt.Sprintf("index %s of %s is built without CONCURRENTLY", key, name), "nobody can write to the table meanwhile", concurrently, was)
			}
		case f.atOnce[index.OID]:
			f.lock("index_built_locked", object, fmt.Sprintf("index %s of %s is built without CONCURRENTLY", key, name), "nobody can write to the table meanwhile", concurrently, was)
		}
	}
}

const concurrently = "CREATE INDEX CONCURRENTLY, outside of a transaction"

// marked reports whether a statement of a kind kept writers out of a table.
func (f *finder) marked(table uint32, tag string) bool {
	return slices.ContainsFunc(f.notes, func(n note) bool { return n.Relation == table && n.Tag == tag && slices.Contains(blocking, n.Mode) })
}

func (f *finder) constraints(name, was string, table, old catalog.Table) {
	known := map[uint32]bool{}
	for _, constraint := range old.Constraints {
		known[constraint.OID] = true
	}
	for _, key := range sorted(table.Constraints) {
		constraint := table.Constraints[key]
		if known[constraint.OID] || !constraint.Valid || !f.atOnce[constraint.OID] {
			continue
		}
		object, remedy := name+"."+key, "add it as NOT VALID, and VALIDATE CONSTRAINT in a transaction of its own"
		switch constraint.Kind {
		case "c":
			if yes, sure := f.scanned(table.OID); yes {
				f.lock("constraint_validated_locked", object, fmt.Sprintf("constraint %s is checked for every row of %s as it is added", key, name)+doubt(sure, "whether rows were read"),
					"nobody can read or write the table meanwhile", remedy, was)
			}
		case "f":
			if !onNewColumns(constraint, table, old) {
				f.lock("constraint_validated_locked", object, fmt.Sprintf("foreign key %s is checked for every row of %s as it is added", key, name),
					fmt.Sprintf("nobody can write to %s or %s meanwhile", name, constraint.References), remedy, was, constraint.References)
			}
		}
	}
}

// onNewColumns reports whether a foreign key is on columns that were added
// without a default: the server knows that there is nothing to check.
func onNewColumns(constraint catalog.Constraint, table, old catalog.Table) bool {
	for _, name := range constraint.Columns {
		column, known := columnOf(table, func(c catalog.Column) bool { return c.Name == name })
		if _, there := columnOf(old, func(c catalog.Column) bool { return c.Number == column.Number }); !known || there || column.Default != "" || column.Identity != "" {
			return false
		}
	}
	return true
}

func columnOf(table catalog.Table, is func(catalog.Column) bool) (catalog.Column, bool) {
	if i := slices.IndexFunc(table.Columns, is); i >= 0 {
		return table.Columns[i], true
	}
	return catalog.Column{}, false
}

func (f *finder) notNull(name, was string, table, old catalog.Table) {
	for _, column := range table.Columns {
		before, there := columnOf(old, func(c catalog.Column) bool { return c.Number == column.Number })
		if !there || before.NotNull || !column.NotNull || primary(table, column.Name) || proven(old, before.Name) {
			continue
		}
		if yes, sure := f.scanned(table.OID); yes {
			f.lock("not_null_scanned", name+"."+column.Name, fmt.Sprintf("every row of %s is checked for SET NOT NULL on %s", name, column.Name)+doubt(sure, "whether a constraint spared that"),
				"nobody can read or write the table meanwhile",
				fmt.Sprintf("ADD CHECK (%s IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT in a transaction of its own, then SET NOT NULL", column.Name), was)
		}
	}
}

// proven reports whether a valid constraint spares looking at the rows.
func proven(table catalog.Table, column string) bool {
	for _, constraint := range table.Constraints {
		if constraint.Kind == "c" && constraint.Valid && constraint.Definition == "CHECK (("+column+" IS NOT NULL))" {
			return true
		}
	}
	return false
}

func primary(table catalog.Table, column string) bool {
	for _, constraint := range table.Constraints {
		if constraint.Kind == "p" && slices.Contains(constraint.Columns, column) {
			return true
		}
	}
	return false
}

func (f *finder) attached(name, was string, table, old catalog.Table) {
	if table.PartitionOf == "" || table.PartitionOf == old.PartitionOf {
		return
	}
	if yes, sure := f.scanned(table.OID); yes {
		f.lock("partition_scanned", name, fmt.Sprintf("every row of %s is checked as it becomes a partition of %s", name, table.PartitionOf)+doubt(sure, "whether a constraint spared that"),
			"nobody can read or write the partition meanwhile", "add a CHECK constraint with the partition's bound before, as NOT VALID, and validate it in a transaction of its own", was)
	}
}

// scans tells statements that went through a table for another reason than those
// already told.
func (f *finder) scans(name, was string, table, old catalog.Table) {
	for _, n := range f.notes {
		if n.Relation != table.OID || n.Scans == 0 || !slices.Contains(blocking, n.Mode) || f.told[was] || old.File != table.File {
			continue
		}
		f.lock("table_scanned_locked", name, fmt.Sprintf("%s goes through every row of %s", n.Tag, name),
			fmt.Sprintf("it holds %s on the table meanwhile", spoken(n.Mode)), "split it into steps that need no look at all rows", was)
	}
}

// long tells locks that were held for long for no reason that is told.
func (f *finder) long(name, was string, table, _ catalog.Table) {
	for _, mode := range slices.Backward(blocking) {
		held := f.held[table.OID][mode]
		if held < f.options.Long || f.told[was] {
			continue
		}
		f.lock("lock_held", name, fmt.Sprintf("%s is held on %s for about %s in the rehearsal", spoken(mode), name, held.Round(100*time.Millisecond)),
			"statements of the running version wait meanwhile", "change the schema and the rows in transactions of their own", was)
	}
}

// spoken is a mode as SQL writes it: ACCESS EXCLUSIVE.
func spoken(mode string) string {
	var words strings.Builder
	for i, r := range strings.TrimSuffix(mode, "Lock") {
		if i > 0 && r >= 'A' && r <= 'Z' {
			words.WriteByte(' ')
		}
		words.WriteRune(r)
	}
	return strings.ToUpper(words.String())
}

func sorted[T any](objects map[string]T) []string { return slices.Sorted(maps.Keys(objects)) }
