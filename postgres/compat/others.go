package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// others judges what has no type of its own in a catalog.
func (c *comparer) others() {
	if a, b := c.old.Database, c.new.Database; a != b {
		c.database()
	}
	keys := map[string]bool{}
	put(keys, c.old.Others)
	put(keys, c.new.Others)
	for _, key := range sorted(keys) {
		old, was := c.old.Others[key]
		new, is := c.new.Others[key]
		if was != is || old != new {
			c.other(key, old, new, was, is)
		}
	}
	keys = map[string]bool{}
	put(keys, c.old.Local)
	put(keys, c.new.Local)
	for _, key := range sorted(keys) {
		old, was := c.old.Local[key]
		new, is := c.new.Local[key]
		if was != is || old != new {
			c.local(key, old, new, was, is)
		}
	}
}

func (c *comparer) other(key, old, new string, was, is bool) {
	what := fmt.Sprintf("%s has changed: %q instead of %q", key, new, old)
	switch {
	case !was:
		what = fmt.Sprintf("%s is new", key)
	case !is:
		what = fmt.Sprintf("%s is dropped", key)
	}
	begins := func(kinds ...string) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(key, kind+" ") })
	}
	switch {
	case begins("comment", "security label", "statistics object", "planning of function"):
		c.pass("other_changed", key, what)
	case begins("storage of"):
		c.pass("storage_changed", key, what)
	case begins("default privileges"):
		c.warn("default_privileges", key, what, "objects made later have other privileges")
	case begins("grants on"):
		c.foreignGrants(key, old, new, what)
	case begins("row type") && is:
		c.unclassified(key, what)
	case begins("cast") && was && is && old[1:] == new[1:] && strings.HasPrefix(new, "a ") && strings.HasPrefix(old, "e "):
		c.warn("cast_changed", key, what, "INSERT and UPDATE use it without being asked, where they were refused before")
	case begins("text search") && was && is && !ownerOnly(old, new):
		c.data("text_search_changed", key, what, "searches of the running version find other rows", "make another one beside it, and rebuild what is stored with it")
	case was && ownerOnly(old, new):
		c.warn("owner_changed", key, what, "statements that change the schema have to be run by the new owner")
	case was:
		c.unclassified(key, what)
	case begins("cast", "operator") && c.ofNewType(key):
		c.pass("other_added", key, what)
	case begins("cast") && strings.HasPrefix(new, "i ") && c.toEnum(key):
		c.warn("cast_added", key, what+", and applied without being asked for", "comparisons that were refused work now")
	case begins("cast") && strings.HasPrefix(new, "i "):
		c.block("cast_added", key, what+", and applied without being asked for", "expressions of the running version become ambiguous (42725), or mean something else", "make it AS ASSIGNMENT, or call it by name")
	case begins("operator") && !begins("operator class", "operator family"), begins("cast"):
		c.data("operator_added", key, what, "expressions of the running version with untyped literals may mean it (42725)", "give it another name")
	case begins("operator class"), begins("operator family"), begins("collation"), begins("conversion"), begins("transform"), begins("language"), begins("access method"),
		begins("text search"), begins("foreign-data wrapper"), begins("server"), begins("user mapping"), begins("type"):
		c.pass("other_added", key, what)
	default:
		c.unclassified(key, what)
	}
}

var typeName = regexp.MustCompile(`[^ (,]+\.[^ ),]+`)

// toEnum reports whether a cast is of strings to an enum: no operator or function
// is a better match for a string by it.
func (c *comparer) toEnum(key string) bool {
	from, to, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(key, "cast ("), ")"), " AS ")
	_, is := c.new.Enums[to]
	return is && (from == "text" || from == "character varying")
}

// ofNewType reports whether a cast or an operator is for a type that the running
// version does not know.
func (c *comparer) ofNewType(key string) bool {
	_, arguments, _ := strings.Cut(key, "(")
	old := inhabitants(c.old)
	return slices.ContainsFunc(typeName.FindAllString(arguments, -1), func(name string) bool {
		return !strings.HasPrefix(name, "pg_catalog.") && !old["type"][name] && !old["relation"][name]
	})
}

var ownerName = regexp.MustCompile(`\bowner (?:"(?:[^"]|"")+"|\S+)`)

// ownerOnly reports whether definitions differ in nothing but the owner.
func ownerOnly(old, new string) bool {
	const name = "owner "
	a, b := ownerName.FindString(old), ownerName.FindString(new)
	return a != "" && b != "" && strings.Replace(old, a, name, 1) == strings.Replace(new, b, name, 1) && !strings.Contains(old, "grants ")
}

