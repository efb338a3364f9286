package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// indexes judges those that stand for no constraint; the others are told by it.
func (c *comparer) indexes(table string, old, new map[string]catalog.Index, on target) {
	on.indexes, on.keptIndexes = old, new
	pairs := match(c, old, new, func(i catalog.Index) uint32 { return i.OID })
	pairs = c.replaced(pairs)
	for _, p := range pairs {
		switch {
		case p.old == nil:
			c.indexAdded(table, p.to, *p.new, on)
		case p.new == nil:
			c.indexDropped(table, p.from, *p.old)
		default:
			c.index(table, p)
		}
	}
}

// replaced pairs indexes that were dropped with those that do the same.
func (c *comparer) replaced(pairs []pair[catalog.Index]) []pair[catalog.Index] {
	used := map[string]bool{}
	for i, p := range pairs {
		if p.old == nil || p.new != nil {
			continue
		}
		for _, q := range pairs {
			if q.old == nil && !used[q.to] && q.new.Unique == p.old.Unique && q.new.Valid && c.equal(indexKey(*p.old), indexKey(*q.new)) {
				pairs[i].to, pairs[i].new, used[q.to] = q.to, q.new, true
				break
			}
		}
	}
	return slices.DeleteFunc(pairs, func(p pair[catalog.Index]) bool { return p.old == nil && used[p.to] })
}

var indexName = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX (?:"(?:[^"]|"")+"|\S+) ON (?:ONLY )?\S+`)

// indexKey is the definition without its name, and without what does not
// concern statements.
func indexKey(i catalog.Index) string {
	definition := indexName.ReplaceAllString(i.Definition, "${1}INDEX")
	for _, cut := range []string{" INCLUDE (", " WITH ("} {
		if at := strings.Index(definition, cut); at >= 0 {
			end := strings.Index(definition[at:], ")")
			definition = definition[:at] + definition[at+end+1:]
		}
	}
	return definition
}

func (c *comparer) indexAdded(table, name string, i catalog.Index, on target) {
	object := table + "." + name
	what := fmt.Sprintf("index %s is new on %s", name, table)
	if !i.Valid && i.Method != "" {
		c.indexInvalid(object, name, table, i)
		if !i.Unique || !i.Ready {
			return
		}
	}
	if i.Constraint != "" {
		c.pass("index_added", object, what) // the constraint tells
		return
	}
	if i.Unique {
		c.uniqueAdded("index_added", object, what+": "+i.Definition, false, i.Columns, i.NullsNotDistinct, i.Predicate, false, on)
		return
	}
	switch {
	case !harmless(i.Columns) || riskyCast.MatchString(castNumber.ReplaceAllString(i.Predicate, "$1")):
		c.data("index_expression", object, what+": "+i.Definition, "a row for which the expression fails, or is too long, can no longer be written (22P02, 54000)", "use an expression that fails for no value")
	case (i.Method == "btree" || i.Method == "hash") && slices.ContainsFunc(i.Columns, func(column string) bool {
		found, _ := byName(on.columns, column)
		return unbounded(found.Type)
	}):
		c.data("index_too_long", object, what, "a value of more than a third of a page (2,704 bytes) can no longer be written (54000)", "index a digest or the beginning of the value, or use gin")
	case slices.ContainsFunc(i.Columns, func(column string) bool {
		found, _ := byName(on.columns, column)
		return i.Method == "btree" && (found.Type == "text" || found.Type == "character varying")
	}):
		c.warn("index_added", object, what, "a text of more than a third of a page (2,704 bytes) that does not compress can no longer be written (54000)")
	default:
		c.pass("index_added", object, what)
	}
}

// unbounded reports whether values of the type tend to be long.
func unbounded(t string) bool {
	return t == "jsonb" || t == "json" || t == "bytea" || t == "xml" || strings.HasSuffix(t, "[]")
}

// total are functions that fail for no value.
var total = regexp.MustCompile(`^\(*(lower|upper|btrim|md5|length|left|date_trunc|date|abs|coalesce)\(`)

