package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// columns judges the columns of a table, and returns those that are new.
func (c *comparer) columns(kind string, p pair[catalog.Table], old, new catalog.Table) map[string]catalog.Column {
	added := map[string]catalog.Column{}
	seen := map[string]bool{}
	reshaped := false
	for _, from := range old.Columns {
		object := p.from + "." + from.Name
		to, ok := byName(new.Columns, from.Name)
		if c.same && !p.recreated {
			if kept, found := byNumber(new.Columns, from.Number); found {
				to, ok = kept, true
			} else if ok {
				_, renamed := byNumber(old.Columns, to.Number)
				if ok = false; !renamed {
					c.block("column_recreated", object, fmt.Sprintf("column %s is dropped and made anew", object),
						"what was in it is gone", "change the column in place, or add one under another name and copy into it")
					seen[to.Name] = true
					continue
				}
			}
		}
		if !ok {
			c.gone[object] = true
			c.block("column_dropped", object, fmt.Sprintf("column %s is dropped", object), "every statement that names it fails (42703)",
				"deploy a version that does not use it first, then DROP COLUMN as a contract step")
			continue
		}
		seen[to.Name] = true
		if to.Name != from.Name {
			c.block("column_renamed", object, fmt.Sprintf("column %s is renamed to %s", object, to.Name), "every statement that names it fails (42703)",
				fmt.Sprintf("add %s as a new column, write both (a trigger can copy), move the readers, and drop %s as a contract step", to.Name, from.Name))
		}
		reshaped = reshaped || from.Type != to.Type || from.Collation != to.Collation
		c.column(p, from, to, old)
	}
	for _, column := range new.Columns {
		if !seen[column.Name] {
			added[column.Name] = column
			reshaped = true
			c.columnAdded(p.from, column, new)
		}
	}
	if reshaped {
		c.reshaped(kind, p.from)
	}
	return added
}

func (c *comparer) reshaped(kind, name string) {
	c.warn("row_shape", name, fmt.Sprintf("rows of %s %s have another shape", kind, name),
		"statements prepared before that return the whole row (SELECT *, RETURNING *) or a column of another type fail once with \"cached plan must not change result type\" (0A000), "+
			"and so do COPY and INSERT without a list of columns: probe the running version again, and list columns")
}

