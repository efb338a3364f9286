package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) views() {
	for _, p := range match(c, c.old.Views, c.new.Views, func(v catalog.View) uint32 { return v.OID }) {
		switch {
		case p.old == nil:
			c.pass("view_added", p.to, fmt.Sprintf("view %s is new", p.to))
		case p.new == nil:
			c.viewDropped(p.from, *p.old)
		default:
			if p.renamed() && !c.movedWithSchema(p.from, p.to) {
				c.block("view_renamed", p.from, fmt.Sprintf("view %s is renamed to %s", p.from, p.to), "every statement that names it fails (42P01)",
					fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s, and drop it as a contract step", p.from, p.to))
			}
			c.view(p.from, *p.old, *p.new)
		}
	}
}

func (c *comparer) viewDropped(name string, v catalog.View) {
	remedy := "deploy a version that does not use it first, then DROP VIEW as a contract step"
	t, ok := c.new.Tables[name]
	if !ok {
		c.block("view_dropped", name, fmt.Sprintf("view %s is dropped", name), "every statement that names it fails (42P01)", remedy)
		return
	}
	for i, column := range v.Columns {
		if i >= len(t.Columns) || t.Columns[i].Name != column.Name || t.Columns[i].Type != column.Type {
			c.block("view_dropped", name, fmt.Sprintf("view %s is now a table with other columns", name), "statements that name what is missing fail (42703)", remedy)
			return
		}
	}
	c.revoked("table", name, c.lost(v.Grants, t.Grants))
	c.data("view_became_table", name, fmt.Sprintf("view %s is now a table", name), "its rows are copies", "")
}

func (c *comparer) view(name string, old, new catalog.View) {
	c.viewColumns(name, old, new)
	if !c.equal(old.Definition, new.Definition) && !extends(c.translate(old.Definition), new.Definition) {
		c.data("view_changed", name, fmt.Sprintf("view %s is defined in another way", name), "the running version may find other rows in it", "make a new view beside it, and drop this one as a contract step")
	}
	c.viewKind(name, old, new)
	c.viewOptions(name, old, new)
	c.indexes(name, old.Indexes, new.Indexes, target{columns: new.Columns})
	c.triggers(name, old.Triggers, new.Triggers, nil)
	c.rules(name, old.Rules, new.Rules)
	c.owner("view", name, old.Owner, new.Owner, !new.Materialized)
	c.tableGrants("view", name, old.Grants, new.Grants, old.Columns, new.Columns)
	a, b := old, new
	for _, v := range []*catalog.View{&a, &b} {
		v.OID, v.Owner, v.Columns, v.Definition, v.Options, v.Updatable, v.Populated, v.Materialized = 0, "", nil, "", nil, 0, false, false
		v.Indexes, v.Triggers, v.Rules, v.Grants, v.Comment = nil, nil, nil, nil, ""
	}
	c.rest("view", name, a, b)
}

// selection is a SELECT of columns of one table, under whatever names.
var selection = regexp.MustCompile(`^\s*SELECT (?:[^\s(),':]+(?: AS [^\s(),]+)?,?\s+)+FROM (?:ONLY )?[^\s(),]+(?: [^\s(),]+)?;?\s*$`)

// everything reports whether a view shows all rows of one table, and their
// columns as they are.
func everything(definition string) bool { return selection.MatchString(definition) }

// extends reports whether a view only has more columns, at its end.
func extends(old, new string) bool {
	list, rest, ok := strings.Cut(old, "\n   FROM ")
	more, same, found := strings.Cut(new, "\n   FROM ")
	return ok && found && rest == same && strings.HasPrefix(more, list+",")
}

func (c *comparer) viewKind(name string, old, new catalog.View) {
	switch {
	case old.Materialized != new.Materialized && new.Materialized:
		c.data("view_materialized", name, fmt.Sprintf("view %s is now materialized", name), "the running version reads what was true at the last REFRESH", "make it under another name")
	case old.Materialized != new.Materialized:
		c.block("view_not_materialized", name, fmt.Sprintf("view %s is no longer materialized", name), "REFRESH MATERIALIZED VIEW of the running version fails (42809), and reads are slow", "make it under another name")
	case old.Materialized && old.Populated && !new.Populated:
		c.block("view_not_populated", name, fmt.Sprintf("materialized view %s has no data", name), "statements that read it fail (55000)", fmt.Sprintf("REFRESH MATERIALIZED VIEW %s in the migration", name))
	case old.Populated != new.Populated && new.Materialized:
		c.pass("view_populated", name, fmt.Sprintf("materialized view %s has data now", name))
	}
	if missing := old.Updatable &^ new.Updatable; missing != 0 {
		c.block("view_not_updatable", name, fmt.Sprintf("view %s can no longer be written to", name), "INSERT, UPDATE or DELETE of the running version fails (55000)", "keep the view simple, or add INSTEAD OF triggers")
	} else if old.Updatable != new.Updatable {
		c.pass("view_updatable", name, fmt.Sprintf("view %s can be written to now", name))
	}
}

func (c *comparer) viewOptions(name string, old, new catalog.View) {
	for _, option := range new.Options {
		if slices.Contains(old.Options, option) {
			continue
		}
		key, value, _ := strings.Cut(option, "=")
		what := fmt.Sprintf("view %s has option %s now", name, option)
		switch {
		case key == "check_option":
			c.block("view_option", name, what, "rows that the running version writes through it are refused (44000)", "have every running version keep the rule first")
		case key == "security_invoker" && value != "false" && value != "off":
			c.block("view_option", name, what, "the running version needs privileges on what the view reads (42501)", "grant them first, and accept the finding")
		case key == "security_invoker":
			c.data("view_option", name, what, "the running version may see or write rows that it could not", "")
		case key == "security_barrier", strings.HasPrefix(key, "fillfactor"), strings.HasPrefix(key, "autovacuum"), strings.HasPrefix(key, "toast"):
			c.warn("view_option", name, what, "statements on it may become slower")
		default:
			c.unclassified(name, what)
		}
	}
	for _, option := range old.Options {
		key, _, _ := strings.Cut(option, "=")
		if !slices.ContainsFunc(new.Options, func(n string) bool { return n == option || strings.HasPrefix(n, key+"=") }) {
			c.data("view_option", name, fmt.Sprintf("view %s no longer has option %s", name, option), "the running version may see or write rows that it could not", "")
		}
	}
}

func (c *comparer) viewColumns(name string, old, new catalog.View) {
	reshaped := false
	for i, from := range old.Columns {
		object := name + "." + from.Name
		to, ok := byName(new.Columns, from.Name)
		if !ok {
			if moved, found := byNumber(new.Columns, from.Number); found && c.same {
				if _, was := byName(old.Columns, moved.Name); !was {
					c.block("column_renamed", object, fmt.Sprintf("column %s of the view is renamed to %s", object, moved.Name), "every statement that names it fails (42703)", "add the column under its new name beside it")
					continue
				}
			}
			c.block("column_dropped", object, fmt.Sprintf("column %s of the view is dropped", object), "every statement that names it fails (42703)", "keep the column until no running version reads it")
			continue
		}
		if c.typeChanged(object, from.Type, to.Type) {
			reshaped = true
		}
		if from.Collation != to.Collation {
			c.collation(object, from.Collation, to.Collation)
		}
		if i >= len(new.Columns) || new.Columns[i].Name != from.Name {
			c.data("column_moved", object, fmt.Sprintf("column %s of the view is at another place", object), "a SELECT * that is read by position finds another value there", "add columns at the end")
			reshaped = true
		}
		c.filling(object, from, to)
		a, b := plain(from), plain(to)
		a.Default, a.Generated, a.Grants, a.Identity = b.Default, b.Generated, b.Grants, b.Identity
		c.rest("column", object, a, b)
	}
	for _, column := range new.Columns {
		if _, ok := byName(old.Columns, column.Name); !ok {
			c.pass("column_added", name+"."+column.Name, fmt.Sprintf("view %s has a column %s now", name, column.Name))
			reshaped = true
		}
	}
	if reshaped {
		c.reshaped("view", name)
	}
}
