package compat

import (
	"regexp"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// pair is an object before and after. Where one side is missing it was added or
// dropped.
type pair[T any] struct {
	from, to  string
	old, new  *T
	recreated bool // dropped, and made anew under its name
}

// match finds what has become of each object: by its id if both schemas are of
// one database, for that survives a rename, else by its name.
func match[T any](c *comparer, old, new map[string]T, oid func(T) uint32) []pair[T] {
	names := map[uint32]string{}
	if c.same {
		for name, object := range new {
			names[oid(object)] = name
		}
	}
	var pairs []pair[T]
	taken := map[string]bool{}
	for _, name := range sorted(old) {
		before := old[name]
		to, kept := names[oid(before)]
		_, there := new[name]
		switch {
		case kept && oid(before) != 0:
		case there && (!c.same || !has(old, oid(new[name]), oid)):
			to = name
		default:
			pairs = append(pairs, pair[T]{from: name, old: &before})
			continue
		}
		after := new[to]
		taken[to] = true
		pairs = append(pairs, pair[T]{from: name, to: to, old: &before, new: &after, recreated: c.same && oid(before) != oid(after)})
	}
	for _, name := range sorted(new) {
		if after := new[name]; !taken[name] {
			pairs = append(pairs, pair[T]{to: name, new: &after})
		}
	}
	return pairs
}

// has reports whether an object with that id was there, under whatever name.
func has[T any](objects map[string]T, id uint32, oid func(T) uint32) bool {
	for _, object := range objects {
		if oid(object) == id {
			return id != 0
		}
	}
	return false
}

func (p pair[T]) renamed() bool { return p.old != nil && p.new != nil && p.from != p.to }

// split parts a qualified name: "a.b" into a and b, with their quotes.
func split(name string) (namespace, bare string) {
	quoted := false
	for i, r := range name {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '(' && !quoted:
			return "", name
		case r == '.' && !quoted:
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

// findRenames notes the objects and columns that have another name, so that
// definitions that mention them can be compared.
func (c *comparer) findRenames() {
	noteRenames(c, c.old.Tables, c.new.Tables, func(t catalog.Table) uint32 { return t.OID })
	noteRenames(c, c.old.Views, c.new.Views, func(v catalog.View) uint32 { return v.OID })
	noteRenames(c, c.old.Sequences, c.new.Sequences, func(s catalog.Sequence) uint32 { return s.OID })
	noteRenames(c, c.old.Enums, c.new.Enums, func(e catalog.Enum) uint32 { return e.OID })
	noteRenames(c, c.old.Domains, c.new.Domains, func(d catalog.Domain) uint32 { return d.OID })
	noteRenames(c, c.old.Composites, c.new.Composites, func(t catalog.Composite) uint32 { return t.OID })
	noteRenames(c, c.old.Ranges, c.new.Ranges, func(r catalog.Range) uint32 { return r.OID })
	for from, old := range c.old.Functions {
		for to, new := range c.new.Functions {
			if c.same && old.OID == new.OID && old.Name != new.Name {
				c.moved[from] = to
				c.note(old.Name, new.Name)
			}
		}
	}
	if !c.same {
		return
	}
	for name, old := range c.old.Tables {
		for _, new := range c.new.Tables {
			if new.OID != old.OID {
				continue
			}
			for _, from := range old.Columns {
				if to, ok := byNumber(new.Columns, from.Number); ok && to.Name != from.Name {
					c.words[from.Name] = to.Name
					c.moved[name+"."+from.Name] = to.Name
				}
			}
		}
	}
}

func noteRenames[T any](c *comparer, old, new map[string]T, oid func(T) uint32) {
	for _, p := range match(c, old, new, oid) {
		if p.renamed() {
			c.moved[p.from] = p.to
			c.note(p.from, p.to)
		}
	}
}

func (c *comparer) note(from, to string) {
	_, before := split(from)
	_, after := split(to)
	if before != after {
		c.words[before] = after
	}
	a, _ := split(from)
	b, _ := split(to)
	if a != b {
		c.moved[from] = to
	}
}

// identifier is a word of SQL, qualified or not.
var identifier = regexp.MustCompile(`'(?:[^']|'')*'|(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)(?:\.(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*))*`)

// translate writes an old definition with the names of now.
func (c *comparer) translate(definition string) string {
	if len(c.words) == 0 && len(c.moved) == 0 {
		return definition
	}
	return identifier.ReplaceAllStringFunc(definition, func(name string) string {
		if strings.HasPrefix(name, "'") {
			return "'" + c.word(strings.Trim(name, "'")) + "'"
		}
		return c.word(name)
	})
}

func (c *comparer) word(name string) string {
	if to, ok := c.moved[name]; ok && strings.Contains(to, ".") {
		return to
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		if to, ok := c.words[part]; ok {
			parts[i] = to
		}
	}
	return strings.Join(parts, ".")
}

// equal reports whether definitions mean the same, but for renamed objects.
func (c *comparer) equal(old, new string) bool {
	return old == new || uncast(c.translate(old)) == uncast(new)
}

// The server writes a varchar that is compared as text with a cast, and a text
// without.
var (
	castLiteral = regexp.MustCompile(`\(('(?:[^']|'')*')::character varying\)::text`)
	castColumn  = regexp.MustCompile(`\(("(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$.]*)\)::text`)
)

func uncast(definition string) string {
	return castColumn.ReplaceAllString(castLiteral.ReplaceAllString(definition, "$1::text"), "$1")
}

func byNumber(columns []catalog.Column, number int16) (catalog.Column, bool) {
	for _, column := range columns {
		if column.Number == number {
			return column, true
		}
	}
	return catalog.Column{}, false
}

func byName(columns []catalog.Column, name string) (catalog.Column, bool) {
	for _, column := range columns {
		if column.Name == name {
			return column, true
		}
	}
	return catalog.Column{}, false
}

func list(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + " and more"
	}
	return strings.Join(names, ", ")
}
