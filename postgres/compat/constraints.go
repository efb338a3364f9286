package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) constraints(p pair[catalog.Table], old, new catalog.Table, added map[string]catalog.Column) {
	on := target{columns: new.Columns, added: added, constraints: old.Constraints, kept: new.Constraints, indexes: old.Indexes, keptIndexes: new.Indexes}
	pairs := match(c, old.Constraints, new.Constraints, func(k catalog.Constraint) uint32 { return k.OID })
	pairs = c.reunite(pairs)
	for _, q := range pairs {
		switch {
		case q.old == nil:
			c.constraintAdded(p.from, q.to, *q.new, on)
		case q.new == nil:
			c.constraintDropped(p.from, q.from, *q.old, old, on)
		default:
			c.constraint(p.from, q, on)
		}
	}
}

// reunite pairs constraints that were dropped with those that were added in
// their place: of the same meaning, or a check that lets more through.
func (c *comparer) reunite(pairs []pair[catalog.Constraint]) []pair[catalog.Constraint] {
	var rest []pair[catalog.Constraint]
	used := map[string]bool{}
	for _, p := range pairs {
		if p.old != nil && p.new == nil {
			for _, q := range pairs {
				if q.old == nil && !used[q.to] && q.new.Kind == p.old.Kind && (c.equal(definition(*p.old), definition(*q.new)) ||
					p.old.Kind == "c" && loosened(c.translate(definition(*p.old)), definition(*q.new))) {
					p.to, p.new, used[q.to] = q.to, q.new, true
					break
				}
			}
		}
		rest = append(rest, p)
	}
	return slices.DeleteFunc(rest, func(p pair[catalog.Constraint]) bool { return p.old == nil && used[p.to] })
}

// definition is what a constraint demands of new rows.
func definition(k catalog.Constraint) string {
	return strings.TrimSuffix(strings.TrimSuffix(k.Definition, " NOT VALID"), " NO INHERIT")
}

// target is the table that a constraint or an index is on.
type target struct {
	columns              []catalog.Column
	added                map[string]catalog.Column
	constraints, kept    map[string]catalog.Constraint
	indexes, keptIndexes map[string]catalog.Index
}

// isNew reports whether all of the columns are new, so that statements of the
// running version set none of them.
func (t target) isNew(columns []string) bool {
	for _, column := range columns {
		if c, ok := t.added[column]; !ok || c.Generated != "" {
			return false
		}
	}
	return len(columns) > 0
}

// leavesOut reports whether rows of the running version refer to nothing by a
// foreign key: a column of it is new and empty.
func (t target) leavesOut(k catalog.Constraint) bool {
	return !strings.Contains(k.Definition, " MATCH FULL") && slices.ContainsFunc(k.Columns, func(name string) bool {
		column, ok := t.added[name]
		return ok && column.Default == "" && column.Identity == "" && column.Generated == ""
	})
}

// apart reports whether rows that leave one of the columns out never meet: it is
// new, and empty or different each time.
func (t target) apart(columns []string, nullsMeet bool) bool {
	return slices.ContainsFunc(columns, func(name string) bool {
		column, ok := t.added[name]
		return ok && (column.Identity != "" || column.Default == "" && !nullsMeet || column.Volatile && column.Generated == "" && !fixedInTransaction(column.Default))
	})
}

func fixedInTransaction(expression string) bool {
	return strings.Contains(expression, "now()") || strings.Contains(expression, "CURRENT_")
}

// standsIn reports whether a unique index is left that does what the constraint
// did.
func (t target) standsIn(c *comparer, k catalog.Constraint) bool {
	return slices.ContainsFunc(sorted(t.keptIndexes), func(name string) bool {
		i := t.keptIndexes[name]
		return i.Unique && i.Valid && i.Predicate == "" && !i.NullsNotDistinct && slices.Equal(i.Columns, translated(c, k.Columns))
	})
}

