package compat

import (
	"fmt"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) types() {
	for _, p := range match(c, c.old.Enums, c.new.Enums, func(e catalog.Enum) uint32 { return e.OID }) {
		if kept(c, "enum", p) {
			c.enum(p.from, *p.old, *p.new)
		}
	}
	for _, p := range match(c, c.old.Domains, c.new.Domains, func(d catalog.Domain) uint32 { return d.OID }) {
		if kept(c, "domain", p) {
			c.domain(p.from, *p.old, *p.new)
		}
	}
	for _, p := range match(c, c.old.Composites, c.new.Composites, func(t catalog.Composite) uint32 { return t.OID }) {
		if kept(c, "composite", p) {
			c.composite(p.from, *p.old, *p.new)
		}
	}
	for _, p := range match(c, c.old.Ranges, c.new.Ranges, func(r catalog.Range) uint32 { return r.OID }) {
		if kept(c, "range", p) {
			c.rangeType(p.from, *p.old, *p.new)
		}
	}
}

// kept reports whether a type is there before and after, and judges it if not.
func kept[T any](c *comparer, kind string, p pair[T]) bool {
	switch {
	case p.old == nil:
		c.pass("type_added", p.to, fmt.Sprintf("%s type %s is new", kind, p.to))
		return false
	case p.new == nil:
		c.block("type_dropped", p.from, fmt.Sprintf("%s type %s is dropped", kind, p.from), "casts and prepared parameters of it fail (42704)",
			"move the columns and casts to another type first, then DROP TYPE as a contract step")
		return false
	case p.renamed() && !c.movedWithSchema(p.from, p.to):
		c.block("type_renamed", p.from, fmt.Sprintf("%s type %s is renamed to %s", kind, p.from, p.to), "casts to it fail (42704)",
			"rename it as a contract step, when no running version casts to it")
	case p.recreated:
		c.data("type_recreated", p.from, fmt.Sprintf("%s type %s is dropped and made anew", kind, p.from),
			"sessions of the running version have prepared statements and type ids of the old one, which fail until they connect again (0A000, 42804)",
			"change it in place, such as by ALTER TYPE … ADD VALUE")
	}
	return true
}

func (c *comparer) enum(name string, old, new catalog.Enum) {
	var gone []string
	for _, label := range old.Labels {
		if !slices.Contains(new.Labels, label) {
			gone = append(gone, label)
		}
	}
	var left []string
	for _, label := range new.Labels {
		if slices.Contains(old.Labels, label) {
			left = append(left, label)
		}
	}
	switch {
	case len(gone) > 0 && len(old.Labels) == len(new.Labels):
		c.block("enum_value_renamed", name, fmt.Sprintf("enum %s no longer has %s; it has %s", name, list(gone), list(new.Labels)), "statements that name the value fail (22P02), and rows show one that the running version does not know",
			"add the new value, write it when every running version knows it, and leave the old one")
	case len(gone) > 0:
		c.block("enum_value_dropped", name, fmt.Sprintf("enum %s no longer has %s", name, list(gone)), "statements that name the value fail (22P02)", "leave it, and do not use it")
	case !slices.Equal(left, old.Labels):
		c.data("enum_order", name, fmt.Sprintf("enum %s has its values in another order", name), "comparisons and ORDER BY find another order", "")
	}
	if len(gone) == 0 && len(new.Labels) > len(old.Labels) {
		c.data("enum_value_added", name, fmt.Sprintf("enum %s has new values: %s", name, list(new.Labels)), "the running version may fail on a value that it does not know", "write it only when every running version knows it")
	}
	c.owner("type", name, old.Owner, new.Owner, false)
	c.grants("type", name, old.Grants, new.Grants)
	a, b := old, new
	for _, e := range []*catalog.Enum{&a, &b} {
		e.OID, e.Owner, e.Labels, e.Grants = 0, "", nil, nil
	}
	c.rest("enum", name, a, b)
}

func (c *comparer) domain(name string, old, new catalog.Domain) {
	c.typeChanged(name, old.Type, new.Type)
	if old.Collation != new.Collation {
		c.collation(name, old.Collation, new.Collation)
	}
	switch {
	case !old.NotNull && new.NotNull:
		c.block("domain_tightened", name, fmt.Sprintf("domain %s no longer takes NULL", name), "the running version may leave out or write NULL (23502)", "have every running version set it first")
	case old.NotNull && !new.NotNull:
		c.data("not_null_dropped", name, fmt.Sprintf("domain %s takes NULL now", name), "the running version may fail on a NULL", "")
	}
	switch {
	case c.equal(old.Default, new.Default):
	case new.Default == "":
		c.block("default_dropped", name, fmt.Sprintf("domain %s has no default any more", name), "columns of it that are NOT NULL have to be set now (23502)", "keep the default until every running version sets the columns")
	default:
		c.warn("default_changed", name, fmt.Sprintf("domain %s has another default", name), "rows that the running version inserts get it")
	}
	for _, p := range c.reunite(match(c, old.Constraints, new.Constraints, func(k catalog.Constraint) uint32 { return k.OID })) {
		c.domainConstraint(name, p)
	}
	c.owner("domain", name, old.Owner, new.Owner, false)
	c.grants("domain", name, old.Grants, new.Grants)
	a, b := old, new
	for _, d := range []*catalog.Domain{&a, &b} {
		d.OID, d.Owner, d.Type, d.NotNull, d.Default, d.Collation, d.Constraints, d.Grants = 0, "", "", false, "", "", nil, nil
	}
	c.rest("domain", name, a, b)
}

