package compat

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Options says whose statements are judged, and where a lock is long. Its zero
// value judges those of all roles.
type Options struct {
	Role      string   // the app's; empty: every role's privileges count
	Roles     []string // that it is a member of, directly or not
	Superuser bool     // Role is one, so that no privilege and no policy concerns it
	BypassRLS bool     // Role has that attribute

	LargeRows  int64 // rows from which on a table is large; 0: a million
	LargeBytes int64 // 0: 128 MiB
	// Standing says that the change was made some time ago, and is in use: what it
	// locked and wrote anew then concerns nobody any more.
	Standing bool

	// Sizes are those of the live tables, by name, where the schemas compared are
	// those of a database without its rows; nil: the old schema tells.
	Sizes map[string]Size
}

// Size is how large a table is.
type Size struct{ Rows, Bytes int64 }

const (
	largeRows  = 1_000_000
	largeBytes = 128 << 20
)

// Compare tells everything in which the schema of a database has changed, the
// worst first: what it means for statements that were made for the old one, and
// how to do it safely. Changes that are harmless pass, and are told all the same.
func Compare(old, new *catalog.Schema, o Options) []switcher.SchemaFinding {
	o.LargeRows = cmp.Or(o.LargeRows, largeRows)
	o.LargeBytes = cmp.Or(o.LargeBytes, largeBytes)
	c := &comparer{
		old: old, new: new, Options: o, same: old.Identity == new.Identity && old.Identity != catalog.Identity{},
		words: map[string]string{}, moved: map[string]string{}, gone: map[string]bool{},
	}
	c.server()
	c.namespaces()
	c.findRenames()
	c.types()
	c.sequences()
	c.functions()
	c.tables()
	c.views()
	c.extensions()
	c.publications()
	c.eventTriggers()
	c.settings()
	c.names()
	c.grants("database", "database", old.Grants, new.Grants)
	c.definers()
	c.others()
	c.whole()
	order(c.findings)
	return c.findings
}

// comparer holds what the rules for one kind of object have to know of the
// others.
type comparer struct {
	Options
	old, new *catalog.Schema
	same     bool              // both are of one database, so that object ids mean something
	moved    map[string]string // new qualified names of renamed objects by their old ones
	words    map[string]string // new identifiers by old ones, for definitions
	gone     map[string]bool   // dropped tables and table.column, which take what is theirs along
	findings []switcher.SchemaFinding
}

func (c *comparer) add(verdict switcher.SchemaVerdict, code, object, what, why, remedy string) {
	c.findings = append(c.findings, switcher.SchemaFinding{Code: code, Object: object, Verdict: verdict, What: what, Why: why, Remedy: remedy})
}

func (c *comparer) block(code, object, what, why, remedy string) {
	c.add(switcher.SchemaBlock, code, object, what, why, remedy)
}

func (c *comparer) data(code, object, what, why, remedy string) {
	c.add(switcher.SchemaData, code, object, what, why, remedy)
}

func (c *comparer) warn(code, object, what, why string) {
	c.add(switcher.SchemaWarn, code, object, what, why, "")
}

func (c *comparer) pass(code, object, what string) {
	c.add(switcher.SchemaPass, code, object, what, "", "")
}

// unclassified is the answer to everything that no rule understands.
func (c *comparer) unclassified(object, what string) {
	c.block("unclassified", object, what, "nobody can tell what the running version makes of it", lookAt)
}

const lookAt = "look at it yourself, and accept it by its id if it is harmless"

// rest reports a difference that is left when everything that rules have judged
// has been taken out.
func (c *comparer) rest(kind, object string, old, new any) {
	if reflect.DeepEqual(old, new) {
		return
	}
	a, b := reflect.ValueOf(old), reflect.ValueOf(new)
	var fields []string
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			fields = append(fields, a.Type().Field(i).Name)
		}
	}
	c.unclassified(object, fmt.Sprintf("%s %s has changed: %s", kind, object, strings.Join(fields, ", ")))
}

// whole is rest for the schema itself: every part of it has its rules.
func (c *comparer) whole() {
	bare := func(s catalog.Schema) catalog.Schema {
		s.Format, s.Server, s.Identity, s.Database, s.Grants, s.Settings, s.Others, s.Local = 0, 0, catalog.Identity{}, catalog.Database{}, nil, nil, nil, nil
		s.Namespaces, s.Tables, s.Views, s.Sequences = nil, nil, nil, nil
		s.Enums, s.Domains, s.Composites, s.Ranges, s.Functions = nil, nil, nil, nil, nil
		s.Extensions, s.Publications, s.EventTriggers = nil, nil, nil
		return s
	}
	c.rest("the", "database", bare(*c.old), bare(*c.new))
}

func (c *comparer) server() {
	if from, to := c.old.Server/10000, c.new.Server/10000; from != to {
		c.warn("server_changed", "database", fmt.Sprintf("PostgreSQL %d has become PostgreSQL %d", from, to),
			"newer servers write some definitions in another way, and reject a few statements")
	}
}

// large reports whether a lock on the table would be long.
func (c *comparer) large(name string, t catalog.Table) bool {
	size := Size{int64(t.Rows), t.Bytes}
	if c.Sizes != nil {
		size = c.Sizes[name]
	}
	return size.Rows >= c.LargeRows || size.Bytes >= c.LargeBytes
}

// order sorts the worst first, and what is equally bad by object.
func order(findings []switcher.SchemaFinding) {
	rank := map[switcher.SchemaVerdict]int{switcher.SchemaBlock: 0, switcher.SchemaLock: 1, switcher.SchemaData: 2, switcher.SchemaWarn: 3, switcher.SchemaPass: 4}
	slices.SortStableFunc(findings, func(a, b switcher.SchemaFinding) int {
		return cmp.Or(cmp.Compare(rank[a.Verdict], rank[b.Verdict]), cmp.Compare(a.Object, b.Object),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.What, b.What))
	})
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