func (c *comparer) constraintAdded(table, name string, k catalog.Constraint, on target) {
	object := table + "." + name
	what := fmt.Sprintf("constraint %s is new on %s: %s", name, table, k.Definition)
	switch k.Kind {
	case "n":
		c.pass("constraint_added", object, what) // its columns tell
	case "c":
		c.checkAdded(object, what, k, on)
	case "f":
		if on.isNew(k.Columns) || on.leavesOut(k) {
			c.pass("constraint_added", object, what)
			if _, old := c.old.Tables[k.References]; old {
				c.referenced(object, k, table)
			}
			if !on.leavesOut(k) {
				c.data("foreign_key_added", object, what, "INSERTs of the running version fail unless it refers to the default (23503)", "add the column without a default, or see that the row is there first")
			}
			return
		}
		c.block("foreign_key_added", object, what, "the running version may write rows that refer to nothing (23503), also while the constraint is NOT VALID, and can no longer delete rows that are referred to",
			"have every running version keep the rule first; then ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT")
	case "u", "p", "x":
		c.uniqueAdded("constraint_added", object, what, k.Kind == "x", k.Columns, strings.Contains(k.Definition, "NULLS NOT DISTINCT"), "", k.Deferrable, on)
	case "t":
		c.block("trigger_added", object, what, "it runs for statements of the running version too, and may refuse or change what they write", lookAt)
	default:
		c.unclassified(object, what)
	}
}

func (c *comparer) checkAdded(object, what string, k catalog.Constraint, on target) {
	remedy := "have every running version keep the rule first; then ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT"
	implied := slices.ContainsFunc(on.columns, func(column catalog.Column) bool {
		return column.NotNull && notNullBefore(catalog.Table{Constraints: map[string]catalog.Constraint{"": k}}, column.Name) && on.added[column.Name].Name == ""
	})
	switch {
	case slices.ContainsFunc(sorted(on.constraints), func(name string) bool {
		old := c.translate(definition(on.constraints[name]))
		return on.constraints[name].Kind == "c" && (old == definition(k) || loosened(old, definition(k)))
	}):
		c.pass("constraint_added", object, what) // an old one demands as much
	case strings.HasSuffix(k.Definition, " NOT ENFORCED"):
		c.warn("constraint_added", object, what, "it is not enforced yet")
	case implied:
		c.pass("constraint_added", object, what)
	case on.isNew(k.Columns) && c.leftOut(k, on):
		c.warn("constraint_added", object, what, "it is on columns that the running version does not set")
	default:
		c.block("check_added", object, what, "the running version may write what it refuses (23514), also while it is NOT VALID", remedy)
	}
}

// leftOut reports whether a check on new columns lets rows through that leave
// them out: they are NULL, which fails no simple check, or have a default that
// the existing rows got too and passed with.
func (c *comparer) leftOut(k catalog.Constraint, on target) bool {
	for _, name := range k.Columns {
		column := on.added[name]
		if column.Default == "" && column.Identity == "" && rejectsNull(k.Definition) {
			return false
		}
		if column.Default != "" && !k.Valid {
			return false
		}
	}
	return true
}

// uniqueAdded judges something new that keeps rows apart.
func (c *comparer) uniqueAdded(code, object, what string, exclusion bool, columns []string, nullsMeet bool, predicate string, deferrable bool, on target) {
	implied := !exclusion && slices.ContainsFunc(sorted(on.indexes), func(name string) bool {
		i := on.indexes[name]
		return i.Unique && i.Valid && i.Predicate == "" && !nullsMeet && subset(translated(c, i.Columns), columns) && !c.deferrable(i, on.constraints)
	})
	column := strings.TrimSuffix(strings.TrimPrefix(predicate, "("), " IS NOT NULL)")
	skipped, isNew := on.added[column]
	switch {
	case implied:
		c.pass(code, object, what)
	case on.apart(columns, nullsMeet):
		c.warn(code, object, what, "rows of the running version leave a column of it out, so they never meet")
	case strings.HasSuffix(predicate, " IS NOT NULL)") && isNew && skipped.Default == "":
		c.warn(code, object, what, "rows of the running version are not in it")
	case slices.ContainsFunc(on.columns, func(column catalog.Column) bool {
		return slices.Contains(columns, column.Name) && (column.Identity != "" || strings.HasPrefix(column.Default, "nextval(") || strings.Contains(column.Default, "_uuid()"))
	}):
		c.data(code, object, what, "a column of it is given by the database, but a version that sets it itself may write what it refuses (23505)", "have every running version leave the column out first")
	default:
		c.block("unique_added", object, what, "the running version may write rows that it refuses (23505, 23P01)",
			"have every running version keep the rule first; then CREATE UNIQUE INDEX CONCURRENTLY, and ADD CONSTRAINT … USING INDEX")
	}
}

func translated(c *comparer, names []string) []string {
	var to []string
	for _, name := range names {
		to = append(to, c.translate(name))
	}
	return to
}

func sameSet(a, b []string) bool { return len(a) == len(b) && subset(a, b) }

func subset(some, all []string) bool {
	for _, name := range some {
		if !slices.Contains(all, name) {
			return false
		}
	}
	return len(some) > 0
}

