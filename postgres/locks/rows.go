package locks

import (
	"fmt"
	"slices"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// much is the part of a table from which on changing its rows is a backfill: one in so many.
const much = 5

// rows tells whose rows were changed.
func (f *finder) rows(name, was string, table, old catalog.Table) {
	before, after := f.before[table.OID], f.after[table.OID]
	if slices.Contains(f.options.Bookkeeping, was) {
		return
	}
	updated, deleted := after.Updated-before.Updated, after.Deleted-before.Deleted
	if n := updated + deleted; n > 0 && n >= before.Live/much && f.large(was) {
		f.found = append(f.found, switcher.SchemaFinding{Code: "backfill", Object: name, Verdict: switcher.SchemaLock,
			What:   fmt.Sprintf("the migration changes %d of the %d rows of %s", n, before.Live, name),
			Why:    "each row is locked until the end of its transaction, and the table grows by as much",
			Remedy: "change a few thousand rows at a time, each in a transaction of its own, outside of the migration"})
	}
	if updated > 0 {
		verdict, why := switcher.SchemaData, "the running version may not expect what they hold now"
		if slices.ContainsFunc(table.Columns, func(c catalog.Column) bool {
			_, there := columnOf(old, func(o catalog.Column) bool { return o.Number == c.Number })
			return !there
		}) {
			verdict, why = switcher.SchemaWarn, "that may be to fill a new column; other columns may have changed too"
		}
		f.data("rows_updated", name, verdict, fmt.Sprintf("the migration updates %d rows of %s", updated, name), why)
	}
	if gone := before.Live - after.Live + after.Inserted - before.Inserted; after.Live == 0 && before.Live > 0 && gone > deleted {
		f.data("rows_deleted", name, switcher.SchemaData, fmt.Sprintf("the migration empties %s, which had about %d rows", name, before.Live), "the running version may still need them, and a rollback does not bring them back")
	} else if deleted > 0 {
		f.data("rows_deleted", name, switcher.SchemaData, fmt.Sprintf("the migration deletes %d rows of %s", deleted, name), "the running version may still need them, and a rollback does not bring them back")
	}
}

func (f *finder) data(code, object string, verdict switcher.SchemaVerdict, what, why string) {
	f.found = append(f.found, switcher.SchemaFinding{Code: code, Object: object, Verdict: verdict, What: what, Why: why,
		Remedy: "leave the rows of the running version as they are until it is gone"})
}

// domains tells constraints of domains that are checked in every table that uses
// them.
func (f *finder) domains(before, after *catalog.Schema) {
	for _, name := range sorted(after.Domains) {
		domain, old := after.Domains[name], before.Domains[name]
		if old.OID != domain.OID {
			continue
		}
		var using []string
		for _, table := range sorted(before.Tables) {
			if slices.ContainsFunc(before.Tables[table].Columns, func(c catalog.Column) bool { return c.Type == name }) {
				using = append(using, table)
			}
		}
		known := map[uint32]bool{}
		for _, constraint := range old.Constraints {
			known[constraint.OID] = true
		}
		for _, key := range sorted(domain.Constraints) {
			constraint := domain.Constraints[key]
			if len(using) > 0 && !known[constraint.OID] && constraint.Valid && f.atOnce[constraint.OID] {
				f.lock("constraint_validated_locked", name+"."+key, fmt.Sprintf("constraint %s of domain %s is checked in every table that uses it", key, name),
					fmt.Sprintf("nobody can write to %s meanwhile", using[0]), "add it as NOT VALID, and VALIDATE CONSTRAINT in a transaction of its own", using...)
			}
		}
	}
}