// foreignGrants judges grants on what came with the server or an extension. They
// are kept as text: what is gone from it is what counts.
func (c *comparer) foreignGrants(key, old, new, what string) {
	for _, role := range append([]string{public, c.Role}, c.Roles...) {
		if c.Role == "" || strings.Contains(old, `"role": "`+role+`"`) && !strings.Contains(new, `"role": "`+role+`"`) || old == "" && role == public {
			if strings.Contains(new, `"role": "`+public+`"`) && strings.Count(new, `"role"`) >= strings.Count(old, `"role"`) {
				break
			}
			if !c.Superuser {
				c.block("privilege_revoked", key, what, "statements of the running version may fail with permission denied (42501)", "grant it to the app's role, and accept the finding")
				return
			}
		}
	}
	c.pass("grants_changed", key, what)
}

func (c *comparer) database() {
	a, b := c.old.Database, c.new.Database
	if a.Owner != b.Owner {
		c.warn("owner_changed", "database", fmt.Sprintf("the database belongs to %s instead of %s", b.Owner, a.Owner), "statements that change the schema may need the new owner")
	}
	if a.Connections != b.Connections {
		c.data("connection_limit", "database", fmt.Sprintf("the database takes %d connections instead of %d (-1: any number)", b.Connections, a.Connections), "connections beyond the limit are refused (53300)", "ALTER DATABASE … CONNECTION LIMIT as before")
	}
	a.Owner, a.Connections = b.Owner, b.Connections
	if a != b {
		c.unclassified("database", fmt.Sprintf("the database has another encoding or locale: %s %s %s", b.Encoding, b.Collate, b.Ctype))
	}
}

// local judges what only this server knows: roles and subscriptions.
func (c *comparer) local(key, old, new string, was, is bool) {
	what := fmt.Sprintf("%s has changed: %q instead of %q", key, new, old)
	switch name, isRole := strings.CutPrefix(key, "role "); {
	case isRole && !(was && is):
		c.pass("role_changed", key, fmt.Sprintf("%s has, or no longer has, a part in the database", key)) // its grants tell
	case isRole && !c.mine(name):
		c.pass("role_changed", key, what)
	case isRole:
		c.role(key, old, new, what)
	case strings.HasPrefix(key, "disabled constraints "):
		c.data("constraint_disabled", key, what, "rows that break a foreign key appear, or are refused again", "")
	case strings.HasPrefix(key, "subscription "):
		c.warn("subscription_changed", key, what, "rows come from elsewhere, or no longer do")
	default:
		c.unclassified(key, what)
	}
}

// role judges another definition of a role whose statements count.
func (c *comparer) role(key, old, new, what string) {
	attributes := func(definition string) (flags, members []string, settings string) {
		definition, settings, _ = strings.Cut(definition, "set ")
		head, tail, _ := strings.Cut(definition, "member of ")
		for _, member := range strings.Split(tail, ", member of ") {
			if member = strings.TrimSpace(member); member != "" {
				members = append(members, member)
			}
		}
		return strings.Fields(head), members, settings
	}
	flags, members, settings := attributes(old)
	flagsNow, membersNow, settingsNow := attributes(new)
	gone := func(before, after []string) []string {
		return slices.DeleteFunc(slices.Clone(before), func(s string) bool { return slices.Contains(after, s) })
	}
	lost := append(gone(flags, flagsNow), gone(members, membersNow)...)
	lost = slices.DeleteFunc(lost, func(s string) bool { return s == "createrole" || s == "createdb" || s == "noinherit" })
	switch {
	case len(lost) > 0 || slices.Contains(gone(flagsNow, flags), "noinherit"):
		c.block("role_changed", key, what, "statements of the running version fail with permission denied (42501), or its connections are refused (28000)", "change the role as a contract step")
	case settings != settingsNow:
		c.roleSettings(key, settings, settingsNow, what)
	case slices.Contains(gone(flagsNow, flags), "connections"), slices.Contains(gone(flagsNow, flags), "until"):
		c.data("role_changed", key, what, "connections of the running version may be refused (53300, 28P01)", "change the role as a contract step")
	default:
		c.pass("role_changed", key, what)
	}
}

// roleSettings judges settings that a role has in all databases.
func (c *comparer) roleSettings(key, old, new, what string) {
	changed := func(a, b string) []string {
		return slices.DeleteFunc(strings.Split(a, ", "), func(entry string) bool { return entry == "" || slices.Contains(strings.Split(b, ", "), entry) })
	}
	for _, entry := range append(changed(old, new), changed(new, old)...) {
		name, value, _ := strings.Cut(entry, "=")
		if name == "search_path" || !strings.Contains(entry, "=") {
			c.block("search_path_changed", key, what, "statements of the running version that do not name the schema may fail (42P01)", "keep the old schemas on the path, and add new ones at its end")
			return
		}
		c.setting(key, strings.ToLower(name), value, what, strings.Contains(old, name+"="), strings.Contains(new, name+"="), true)
	}
}