func (c *comparer) domainConstraint(name string, p pair[catalog.Constraint]) {
	object := name + "." + p.from
	switch {
	case p.old == nil && p.new.Kind == "n", p.new == nil && p.old.Kind == "n":
	case p.old == nil:
		c.block("domain_tightened", name+"."+p.to, fmt.Sprintf("domain %s has a new constraint: %s", name, p.new.Definition), "the running version may write what it refuses (23514), also while it is NOT VALID",
			"have every running version keep the rule first")
	case p.new == nil:
		c.data("constraint_dropped", object, fmt.Sprintf("domain %s no longer demands %s", name, p.old.Definition), "the running version may meet values that it relies on not to exist", "")
	default:
		if p.renamed() {
			c.warn("constraint_renamed", object, fmt.Sprintf("constraint %s of domain %s is now named %s", p.from, name, p.to), "a version that recognises the violation by its name no longer does")
		}
		if p.old.Kind == "c" {
			c.check(object, fmt.Sprintf("domain %s demands %q instead of %q", name, p.new.Definition, p.old.Definition), *p.old, *p.new)
		} else {
			c.rest("constraint", object, catalog.Constraint{Kind: p.old.Kind, Definition: p.old.Definition}, catalog.Constraint{Kind: p.new.Kind, Definition: p.new.Definition})
		}
	}
}

func (c *comparer) composite(name string, old, new catalog.Composite) {
	for _, from := range old.Fields {
		object := name + "." + from.Name
		to, ok := byName(new.Fields, from.Name)
		if moved, found := byNumber(new.Fields, from.Number); c.same && !ok && found {
			if _, was := byName(old.Fields, moved.Name); !was {
				c.block("column_renamed", object, fmt.Sprintf("field %s is renamed to %s", object, moved.Name), "statements that name it fail (42703)", "make a new type beside it")
				continue
			}
		}
		if !ok {
			c.block("column_dropped", object, fmt.Sprintf("field %s is dropped", object), "statements that name it, or give a row of all fields, fail (42703, 42846)", "make a new type beside it")
			continue
		}
		c.typeChanged(object, from.Type, to.Type)
		if from.Collation != to.Collation {
			c.collation(object, from.Collation, to.Collation)
		}
		c.rest("field", object, plain(from), plain(to))
	}
	for i, field := range new.Fields {
		if _, ok := byName(old.Fields, field.Name); !ok {
			c.block("field_added", name+"."+field.Name, fmt.Sprintf("composite type %s has a new field %s", name, field.Name),
				"rows of the running version have too few fields for it (42846, 22P02), and clients that decode it by position fail", "make a new type beside it")
		} else if len(old.Fields) > i && len(old.Fields) == len(new.Fields) && old.Fields[i].Name != field.Name && hasAll(old.Fields, new.Fields) {
			c.block("field_moved", name+"."+field.Name, fmt.Sprintf("fields of %s are in another order", name), "rows are read and written by position", "make a new type beside it")
		}
	}
	c.owner("type", name, old.Owner, new.Owner, false)
	c.grants("type", name, old.Grants, new.Grants)
	a, b := old, new
	for _, t := range []*catalog.Composite{&a, &b} {
		t.OID, t.Owner, t.Fields, t.Grants = 0, "", nil, nil
	}
	c.rest("composite type", name, a, b)
}

func hasAll(a, b []catalog.Column) bool {
	for _, column := range a {
		if _, ok := byName(b, column.Name); !ok {
			return false
		}
	}
	return true
}

func (c *comparer) rangeType(name string, old, new catalog.Range) {
	if !c.equal(old.Definition, new.Definition) {
		c.block("range_changed", name, fmt.Sprintf("range type %s is defined in another way: %s", name, strings.TrimSpace(new.Definition)), "values and comparisons of the running version fail or mean something else", "make a new type beside it")
	}
	c.owner("type", name, old.Owner, new.Owner, false)
	c.grants("type", name, old.Grants, new.Grants)
	a, b := old, new
	for _, r := range []*catalog.Range{&a, &b} {
		r.OID, r.Owner, r.Definition, r.Grants = 0, "", "", nil
	}
	c.rest("range type", name, a, b)
}