func (c *comparer) columnAdded(table string, column catalog.Column, t catalog.Table) {
	object := table + "." + column.Name
	what := fmt.Sprintf("column %s %s is new", object, column.Type)
	fills := filled(column.Default) || column.Identity != ""
	domain, isDomain := c.new.Domains[column.Type]
	fills = fills || isDomain && domain.Default != ""
	switch {
	case column.Generated != "":
		c.generatedAdded(object, what, column, t)
		return
	case (column.NotNull || isDomain && domain.NotNull) && !fills:
		c.block("column_required", object, what+", NOT NULL and without a default", "the running version does not set it, so its INSERTs fail (23502)",
			fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s with a DEFAULT, or without NOT NULL until every version sets it", table, column.Name, column.Type))
		return
	case isDomain && !fills && slices.ContainsFunc(sorted(domain.Constraints), func(k string) bool { return rejectsNull(domain.Constraints[k].Definition) }):
		c.block("column_required", object, what+", and its domain refuses NULL", "the running version does not set it, so its INSERTs fail (23514)", "give the column a default")
		return
	}
	c.pass("column_added", object, what)
	c.defaultUsable(object, column)
	c.besides(object, table, column, t)
}

// filled reports whether a default gives a value.
func filled(expression string) bool {
	return expression != "" && expression != "NULL" && !strings.HasPrefix(expression, "NULL::")
}

// generatedAdded judges a new column that is computed of what the running
// version writes.
func (c *comparer) generatedAdded(object, what string, column catalog.Column, t catalog.Table) {
	table, _ := owner(object)
	nullable := slices.ContainsFunc(t.Columns, func(of catalog.Column) bool {
		return !of.NotNull && of.Name != column.Name && mentions(column.Default, of.Name)
	})
	switch {
	case column.NotNull && nullable && !strings.Contains(strings.ToUpper(column.Default), "COALESCE"):
		c.block("column_required", object, what+", NOT NULL, and generated of what may be NULL", "INSERTs of the running version that leave that out fail (23502)", "leave NOT NULL out, or use coalesce")
		return
	case risky(column.Default) || column.NotNull:
		c.data("generated_expression", object, what+", and generated: "+column.Default, "a row for which the expression fails can no longer be written", "use an expression that fails for no value")
	default:
		c.pass("column_added", object, what)
	}
	c.besides(object, table, column, t)
}

// riskyCast is one of what is no literal to a type that not every text has.
var riskyCast = regexp.MustCompile(`[^']::(smallint|integer|bigint|numeric|real|double|date|time|interval|uuid|boolean|json|inet|bytea|bit|money|xml|"?[a-z_]+"?\.)`)

// castNumber is a number that the server gives another type.
var castNumber = regexp.MustCompile(`\((-?[0-9.]+)\)::[a-z]+`)

// risky reports whether an expression may fail for some values.
func risky(expression string) bool {
	expression = castNumber.ReplaceAllString(expression, "$1")
	if riskyCast.MatchString(expression) || strings.ContainsAny(expression, "/%") {
		return true
	}
	for _, call := range calls.FindAllStringSubmatch(expression, -1) {
		if !total.MatchString(strings.ToLower(call[1])+"(") && !slices.Contains([]string{"AND", "OR", "IN", "ANY", "ALL", "NOT", "numeric", "varchar", "varying", "char"}, call[1]) {
			return true
		}
	}
	return false
}

var calls = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.]*)\(`)

// besides judges what a new column means for statements that do not know it.
func (c *comparer) besides(object, table string, column catalog.Column, t catalog.Table) {
	c.ambiguous(table, column.Name)
	old := c.old.Tables[table]
	bySingle := len(old.Columns) > 0 && !slices.ContainsFunc(old.Columns, func(of catalog.Column) bool { return !c.may(of.Grants, "SELECT") })
	if bySingle && !c.may(old.Grants, "SELECT") && !c.may(t.Grants, "SELECT") && !c.may(column.Grants, "SELECT") {
		c.data("column_not_readable", object, fmt.Sprintf("column %s is new, and %s may read the others only", object, c.who()), "SELECT * of the running version fails (42501)",
			fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s", column.Name, table, c.who()))
	}
	for _, name := range c.wholeRows(table, t) {
		c.data("whole_rows", object, fmt.Sprintf("column %s is new, and function %s takes whole rows", object, name),
			"a SELECT * or NEW.* in it has one column more now: it fails where that goes to a fixed list or another table", "list the columns in the function first: CREATE OR REPLACE FUNCTION …")
	}
}

// wholeRows are functions of before that take whole rows of the table.
func (c *comparer) wholeRows(table string, t catalog.Table) []string {
	_, bare := split(table)
	var names []string
	for _, name := range sorted(c.old.Functions) {
		f, there := c.new.Functions[name]
		if !there {
			continue
		}
		takes := slices.ContainsFunc(f.Stars, func(s string) bool {
			return s == strings.ToLower(table) || s == strings.ToLower(bare)
		})
		if slices.Contains(f.Stars, "new") || slices.Contains(f.Stars, "old") {
			for _, trigger := range t.Triggers {
				takes = takes || trigger.Function == name || trigger.Function == f.Name
			}
		}
		if takes && strings.Trim(f.Result, `"`) != "SETOF "+bare && f.Result != "SETOF "+table {
			names = append(names, name)
		}
	}
	return names
}

// ambiguous warns of a column whose name a table has that is likely joined with
// this one.
func (c *comparer) ambiguous(table, column string) {
	look := func(other string) {
		t, ok := c.old.Tables[other]
		if _, has := byName(t.Columns, column); ok && has && other != table {
			c.data("name_ambiguous", table+"."+column, fmt.Sprintf("%s has a column %s too", other, column),
				"a statement of the running version that joins both and names it without its table fails (42702)", "qualify the name in the running version first, or choose another one")
		}
	}
	for _, name := range sorted(c.old.Functions) {
		f := c.old.Functions[name]
		if in := inputs(f); len(in) == 1 && c.equal(in[0].Type, table) && strings.HasSuffix(f.Name, "."+column) {
			c.data("name_ambiguous", table+"."+column, fmt.Sprintf("function %s is called like the column", name),
				"a statement that has it computed as if it were a column finds the column instead", "give the column another name")
		}
		if (f.Language == "plpgsql" || f.Language == "sql") && slices.ContainsFunc(f.Arguments, func(a catalog.Argument) bool { return a.Name == column }) {
			c.data("name_ambiguous", table+"."+column, fmt.Sprintf("function %s has an argument %s too", name, column),
				fmt.Sprintf("where it names that in a statement on %s it means the column, or fails (42702)", table), "give the column another name, or qualify the argument in the function first")
		}
	}
	var others []string
	for _, k := range c.old.Tables[table].Constraints {
		others = append(others, k.References)
	}
	for name, t := range c.old.Tables {
		for _, k := range t.Constraints {
			if k.References == table {
				others = append(others, name)
			}
		}
	}
	slices.Sort(others)
	for _, other := range slices.Compact(others) {
		if other != "" {
			look(other)
		}
	}
}

