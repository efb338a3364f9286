package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// Unexplained compares two dumps of a schema (pg_dump --schema-only) and returns
// a finding, unclassified, for each object of which a line disappears, and for
// each trigger, rule, policy, constraint, unique index or overload that appears
// on what was there, unless one of the findings tells why. It is a net under
// Compare, for what catalogs do not hold and rules do not know.
func Unexplained(before, after string, findings []switcher.SchemaFinding) []switcher.SchemaFinding {
	n := net{before: parseDump(before), after: parseDump(after), told: findings}
	for _, key := range sorted(n.before) {
		e := n.before[key]
		var now []string
		if there := n.after[key]; there != nil {
			now = slices.Clone(there.lines)
		}
		var gone []string
		for _, line := range e.lines {
			if at := slices.Index(now, line); at >= 0 {
				now = slices.Delete(now, at, at+1)
			} else if !settled.MatchString(line) && !n.explained(*e, line) {
				gone = append(gone, line)
			}
		}
		if len(gone) > 0 {
			n.add(*e, fmt.Sprintf("the dump no longer has %q", shorten(gone[0])), len(gone)-1)
		}
		for _, line := range now {
			if interfering.MatchString(line) && n.after[key] != nil && len(gone) == 0 && !n.explained(*e, line) {
				n.add(*e, fmt.Sprintf("the dump has %q now", shorten(line)), 0)
				break
			}
		}
	}
	for _, key := range sorted(n.after) {
		if e := n.after[key]; n.before[key] == nil && n.interferes(*e) && !n.explained(*e, "") {
			n.add(*e, fmt.Sprintf("the dump has %q now", shorten(strings.Join(e.lines, " "))), 0)
		}
	}
	order(n.found)
	return n.found
}

type net struct {
	before, after map[string]*entry
	told, found   []switcher.SchemaFinding
}

func (n *net) add(e entry, what string, more int) {
	own, _ := e.objects()
	if more > 0 {
		what += fmt.Sprintf(" and %d lines more", more)
	}
	n.found = append(n.found, switcher.SchemaFinding{
		Code: "unclassified", Object: own, Verdict: switcher.SchemaBlock,
		What: fmt.Sprintf("%s %s: %s", strings.ToLower(e.kind), own, what),
		Why:  "no rule tells what the running version makes of it", Remedy: lookAt,
	})
}

func shorten(line string) string {
	if len(line) > 120 {
		return line[:120] + "…"
	}
	return line
}

// settled are lines about how things are stored, which no statement notices.
var settled = regexp.MustCompile(`ALTER COLUMN \S+ SET (STATISTICS|STORAGE|COMPRESSION|\(n_distinct)| CLUSTER ON |^WITH \(|^\)$|^CREATE STATISTICS `)

// interfering are new lines on what was there that statements may notice.
var interfering = regexp.MustCompile(`^CONSTRAINT |(DISABLE|ENABLE ALWAYS|ENABLE REPLICA) (TRIGGER|RULE)| NOT NULL$|REPLICA IDENTITY|GENERATED ALWAYS|FORCE ROW LEVEL|^REVOKE |^    SET `)

// interferes reports whether something new concerns what was there before.
func (n *net) interferes(e entry) bool {
	own, parent := e.objects()
	switch e.kind {
	case "TRIGGER", "RULE", "POLICY", "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "ROW SECURITY":
		if parent == "" {
			parent = own
		}
		return n.was(parent)
	case "INDEX":
		return n.was(parent) && strings.HasPrefix(strings.Join(e.lines, " "), "CREATE UNIQUE")
	case "FUNCTION", "PROCEDURE", "AGGREGATE":
		name, _, _ := strings.Cut(e.name, "(")
		for _, old := range n.before {
			if was, _, _ := strings.Cut(old.name, "("); (old.kind == "FUNCTION" || old.kind == "PROCEDURE" || old.kind == "AGGREGATE") && old.namespace == e.namespace && was == name {
				return true
			}
		}
	case "CAST":
		return strings.Contains(strings.Join(e.lines, " "), "AS IMPLICIT")
	case "EVENT TRIGGER":
		return true
	}
	return false
}

// was reports whether a table or view of that name was there.
func (n *net) was(name string) bool {
	for _, e := range n.before {
		if own, _ := e.objects(); own == name && (strings.HasSuffix(e.kind, "TABLE") || strings.HasSuffix(e.kind, "VIEW")) {
			return true
		}
	}
	return false
}

// explained reports whether a finding tells why the line is gone; without a
// line, why the entry is new.
func (n *net) explained(e entry, line string) bool {
	own, parent := e.objects()
	return slices.ContainsFunc(n.told, func(f switcher.SchemaFinding) bool {
		return explains(f, e, own, parent, line)
	})
}

