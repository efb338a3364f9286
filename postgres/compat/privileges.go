package compat

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

const public = "PUBLIC"

// mine reports whether a grant to the role serves the app.
func (c *comparer) mine(role string) bool {
	return c.Role == "" || role == public || role == c.Role || slices.Contains(c.Roles, role)
}

// may reports whether the app has the privilege.
func (c *comparer) may(grants []catalog.Grant, privilege string) bool {
	return c.Superuser || slices.ContainsFunc(grants, func(g catalog.Grant) bool { return g.Privilege == privilege && c.mine(g.Role) })
}

// lost are the privileges that the app had and has no more.
func (c *comparer) lost(old, new []catalog.Grant) []string {
	var lost []string
	for _, g := range old {
		if c.Superuser || !c.mine(g.Role) || slices.Contains(lost, g.Privilege) {
			continue
		}
		kept := slices.ContainsFunc(new, func(n catalog.Grant) bool {
			return n.Privilege == g.Privilege && (n.Role == g.Role || n.Role == public || c.Role != "" && c.mine(n.Role))
		})
		if !kept {
			lost = append(lost, g.Privilege)
		}
	}
	slices.Sort(lost)
	return lost
}

// grants judges the privileges on an object.
func (c *comparer) grants(kind, object string, old, new []catalog.Grant) {
	c.revoked(kind, object, c.lost(old, new))
	if !sameGrants(old, new) {
		c.pass("grants_changed", object, fmt.Sprintf("the privileges on %s %s are others", kind, object))
	}
}

func (c *comparer) revoked(kind, object string, lost []string) {
	var hard []string
	for _, privilege := range lost {
		if kind == "type" || kind == "domain" {
			c.warn("privilege_revoked", object, fmt.Sprintf("%s on %s %s is revoked from %s", privilege, kind, object, c.who()), "only statements that change the schema need it")
			continue
		}
		switch privilege {
		case "REFERENCES", "TRIGGER", "MAINTAIN":
			c.warn("privilege_revoked", object, fmt.Sprintf("%s on %s %s is revoked from %s", privilege, kind, object, c.who()),
				"only statements that change the schema need it")
		case "CREATE", "TEMPORARY":
			c.data("privilege_revoked", object, fmt.Sprintf("%s on %s %s is revoked from %s", privilege, kind, object, c.who()),
				"the running version fails where it makes tables of its own, temporary ones too",
				fmt.Sprintf("GRANT %s ON %s … TO %s until it is stopped", privilege, strings.ToUpper(kind), c.who()))
		default:
			hard = append(hard, privilege)
		}
	}
	if len(hard) > 0 {
		all := strings.Join(hard, ", ")
		c.block("privilege_revoked", object, fmt.Sprintf("%s on %s %s is no longer given to %s", all, kind, object, c.who()),
			"its statements fail with permission denied (42501)",
			fmt.Sprintf("GRANT %s ON %s %s TO %s, and revoke it once no running version needs it", all, strings.ToUpper(kind), object, c.who()))
	}
}

// who is the app's role, in a sentence.
func (c *comparer) who() string {
	if c.Role == "" {
		return "a role"
	}
	return c.Role
}

func sameGrants(old, new []catalog.Grant) bool {
	key := func(grants []catalog.Grant) map[catalog.Grant]bool {
		set := map[catalog.Grant]bool{}
		for _, g := range grants {
			set[g] = true
		}
		return set
	}
	return reflect.DeepEqual(key(old), key(new))
}

// tableGrants judges the privileges on a table or view: one on all columns is as
// good as one on the table.
func (c *comparer) tableGrants(kind, object string, old, new []catalog.Grant, before, after []catalog.Column) {
	var lost []string
	for _, privilege := range c.lost(old, new) {
		onAll := len(after) > 0
		for _, column := range after {
			if _, was := byName(before, column.Name); was {
				onAll = onAll && c.may(column.Grants, privilege)
			}
		}
		if onAll {
			c.warn("privilege_revoked", object, fmt.Sprintf("%s is left to %s on single columns of %s only", privilege, c.who(), object),
				"columns that are added later are not among them")
			continue
		}
		lost = append(lost, privilege)
	}
	c.revoked(kind, object, lost)
	if !sameGrants(old, new) {
		c.pass("grants_changed", object, fmt.Sprintf("the privileges on %s %s are others", kind, object))
	}
	for _, column := range before {
		now, ok := byName(after, column.Name)
		if !ok {
			continue
		}
		name := object + "." + column.Name
		var gone []string
		for _, privilege := range c.lost(column.Grants, now.Grants) {
			if !c.may(new, privilege) && !slices.Contains(lost, privilege) {
				gone = append(gone, privilege)
			}
		}
		c.revoked("column", name, gone)
		if !sameGrants(column.Grants, now.Grants) {
			c.pass("grants_changed", name, fmt.Sprintf("the privileges on column %s are others", name))
		}
	}
}