func harmless(columns []string) bool {
	for _, column := range columns {
		plain := strings.ReplaceAll(strings.ReplaceAll(column, "::text", ""), "::character varying", "")
		if strings.ContainsAny(plain, "(:") && (!total.MatchString(strings.ToLower(plain)) || strings.Contains(plain, "::") && !strings.Contains(plain, "'::")) {
			return false
		}
	}
	return true
}

func (c *comparer) indexInvalid(object, name, table string, i catalog.Index) {
	what := fmt.Sprintf("index %s on %s is invalid: building it did not end well", name, table)
	remedy := fmt.Sprintf("DROP INDEX CONCURRENTLY %s, and build it again", name)
	if i.Unique && i.Ready {
		c.block("index_invalid", object, what, "it refuses new rows all the same (23505)", remedy)
		return
	}
	c.add(switcher.SchemaWarn, "index_invalid", object, what, "it costs writes and serves no reads", remedy)
}

func (c *comparer) indexDropped(table, name string, i catalog.Index) {
	object := table + "." + name
	what := fmt.Sprintf("index %s of %s is dropped", name, table)
	switch {
	case i.Constraint != "" || slices.ContainsFunc(i.Columns, func(column string) bool { return c.gone[table+"."+column] }):
		c.pass("index_dropped", object, what) // the constraint or the column tells
	case i.Unique && i.Valid:
		c.block("unique_dropped", object, what, "ON CONFLICT of the running version fails without it (42P10), and rows appear that it relies on not to exist", "drop it as a contract step")
	default:
		c.warn("index_dropped", object, what, "statements of the running version that used it become slow")
	}
}

func (c *comparer) index(table string, p pair[catalog.Index]) {
	old, new, object := *p.old, *p.new, table+"."+p.from
	what := fmt.Sprintf("index %s is %q instead of %q", p.from, new.Definition, old.Definition)
	switch {
	case !c.equal(indexKey(old), indexKey(new)) && new.Unique && !old.Unique:
		c.block("unique_added", object, what, "the running version may write rows that it refuses (23505)", "have every running version keep the rule first")
	case !c.equal(indexKey(old), indexKey(new)) && old.Unique:
		if old.Constraint == "" || new.Constraint == "" {
			c.block("unique_changed", object, what, "ON CONFLICT of the running version fails (42P10), or rows that it writes are refused (23505)", "add the new one beside it, and drop the old one as a contract step")
		} else {
			c.pass("index_changed", object, what) // the constraint tells
		}
	case !c.equal(indexKey(old), indexKey(new)):
		c.warn("index_changed", object, what, "statements of the running version that used it may become slow")
	case p.renamed():
		c.pass("index_renamed", object, fmt.Sprintf("index %s of %s is now named %s", p.from, table, p.to))
	case old.Definition != new.Definition:
		c.pass("index_changed", object, what)
	}
	switch {
	case old.Valid && !new.Valid && new.Unique:
		c.block("index_invalid", object, fmt.Sprintf("index %s of %s is no longer valid", p.from, table), "ON CONFLICT of the running version fails (42P10)", fmt.Sprintf("REINDEX INDEX CONCURRENTLY %s", p.to))
	case old.Valid && !new.Valid:
		c.indexInvalid(object, p.from, table, new)
	case !old.Valid && new.Valid, old.Ready != new.Ready:
		c.pass("index_changed", object, fmt.Sprintf("index %s of %s is valid now", p.from, table))
	}
	if old.PartOf != new.PartOf {
		c.pass("index_changed", object, fmt.Sprintf("index %s of %s is part of %s", p.from, table, orDefault(new.PartOf)))
	}
	a, b := old, new
	for _, i := range []*catalog.Index{&a, &b} {
		i.OID, i.File, i.Bytes, i.Definition, i.Method, i.Columns, i.Include, i.Predicate = 0, 0, 0, "", "", nil, nil, ""
		i.Unique, i.NullsNotDistinct, i.Valid, i.Ready, i.Constraint, i.Primary, i.Exclusion, i.PartOf = false, false, false, false, "", false, false, ""
	}
	c.rest("index", object, a, b)
}
