package compat

import (
	"fmt"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) namespaces() {
	for _, p := range match(c, c.old.Namespaces, c.new.Namespaces, func(n catalog.Namespace) uint32 { return n.OID }) {
		switch {
		case p.old == nil:
			c.pass("schema_added", p.to, fmt.Sprintf("schema %s is new", p.to))
			continue
		case p.new == nil:
			c.block("schema_dropped", p.from, fmt.Sprintf("schema %s is dropped", p.from), "every statement that uses what was in it fails (3F000, 42P01)", "deploy a version that does not use it first, then drop it as a contract step")
			continue
		case p.renamed():
			c.moved[p.from] = p.to
			c.words[p.from] = p.to
			c.block("schema_renamed", p.from, fmt.Sprintf("schema %s is renamed to %s", p.from, p.to), "every statement that uses what is in it fails (3F000, 42P01)",
				"make a schema of the new name with views onto this one, and move the objects as a contract step")
		}
		c.owner("schema", p.from, p.old.Owner, p.new.Owner, false)
		c.grants("schema", p.from, p.old.Grants, p.new.Grants)
		a, b := *p.old, *p.new
		a.OID, a.Owner, a.Grants = b.OID, b.Owner, b.Grants
		c.rest("schema", p.from, a, b)
	}
}

// movedWithSchema reports whether an object has another name only because its
// schema has, which is told once.
func (c *comparer) movedWithSchema(from, to string) bool {
	a, bare := split(from)
	b, now := split(to)
	return bare == now && a != b && c.words[a] == b
}

// searchPath is where bare names are looked for.
func (c *comparer) searchPath(s *catalog.Schema) []string {
	path, ok := s.Settings[c.Role+"/search_path"]
	if !ok || c.Role == "" {
		path = s.Settings["/search_path"]
	}
	if path == "" {
		path = `"$user", public`
	}
	var schemas []string
	for _, name := range strings.Split(path, ",") {
		name = strings.TrimSpace(name)
		if name == `"$user"` || name == "$user" {
			name = c.Role
		}
		if plain := strings.Trim(name, `"`); plain != name && plain == strings.ToLower(plain) && !strings.ContainsAny(plain, " -.") {
			name = plain
		}
		if n, there := s.Namespaces[name]; there && c.may(n.Grants, "USAGE") {
			schemas = append(schemas, name)
		}
	}
	return schemas
}

// inhabitants are the names in a schema by what they can be taken for.
func inhabitants(s *catalog.Schema) map[string]map[string]bool {
	all := map[string]map[string]bool{"relation": {}, "type": {}, "function": {}}
	put(all["relation"], s.Tables)
	put(all["relation"], s.Views)
	put(all["relation"], s.Sequences)
	put(all["type"], s.Enums)
	put(all["type"], s.Domains)
	put(all["type"], s.Composites)
	put(all["type"], s.Ranges)
	put(all["function"], s.Functions)
	return all
}

func put[T any](into map[string]bool, objects map[string]T) {
	for name := range objects {
		into[name] = true
	}
}

// names judges what bare names mean: another schema may come first on the path.
func (c *comparer) names() {
	before, after := c.searchPath(c.old), c.searchPath(c.new)
	old, new := inhabitants(c.old), inhabitants(c.new)
	var hidden, shadowed []string
	for _, class := range []string{"relation", "type", "function"} {
		for _, name := range sorted(old[class]) {
			namespace, bare := qualified(name)
			if lookUp(before, old[class], bare) != name || !new[class][name] {
				continue
			}
			switch now := lookUp(after, new[class], bare); {
			case now == name:
			case now != "":
				shadowed = append(shadowed, name)
				c.block("name_shadowed", name, fmt.Sprintf("%s by its bare name is now %s", name, now), "statements of the running version that do not name the schema use the other one", "give the new object another name, or qualify the name first")
			case c.usable(namespace):
				hidden = append(hidden, name)
			}
		}
	}
	for _, name := range sorted(c.old.Extensions) {
		e, there := c.new.Extensions[name]
		if namespace := e.Namespace; there && slices.Contains(before, namespace) && !slices.Contains(after, namespace) && c.old.Extensions[name].Namespace == namespace {
			hidden = append(hidden, "extension "+name)
		}
	}
	from, to := strings.Join(before, ", "), strings.Join(after, ", ")
	switch {
	case len(hidden) > 0:
		c.block("search_path_changed", "search_path", fmt.Sprintf("bare names are looked for in %s instead of %s, and %s not found any more", orDefault(to), orDefault(from), list(hidden)),
			"statements of the running version that do not name the schema fail (42P01)", "keep the old schemas on the path, and add new ones at its end")
	case from != to && len(shadowed) == 0:
		c.pass("search_path_changed", "search_path", fmt.Sprintf("bare names are looked for in %s instead of %s, and mean what they did", to, from))
	}
}

// usable reports whether the app may still use the schema; if not, that is told
// by itself.
func (c *comparer) usable(namespace string) bool {
	n, there := c.new.Namespaces[namespace]
	return there && c.may(n.Grants, "USAGE")
}

// qualified parts the name of an object, a function's too.
func qualified(name string) (namespace, bare string) {
	head, arguments, function := strings.Cut(name, "(")
	namespace, bare = split(head)
	if function {
		bare += "(" + arguments
	}
	return namespace, bare
}

func lookUp(path []string, names map[string]bool, bare string) string {
	for _, namespace := range path {
		if names[namespace+"."+bare] {
			return namespace + "." + bare
		}
	}
	return ""
}