func (c *comparer) deferrable(i catalog.Index, constraints map[string]catalog.Constraint) bool {
	return constraints[i.Constraint].Deferrable
}

func (c *comparer) constraintDropped(table, name string, k catalog.Constraint, before catalog.Table, on target) {
	object := table + "." + name
	what := fmt.Sprintf("constraint %s of %s is dropped: %s", name, table, k.Definition)
	if slices.ContainsFunc(k.Columns, func(column string) bool { return c.gone[table+"."+column] }) {
		c.pass("constraint_dropped", object, what) // the column's finding tells
		return
	}
	if k.Kind == "f" && c.gone[k.References] {
		c.data("constraint_dropped", object, what, "the table that it refers to is dropped", "")
		return
	}
	switch k.Kind {
	case "n":
		c.pass("constraint_dropped", object, what)
	case "c", "f":
		c.data("constraint_dropped", object, what, "the running version may meet rows that it relies on not to exist", "write no such rows before the release that relies on it is out of use")
	case "t":
		c.triggerDropped(table, name, catalog.Trigger{Definition: k.Definition}, before.Columns)
	case "u", "p", "x":
		if k.Kind == "u" && on.standsIn(c, k) {
			c.data("unique_dropped", object, what, "a unique index does the same, but ON CONFLICT ON CONSTRAINT fails (42704)", "name columns in ON CONFLICT")
			return
		}
		c.block("unique_dropped", object, what,
			"ON CONFLICT of the running version fails without it (42P10, 42704), and rows appear that it relies on not to exist", "drop it as a contract step; CREATE UNIQUE INDEX CONCURRENTLY on the same columns serves ON CONFLICT (columns)")
	default:
		c.unclassified(object, what)
	}
}