var nextval = regexp.MustCompile(`nextval\('((?:[^']|'')+)'`)

// defaultUsable blocks a default that the app's role may not evaluate.
func (c *comparer) defaultUsable(object string, column catalog.Column) {
	if strings.Contains(column.Default, "current_setting(") && !strings.Contains(column.Default, ", true)") {
		c.data("default_setting", object, fmt.Sprintf("the default of %s reads a setting", object), "INSERTs of the running version fail where it is not set (42704)", "use current_setting(…, true)")
	}
	for _, found := range nextval.FindAllStringSubmatch(column.Default, -1) {
		name := found[1]
		sequence, ok := c.new.Sequences[name]
		for _, qualified := range sorted(c.new.Sequences) {
			if _, bare := split(qualified); !ok && bare == name {
				sequence, ok = c.new.Sequences[qualified], true
			}
		}
		if ok && !c.may(sequence.Grants, "USAGE") && !c.may(sequence.Grants, "UPDATE") {
			c.block("default_not_allowed", object, fmt.Sprintf("the default of %s takes from sequence %s, which %s may not use", object, name, c.who()),
				"INSERTs of the running version fail with permission denied (42501)", fmt.Sprintf("GRANT USAGE ON SEQUENCE %s TO %s, or use GENERATED BY DEFAULT AS IDENTITY", name, c.who()))
		}
	}
	for _, name := range sorted(c.new.Functions) {
		f := c.new.Functions[name]
		_, bare := split(f.Name)
		if strings.Contains(column.Default, bare+"(") && mentions(column.Default, bare) && !c.may(f.Grants, "EXECUTE") {
			c.block("default_not_allowed", object, fmt.Sprintf("the default of %s calls function %s, which %s may not execute", object, name, c.who()),
				"INSERTs of the running version fail with permission denied (42501)", fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s", name, c.who()))
		}
	}
}

// column judges a column that is there before and after.
func (c *comparer) column(p pair[catalog.Table], old, new catalog.Column, before catalog.Table) {
	object := p.from + "." + old.Name
	c.typeChanged(object, old.Type, new.Type)
	if old.Collation != new.Collation {
		c.collation(object, old.Collation, new.Collation)
	}
	switch {
	case !old.NotNull && new.NotNull && notNullBefore(before, old.Name):
		c.pass("not_null_set", object, fmt.Sprintf("column %s is NOT NULL, which a CHECK demanded before", object))
	case !old.NotNull && new.NotNull:
		c.block("not_null_set", object, fmt.Sprintf("column %s no longer takes NULL", object), "the running version may leave it out or set it to NULL (23502)",
			"have every running version set it first, then SET NOT NULL in a later release")
	case old.NotNull && !new.NotNull:
		c.data("not_null_dropped", object, fmt.Sprintf("column %s takes NULL now", object), "the running version may fail on a NULL that the new one writes",
			"write no NULL before the release that cannot read them is out of use")
	}
	c.filling(object, old, new)
	a, b := plain(old), plain(new)
	for _, column := range []*catalog.Column{&a, &b} {
		column.NotNull, column.Default, column.Identity, column.Generated, column.Grants = false, "", "", "", nil
	}
	c.rest("column", object, a, b)
}

// filling judges what a column gets when a statement does not set it, and
// whether one may.
func (c *comparer) filling(object string, old, new catalog.Column) {
	switch {
	case old.Generated != new.Generated && new.Generated == "":
		c.block("generated_dropped", object, fmt.Sprintf("column %s is no longer generated", object), "nobody fills it for the running version",
			"keep the expression until every running version sets the column; or fill it with a trigger")
		return
	case old.Generated != new.Generated:
		c.block("generated_changed", object, fmt.Sprintf("column %s is generated in another way", object), "statements that set it fail (428C9)", "add a new generated column beside it")
		return
	case old.Generated != "":
		if old.Identity != new.Identity {
			c.unclassified(object, fmt.Sprintf("column %s is generated and has another identity", object))
		}
		if !c.equal(old.Default, new.Default) {
			c.data("generated_changed", object, fmt.Sprintf("column %s is generated by another expression", object), "the running version reads other values", "add a new generated column beside it")
		}
		return
	}
	fills := func(column catalog.Column) bool {
		return filled(column.Default) || column.Identity != "" || c.new.Domains[column.Type].Default != ""
	}
	switch {
	case new.Identity == "a" && old.Identity != "a":
		c.block("identity_always", object, fmt.Sprintf("column %s is GENERATED ALWAYS", object), "statements of the running version that set it fail (428C9)",
			"use GENERATED BY DEFAULT AS IDENTITY")
	case fills(old) && !fills(new) && new.NotNull:
		c.block("default_dropped", object, fmt.Sprintf("column %s has no default any more, and is NOT NULL", object), "INSERTs of the running version that leave it out fail (23502)",
			"keep the default until every running version sets the column")
	case fills(old) && !fills(new):
		c.data("default_dropped", object, fmt.Sprintf("column %s has no default any more", object), "rows that the running version inserts have NULL there, which it may not expect",
			"keep the default until every running version sets the column")
	case filled(new.Default) && !c.equal(old.Default, new.Default) && c.constrained(object, new.Name):
		c.data("default_changed", object, fmt.Sprintf("column %s has another default, and is under a constraint", object), "INSERTs of the running version fail if the constraint refuses it (23514, 23503)", "see that the constraint takes it")
	case old.Identity != new.Identity || !c.equal(old.Default, new.Default):
		c.warn("default_changed", object, fmt.Sprintf("column %s has another default", object), "rows that the running version inserts get it")
	}
	if new.Default != old.Default {
		c.defaultUsable(object, new)
	}
	if (old.Identity == "") != (new.Identity == "") {
		for _, name := range sorted(c.new.Sequences) {
			if c.new.Sequences[name].OwnedBy == object {
				c.pass("sequence_of_column", name, fmt.Sprintf("sequence %s is that of an identity column, or no longer", name))
			}
		}
	}
}

// plain is a column without what all rules for columns judge.
func plain(column catalog.Column) catalog.Column {
	column.Number, column.Name, column.Type, column.Collation, column.Comment, column.Volatile, column.Missing = 0, "", "", "", "", false, false
	return column
}

// constrained reports whether a check or a foreign key is on a column.
func (c *comparer) constrained(object, column string) bool {
	table, _ := owner(object)
	for _, k := range c.new.Tables[c.nameNow(table)].Constraints {
		if (k.Kind == "c" || k.Kind == "f") && slices.Contains(k.Columns, column) {
			return true
		}
	}
	return false
}

func (c *comparer) collation(object, old, new string) {
	what := fmt.Sprintf("column %s is compared by collation %s instead of %s", object, orDefault(new), orDefault(old))
	if strings.Contains(new, ".") && !strings.HasPrefix(new, "pg_catalog.") {
		c.block("collation_changed", object, what, "comparisons may find other rows, and LIKE and indexes may not work with it", "add a column with the new collation beside it")
		return
	}
	c.data("collation_changed", object, what, "rows come in another order, and a comparison with a column of a third collation fails (42P22)", "name the collation in the statements that need it")
}

func orDefault(name string) string {
	if name == "" {
		return "the default"
	}
	return name
}

// notNullBefore reports whether a constraint kept NULL out already.
func notNullBefore(t catalog.Table, column string) bool {
	want := "CHECK ((" + column + " IS NOT NULL))"
	for _, k := range t.Constraints {
		definition := strings.TrimSuffix(k.Definition, " NOT VALID")
		if k.Kind == "c" && (definition == want || definition == strings.Replace(want, column, `"`+column+`"`, 1)) {
			return true
		}
	}
	return false
}

// rejectsNull reports whether a check may fail when all its operands are NULL.
func rejectsNull(definition string) bool {
	upper := strings.ToUpper(definition)
	for _, word := range []string{"IS NOT NULL", "COALESCE", "NONNULLS", "NUM_NULLS", "IS NOT", "IS TRUE", "IS DISTINCT", "CASE", "IS FALSE", "IS NOT DISTINCT", "NOT NULL"} {
		if strings.Contains(upper, word) {
			return true
		}
	}
	return false
}