// whole are endings of the codes of findings that take all parts of an object along.
var whole = regexp.MustCompile(`_(dropped|renamed|recreated|moved|behind_view|became_view|became_table|materialized)$`)

func explains(f switcher.SchemaFinding, e entry, own, parent, line string) bool {
	object := f.Object
	_, kindless, other := strings.Cut(object, " ")
	switch {
	case f.Code == "row_shape" || f.Code == "table_rewritten":
		return false
	case strings.HasPrefix(line, "CONSTRAINT ") && strings.HasPrefix(object, own+".") && mentions(f.What, strings.Fields(line)[1]):
		return true // it has another name
	case f.Code == "column_renamed" && strings.HasPrefix(object, own+".") && inside(line) && strings.HasSuffix(f.What, " is renamed to "+identifier.FindString(line)):
		return true // the same line with another name: NOT NULL is not new in it
	case object == own && e.kind == "TABLE" && inside(line):
		return whole.MatchString(f.Code)
	case object == own:
		return f.Code != "grants_changed" && f.Code != "privilege_revoked" && f.Code != "owner_changed" && !strings.HasPrefix(f.Code, "row_security") ||
			e.kind == "ACL" || strings.Contains(line, "OWNER TO") && f.Code == "owner_changed" || strings.HasPrefix(f.Code, "row_security") && e.kind == "ROW SECURITY"
	case whole.MatchString(f.Code) && (object == parent || object == quoted(e.namespace) || parent == "" && strings.HasPrefix(own, object+".")):
		return true
	case whole.MatchString(f.Code) && line != "" && mentionsObject(line, object):
		return true
	case strings.HasSuffix(object, " "+own):
		return true // planning of, storage of
	case f.Code == "sequence_owner" && (e.kind == "TABLE" || e.kind == "DEFAULT"):
		return strings.Contains(f.What, `"`+own+`"`) || strings.Contains(f.What, `"`+own+"."+identifier.FindString(line)+`"`)
	case f.Code == "constraint_renamed" && strings.HasPrefix(line, "CONSTRAINT "):
		return strings.HasPrefix(object, own+".") && mentions(f.What, strings.Fields(line)[1])
	case line == "" && parent != "" && strings.HasPrefix(object, parent+".") && mentions(f.What, strings.TrimPrefix(own, parent+".")):
		return true // it has taken the place of another
	case strings.Contains(line, alterColumn(object)):
		return true // of an identity column
	case function(e.kind) || e.kind == "ACL" && strings.Contains(own, "("):
		return sameFunction(strings.TrimPrefix(object, "planning of function "), own)
	case e.kind == "DEFAULT ACL":
		return f.Code == "default_privileges"
	case other && !strings.Contains(object, " of "):
		// cast (a AS b), operator public.+(…), statistics object public.s: kinds of their own
		return strings.HasPrefix(object, strings.ToLower(e.kind)) || kindless == own
	case e.kind == "TABLE" || e.kind == "VIEW" || e.kind == "SEQUENCE" || e.kind == "FOREIGN TABLE" || e.kind == "TYPE" || e.kind == "DOMAIN":
		return explainsPart(object, own, line)
	}
	return strings.HasSuffix(e.kind, "TABLE ATTACH") && strings.HasPrefix(f.Code, "partition") || e.kind == "INDEX ATTACH" || e.kind == "SEQUENCE OWNED BY" && strings.HasPrefix(f.Code, "sequence")
}

// alterColumn is how a dump changes a column that a finding may be on.
func alterColumn(object string) string {
	table, column := owner(object)
	return "ALTER TABLE " + table + " ALTER COLUMN " + column + " "
}

// inside reports whether a line of a table is of a column or a constraint.
func inside(line string) bool {
	return line != "" && !slices.ContainsFunc([]string{"ALTER ", "CREATE ", "PARTITION BY", "INHERITS", ")"}, func(begin string) bool { return strings.HasPrefix(line, begin) })
}

func function(kind string) bool {
	return kind == "FUNCTION" || kind == "PROCEDURE" || kind == "AGGREGATE"
}

func sameFunction(object, own string) bool {
	a, _, ok := strings.Cut(object, "(")
	b, _, _ := strings.Cut(own, "(")
	return ok && a == b
}

// explainsPart reports whether a finding is on the column or constraint that a
// line of a table is about.
func explainsPart(object, own, line string) bool {
	part, ok := strings.CutPrefix(object, own+".")
	if !ok || line == "" {
		return false
	}
	words := identifier.FindAllString(line, -1)
	return slices.ContainsFunc(words, func(word string) bool { return word == part })
}

// mentionsObject reports whether a line names the object, or a column by its
// bare name.
func mentionsObject(line, object string) bool {
	_, bare := qualified(object)
	if at := strings.LastIndex(bare, "."); at >= 0 {
		bare = bare[at+1:]
	}
	return mentions(line, bare)
}