// constraint judges one that is there before and after, under whatever name.
func (c *comparer) constraint(table string, p pair[catalog.Constraint], on target) {
	old, new, object := *p.old, *p.new, table+"."+p.from
	if p.renamed() {
		what := fmt.Sprintf("constraint %s of %s is now named %s", p.from, table, p.to)
		if old.Kind == "u" || old.Kind == "p" || old.Kind == "x" {
			c.block("constraint_renamed", object, what, "ON CONFLICT ON CONSTRAINT of the running version fails (42704), and it no longer recognises the violation by its name",
				fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT %s TO %s, and rename it as a contract step", table, p.to, p.from))
		} else {
			c.warn("constraint_renamed", object, what, "a version that recognises the violation by its name no longer does")
		}
	}
	what := fmt.Sprintf("constraint %s of %s is %q instead of %q", p.from, table, new.Definition, old.Definition)
	switch {
	case old.Kind != new.Kind:
		c.unclassified(object, what)
	case old.Kind == "c":
		c.check(object, what, old, new)
	case old.Kind == "f":
		c.foreignKey(object, what, old, new)
	case c.equal(plainKey(old), plainKey(new)):
		c.deferral(object, what, old, new)
	case old.Kind != "x" && c.equal(strings.Replace(plainKey(old), " NULLS NOT DISTINCT", "", 1), plainKey(new)):
		c.data("unique_loosened", object, what, "rows with NULL in it may come twice, which the running version may rely on not to exist", "write no such rows before the release that relies on it is out of use")
		c.deferral(object, what, old, new)
	case old.Kind == new.Kind && old.Kind != "x" && strings.Contains(old.Definition, " NULLS NOT") == strings.Contains(new.Definition, " NULLS NOT") && !strings.Contains(new.Definition, "WITHOUT OVERLAPS") && sameSet(translated(c, old.Columns), new.Columns):
		c.warn("unique_reordered", object, what, "it keeps the same rows apart; statements that used its index may become slow")
		c.deferral(object, what, old, new)
	case old.Kind == "u" || old.Kind == "p" || old.Kind == "x":
		c.block("unique_changed", object, what, "ON CONFLICT of the running version fails (42P10), or rows that it writes are refused (23505)", "add the new one beside it, and drop the old one as a contract step")
	case !c.equal(old.Definition, new.Definition):
		c.unclassified(object, what)
	}
	a, b := old, new
	for _, k := range []*catalog.Constraint{&a, &b} {
		k.OID, k.Kind, k.Definition, k.Columns, k.References, k.OnUpdate, k.OnDelete = 0, "", "", nil, "", "", ""
		k.Deferrable, k.Deferred, k.Valid, k.Index = false, false, false, ""
	}
	c.rest("constraint", object, a, b)
}

// plainKey is the definition without what does not concern statements.
func plainKey(k catalog.Constraint) string {
	definition := k.Definition
	for _, cut := range []string{" DEFERRABLE", " INITIALLY DEFERRED"} {
		definition = strings.Replace(definition, cut, "", 1)
	}
	if at := strings.Index(definition, " INCLUDE ("); at >= 0 {
		end := strings.Index(definition[at:], ")")
		definition = definition[:at] + definition[at+end+1:]
	}
	return definition
}

func (c *comparer) check(object, what string, old, new catalog.Constraint) {
	a, b := c.translate(definition(old)), definition(new)
	enforced := func(k catalog.Constraint) bool { return !strings.HasSuffix(k.Definition, " NOT ENFORCED") }
	switch {
	case old.Definition == new.Definition:
	case !enforced(old) && enforced(new):
		c.block("check_changed", object, what, "the running version may write what it refuses (23514)", "have every running version keep the rule first")
	case a == b || strings.TrimSuffix(a, " NOT ENFORCED") == b:
		c.pass("constraint_changed", object, what)
	case loosened(a, b):
		c.data("check_loosened", object, what, "the running version may meet values that it does not know", "write no such values before the release that does not know them is out of use")
	default:
		c.block("check_changed", object, what, "the running version may write what it refuses (23514)", "add the stricter rule when every running version keeps it")
	}
}

func (c *comparer) deferral(object, what string, old, new catalog.Constraint) {
	unique := old.Kind != "f"
	switch {
	case old.Deferrable == new.Deferrable && old.Deferred == new.Deferred:
	case unique && new.Deferrable && !old.Deferrable:
		c.block("constraint_deferrable", object, what, "ON CONFLICT of the running version cannot use a deferrable constraint (55000), and no foreign key can", "leave it not deferrable")
	case old.Deferrable && !new.Deferrable, old.Deferred && !new.Deferred:
		c.block("constraint_not_deferred", object, what, "statements of the running version in another order than the rows depend on each other fail (23503, 23505)", "ALTER CONSTRAINT … DEFERRABLE INITIALLY DEFERRED as before")
	default:
		c.data("constraint_deferrable", object, what, "violations may come at COMMIT, where the running version may not expect them", "")
	}
}

var setColumns = regexp.MustCompile(` ON DELETE SET (?:NULL|DEFAULT) \((.*?)\)`)

// nulled are the columns that a foreign key sets when what they refer to goes,
// where these are not all.
func nulled(k catalog.Constraint) string { return setColumns.FindString(k.Definition) }

func (c *comparer) foreignKey(object, what string, old, new catalog.Constraint) {
	c.deferral(object, what, old, new)
	blank := func(k catalog.Constraint) string {
		definition := plainKey(k)
		for _, cut := range []string{" NOT VALID", " NOT ENFORCED"} {
			definition = strings.TrimSuffix(definition, cut)
		}
		for _, on := range []string{" ON UPDATE", " ON DELETE"} {
			if at := strings.Index(definition, on); at >= 0 {
				definition = definition[:at]
			}
		}
		return definition
	}
	if !c.equal(blank(old), blank(new)) {
		c.block("foreign_key_changed", object, what, "the running version may write rows that it refuses (23503)", "add the new one when every running version keeps it")
		return
	}
	if a, b := nulled(old), nulled(new); old.OnDelete == new.OnDelete && !c.equal(a, b) {
		c.block("foreign_key_action", object, what, "a delete by the running version sets other columns, which may be NOT NULL (23502) or lose what it reads", "set the same columns")
	}
	for _, action := range []struct{ event, from, to string }{{"delete", old.OnDelete, new.OnDelete}, {"update", old.OnUpdate, new.OnUpdate}} {
		refuses := action.to == "a" || action.to == "r"
		switch {
		case action.from == action.to:
		case refuses && action.from != "a" && action.from != "r", action.from == "a" && action.to == "r" && old.Deferrable, action.from == "c":
			c.block("foreign_key_action", object, what, fmt.Sprintf("the running version relies on what happens to the rows that refer when it does the %s (23503)", action.event),
				"delete or update the dependent rows in the application first, then change the action as a contract step")
		default:
			c.data("foreign_key_action", object, what, fmt.Sprintf("a %s that was refused, or did less, may now change rows that refer", action.event), "")
		}
	}
	if strings.HasSuffix(old.Definition, " NOT ENFORCED") && !strings.HasSuffix(new.Definition, " NOT ENFORCED") {
		c.block("foreign_key_changed", object, what, "the running version may write rows that it refuses (23503)", "enforce it when every running version keeps it")
	} else if old.Valid != new.Valid {
		c.pass("constraint_changed", object, what)
	}
}
