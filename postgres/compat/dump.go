package compat

import (
	"regexp"
	"strings"
)

// entry is what a dump says of one object.
type entry struct {
	kind      string // TABLE, INDEX, FK CONSTRAINT, ACL …
	namespace string
	name      string // as the dump has it: of a constraint with its table in front
	lines     []string
}

// header is the comment that pg_dump writes before each object.
var header = regexp.MustCompile(`^-- Name: (.*); Type: ([A-Z ]+); Schema: (.*?); Owner: ?(.*)$`)

// noise is what differs from dump to dump, or is of no object.
var noise = regexp.MustCompile(`^(--|\\restrict|\\unrestrict|\\connect|SET |SELECT pg_catalog\.set_config|$)`)

// parseDump parts a dump of a schema into its objects, by kind and name. The
// order does not matter, nor do comments.
func parseDump(text string) map[string]*entry {
	entries := map[string]*entry{}
	current := &entry{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if found := header.FindStringSubmatch(line); found != nil {
			namespace := found[3]
			if namespace == "-" {
				namespace = ""
			}
			current = &entry{kind: found[2], namespace: namespace, name: found[1]}
			if key := current.key(); entries[key] == nil {
				entries[key] = current
			} else {
				current = entries[key]
			}
			continue
		}
		if line = strings.TrimRight(strings.TrimSpace(line), ",;"); !noise.MatchString(line) {
			current.lines = append(current.lines, line)
		}
	}
	for key, e := range entries {
		if e.kind == "COMMENT" || e.kind == "SECURITY LABEL" {
			delete(entries, key)
		}
	}
	return entries
}

func (e entry) key() string { return e.kind + " " + e.namespace + " " + e.name }

// qualified puts the schema in front of a name.
func (e entry) qualified(name string) string {
	if e.namespace == "" {
		return name
	}
	return quoted(e.namespace) + "." + quoted(name)
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_$]*$`)

// quoted is a name of a header, which has it plain, as SQL writes it.
func quoted(name string) string {
	if plainName.MatchString(name) || strings.Contains(name, "(") {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

var onTable = regexp.MustCompile(` ON (?:ONLY )?((?:"(?:[^"]|"")+"|[^\s."]+)\.(?:"(?:[^"]|"")+"|[^\s."]+))`)

// objects are the names that findings may have for the entry: the object itself,
// and what it is a part of.
func (e entry) objects() (own, parent string) {
	switch e.kind {
	case "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "DEFAULT", "TRIGGER", "RULE", "POLICY":
		if table, part, ok := strings.Cut(e.name, " "); ok {
			parent = e.qualified(table)
			return parent + "." + quoted(part), parent
		}
	case "INDEX":
		for _, line := range e.lines {
			if found := onTable.FindStringSubmatch(line); found != nil {
				return found[1] + "." + quoted(e.name), found[1]
			}
		}
	case "ACL":
		kind, name, _ := strings.Cut(e.name, " ")
		switch kind {
		case "COLUMN":
			table, column, _ := strings.Cut(name, ".")
			parent = e.qualified(table)
			return parent + "." + quoted(column), parent
		case "SCHEMA":
			return quoted(name), ""
		}
		return e.qualified(name), ""
	case "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA":
		publication, _, _ := strings.Cut(e.name, " ")
		return quoted(publication), ""
	case "DEFAULT ACL":
		return "default privileges", ""
	}
	return e.qualified(e.name), ""
}
