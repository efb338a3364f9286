package compat

import (
	"fmt"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// watching are extensions that show what the server does. No release needs one
// to work, and a database restored by a role that may not create them lacks them.
var watching = []string{"pg_stat_statements", "pg_stat_kcache", "pg_qualstats", "pg_wait_sampling", "pg_buffercache", "pg_freespacemap", "pg_visibility", "pgstattuple", "pageinspect", "amcheck"}

// Watches reports whether an extension only shows what the server does.
func Watches(extension string) bool { return slices.Contains(watching, extension) }

func (c *comparer) extensions() {
	none := func(catalog.Extension) uint32 { return 0 }
	for _, p := range match(c, c.old.Extensions, c.new.Extensions, none) {
		name := p.from
		switch {
		case p.old == nil:
			c.pass("extension_added", p.to, fmt.Sprintf("extension %s is new", p.to))
			continue
		case p.new == nil && Watches(name):
			c.warn("extension_dropped", name, fmt.Sprintf("extension %s is dropped", name), "whoever watches the server with it sees nothing any more")
			continue
		case p.new == nil:
			c.block("extension_dropped", name, fmt.Sprintf("extension %s is dropped", name), "its functions, types and operators are gone (42883, 42704)", "drop it as a contract step")
			continue
		case p.old.Namespace != p.new.Namespace && c.words[p.old.Namespace] != p.new.Namespace:
			c.block("extension_moved", name, fmt.Sprintf("extension %s is in schema %s instead of %s", name, p.new.Namespace, p.old.Namespace), "statements that find its functions and types by the old schema fail (42883, 42704)", "move it as a contract step")
		}
		if p.old.Version != p.new.Version {
			c.data("extension_updated", name, fmt.Sprintf("extension %s is of version %s instead of %s", name, p.new.Version, p.old.Version), "its functions may be others", "read its release notes")
		}
		a, b := *p.old, *p.new
		a.Version, a.Namespace = b.Version, b.Namespace
		c.rest("extension", name, a, b)
	}
}

func (c *comparer) publications() {
	for _, p := range match(c, c.old.Publications, c.new.Publications, func(catalog.Publication) uint32 { return 0 }) {
		switch {
		case p.new == nil:
			c.data("publication_dropped", p.from, fmt.Sprintf("publication %s is dropped", p.from), "its subscribers get nothing more", "drop it when nobody subscribes to it")
			continue
		case p.old == nil:
			c.pass("publication_added", p.to, fmt.Sprintf("publication %s is new", p.to))
			if narrow(p.new.Definition) {
				c.block("publication_narrow", p.to, fmt.Sprintf("publication %s publishes single columns or rows", p.to),
					"UPDATE and DELETE fail where its columns do not hold the replica identity (42P10)", "include the replica identity of every table, and accept the finding")
			}
			continue
		case p.old.Definition != p.new.Definition:
			c.data("publication_changed", p.from, fmt.Sprintf("publication %s publishes something else", p.from), "its subscribers get something else", "")
			if narrow(p.new.Definition) && !narrow(p.old.Definition) {
				c.block("publication_narrow", p.to, fmt.Sprintf("publication %s publishes single columns or rows", p.to),
					"UPDATE and DELETE fail where its columns do not hold the replica identity (42P10)", "include the replica identity of every table, and accept the finding")
			}
		case p.old.Owner != p.new.Owner:
			c.warn("owner_changed", p.from, fmt.Sprintf("publication %s belongs to %s instead of %s", p.from, p.new.Owner, p.old.Owner), "")
		}
		a, b := *p.old, *p.new
		a.Owner, a.Definition = b.Owner, b.Definition
		c.rest("publication", p.from, a, b)
	}
	for _, name := range sorted(c.old.Tables) {
		now := c.nameNow(name)
		if t, ok := c.new.Tables[now]; ok && c.unidentified(c.new, now, t) && !c.unidentified(c.old, name, c.old.Tables[name]) {
			c.block("replica_identity_missing", name, fmt.Sprintf("table %s is published, and its rows have no replica identity", name), "UPDATE and DELETE of the running version fail (55000)",
				fmt.Sprintf("give it a primary key, or ALTER TABLE %s REPLICA IDENTITY FULL, before it is published", name))
		}
	}
}

// narrow reports whether a publication has a list of columns or a row filter.
func narrow(definition string) bool {
	return strings.Contains(definition, " where ") || strings.Contains(definition, " {")
}

// unidentified reports whether rows of a published table cannot be told apart by
// a subscriber, so that they may not be updated or deleted.
func (c *comparer) unidentified(s *catalog.Schema, name string, t catalog.Table) bool {
	namespace, _ := split(name)
	published := false
	for _, p := range s.Publications {
		writes := strings.Contains(p.Definition, `"pubupdate": true`) || strings.Contains(p.Definition, `"pubdelete": true`)
		all := strings.Contains(p.Definition, `"puballtables": true`)
		words := strings.Fields(p.Definition)
		for i := 1; i < len(words); i++ {
			all = all || words[i-1] == "table" && words[i] == name || words[i-1] == "schema" && words[i] == namespace
		}
		published = published || all && writes
	}
	if !published || t.Kind != "r" || t.Persistence == "u" {
		return false
	}
	switch {
	case t.ReplicaIdentity == "f":
		return false
	case strings.HasPrefix(t.ReplicaIdentity, "i"):
		index, ok := t.Indexes[strings.TrimSpace(strings.TrimPrefix(t.ReplicaIdentity, "i"))]
		return !ok || !index.Valid
	case t.ReplicaIdentity == "n":
		return true
	}
	for _, k := range t.Constraints {
		if k.Kind == "p" {
			return k.Deferrable
		}
	}
	return true
}

func (c *comparer) eventTriggers() {
	for _, p := range match(c, c.old.EventTriggers, c.new.EventTriggers, func(catalog.EventTrigger) uint32 { return 0 }) {
		switch {
		case p.new == nil:
			c.warn("event_trigger_dropped", p.from, fmt.Sprintf("event trigger %s is dropped", p.from), "it no longer runs on statements that change the schema")
		case p.old == nil && strings.HasPrefix(p.new.Definition, "login"):
			c.block("event_trigger_added", p.to, fmt.Sprintf("event trigger %s runs on every connection", p.to), "connections of the running version may be refused", lookAt)
		case p.old == nil || *p.old != *p.new:
			c.data("event_trigger_added", p.to, fmt.Sprintf("event trigger %s runs on statements that change the schema: %s", p.to, p.new.Definition), "the running version may make tables, temporary ones too", "")
		}
	}
}