// owner judges what else hangs on who owns an object than the privileges, which
// are compared as such: rows are checked, and views and functions run, as their
// owner.
func (c *comparer) owner(kind, object, old, new string, runs bool) {
	if old == new {
		return
	}
	what := fmt.Sprintf("%s %s belongs to %s instead of %s", kind, object, new, old)
	if missing := c.heir(old, new); missing != "" && runs {
		c.block("owner_changed", object, what, fmt.Sprintf("what runs as its owner, such as checks of foreign keys, views and functions, may lack %s", missing),
			fmt.Sprintf("ALTER %s %s OWNER TO %s, or first GRANT %s to %s", strings.ToUpper(kind), object, old, missing, new))
		return
	}
	c.warn("owner_changed", object, what, "statements that change the schema have to be run by the new owner")
}

// heir names a privilege that one role had and the other has not; empty: none.
func (c *comparer) heir(old, new string) string {
	missing := ""
	check := func(kind, object string, before, after []catalog.Grant) {
		for _, g := range before {
			relevant := g.Role == old && g.Privilege != "CREATE" && g.Privilege != "TRIGGER" && g.Privilege != "REFERENCES"
			if relevant && missing == "" && !slices.ContainsFunc(after, func(n catalog.Grant) bool {
				return n.Privilege == g.Privilege && (n.Role == new || n.Role == public)
			}) {
				missing = g.Privilege + " ON " + strings.ToUpper(kind) + " " + object
			}
		}
	}
	for _, name := range sorted(c.old.Namespaces) {
		if after, ok := c.new.Namespaces[name]; ok {
			check("schema", name, c.old.Namespaces[name].Grants, after.Grants)
		}
	}
	for _, name := range sorted(c.old.Tables) {
		if after, ok := c.new.Tables[name]; ok {
			check("table", name, c.old.Tables[name].Grants, after.Grants)
		}
	}
	for _, name := range sorted(c.old.Sequences) {
		if after, ok := c.new.Sequences[name]; ok {
			check("sequence", name, c.old.Sequences[name].Grants, after.Grants)
		}
	}
	return missing
}

// orphaned names a view or a function that still runs as a role that has lost
// its privileges on a table; empty: none.
func (c *comparer) orphaned(table, role string) string {
	_, bare := split(table)
	for _, name := range sorted(c.new.Views) {
		if v := c.new.Views[name]; v.Owner == role && !v.Materialized && mentions(v.Definition, bare) {
			return "view " + name
		}
	}
	for _, name := range sorted(c.new.Functions) {
		if f := c.new.Functions[name]; f.Owner == role && f.SecurityDefiner {
			return "function " + name
		}
	}
	return ""
}

// definers judges what roles other than the app's lose on the database, as which
// functions run for it.
func (c *comparer) definers() {
	keeps := func(grants []catalog.Grant, role string) bool {
		return slices.ContainsFunc(grants, func(g catalog.Grant) bool { return g.Privilege == "TEMPORARY" && (g.Role == role || g.Role == public) })
	}
	for _, name := range sorted(c.new.Functions) {
		if f := c.new.Functions[name]; f.SecurityDefiner && keeps(c.old.Grants, f.Owner) && !keeps(c.new.Grants, f.Owner) {
			c.data("privilege_revoked", name, fmt.Sprintf("function %s runs as %s, who may no longer make temporary tables", name, f.Owner),
				"it fails where it makes one, or refreshes a materialized view CONCURRENTLY (42501)", fmt.Sprintf("GRANT TEMPORARY ON DATABASE … TO %s", f.Owner))
		}
	}
}

// mentions reports whether a definition has the bare name among its words.
func mentions(definition, bare string) bool {
	for _, name := range identifier.FindAllString(definition, -1) {
		for _, part := range strings.Split(strings.Trim(name, "'"), ".") {
			if part == bare {
				return true
			}
		}
	}
	return false
}
