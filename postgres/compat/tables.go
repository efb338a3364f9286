package compat

import (
	"fmt"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

func (c *comparer) tables() {
	pairs := match(c, c.old.Tables, c.new.Tables, func(t catalog.Table) uint32 { return t.OID })
	for _, p := range pairs {
		if p.new == nil {
			c.gone[p.from] = true
		}
	}
	for _, p := range pairs {
		switch {
		case p.old == nil:
			c.tableAdded(p.to, *p.new)
		case p.new == nil:
			c.tableDropped(p.from, *p.old)
		case p.recreated:
			c.block("table_recreated", p.from, fmt.Sprintf("table %s is dropped and made anew", p.from),
				"its rows are gone, and what referred to the old one with them", "change the table in place, or make the new one under another name")
			c.table(p, *p.old, *p.new)
		default:
			if p.renamed() {
				c.tableRenamed(p)
			}
			c.table(p, *p.old, *p.new)
		}
	}
}

func (c *comparer) tableAdded(name string, t catalog.Table) {
	c.pass("table_added", name, fmt.Sprintf("table %s is new", name))
	if _, old := c.old.Tables[t.PartitionOf]; old {
		c.partitionAdded(name, t, c.new.Tables[t.PartitionOf])
	}
	if t.PartitionOf == "" {
		for _, parent := range t.Inherits {
			if _, old := c.old.Tables[parent]; old {
				c.data("child_added", name, fmt.Sprintf("table %s inherits from %s", name, parent),
					fmt.Sprintf("the running version sees and changes its rows as rows of %s", parent),
					"make it a table of its own until no running version reads the parent")
			}
		}
	}
	for _, key := range sorted(t.Constraints) {
		k := t.Constraints[key]
		if _, old := c.old.Tables[k.References]; k.Kind == "f" && old && t.PartitionOf == "" {
			c.referenced(name+"."+key, k, name)
		}
	}
}

// partitionAdded judges a new partition of a table that the running version
// knows. Rows for it went into the default partition before, if there is one, and
// nowhere else.
func (c *comparer) partitionAdded(name string, t, parent catalog.Table) {
	rest := ""
	for _, other := range sorted(c.old.Tables) {
		if o := c.old.Tables[other]; o.PartitionOf == t.PartitionOf && o.PartitionBound == "DEFAULT" {
			rest = other
		}
	}
	if rest == "" {
		return
	}
	c.data("partition_carved", name, fmt.Sprintf("partition %s takes rows that %s took", name, rest),
		fmt.Sprintf("statements that name %s itself no longer find them, or are refused (23514)", rest), "")
	own := ""
	for _, key := range sorted(t.Constraints) {
		if k := t.Constraints[key]; k.Kind == "c" && parent.Constraints[key].Definition != k.Definition || k.Kind == "x" {
			own = k.Definition
		}
	}
	for _, key := range sorted(t.Indexes) {
		if i := t.Indexes[key]; i.Unique && i.PartOf == "" {
			own = i.Definition
		}
	}
	for _, key := range sorted(t.Triggers) {
		if trigger := t.Triggers[key]; fires(trigger.Enabled) && parent.Triggers[key].Function != trigger.Function {
			own = trigger.Definition
		}
	}
	for _, column := range t.Columns {
		if all, _ := byName(parent.Columns, column.Name); column.NotNull && !all.NotNull {
			own = column.Name + " NOT NULL"
		}
	}
	if own != "" {
		c.block("partition_stricter", name, fmt.Sprintf("partition %s is under more than its table: %s", name, own),
			"rows that the running version writes may be refused or changed in it", "have the table demand it when every running version keeps it")
	}
}

// referenced judges a foreign key from something new to a table that the
// running version knows.
func (c *comparer) referenced(object string, k catalog.Constraint, from string) {
	what := fmt.Sprintf("rows of %s can refer to rows of %s", from, k.References)
	why := fmt.Sprintf("the running version fails to delete or renumber rows of %s once rows refer to them, and to TRUNCATE it at all (23503, 0A000)", k.References)
	if k.OnDelete == "c" || k.OnDelete == "n" {
		why = fmt.Sprintf("what the running version deletes in %s takes the new version's rows along or unlinks them, and it cannot TRUNCATE it (0A000)", k.References)
	}
	c.data("foreign_key_added", object, what, why, "add the foreign key in a later release, or with ON DELETE CASCADE if that is what is meant")
}

func (c *comparer) tableDropped(name string, t catalog.Table) {
	if view, ok := c.new.Views[name]; ok && c.standsIn(name, t, view) && everything(view.Definition) {
		c.warn("table_became_view", name, fmt.Sprintf("table %s is now a view with the same columns", name), "COPY … FROM, TRUNCATE and system columns do not work on views")
		return
	}
	if t.PartitionOf != "" && !c.gone[t.PartitionOf] {
		c.block("partition_dropped", name, fmt.Sprintf("partition %s of %s is dropped", name, t.PartitionOf),
			"its rows are gone, and new rows for it are refused (23514)", "keep it while a running version writes to it; drop it as a contract step after a backup")
		return
	}
	c.block("table_dropped", name, fmt.Sprintf("table %s is dropped", name), "every statement that names it fails (42P01)",
		"deploy a version that does not use it first, then DROP TABLE as a contract step")
}

func (c *comparer) tableRenamed(p pair[catalog.Table]) {
	if c.movedWithSchema(p.from, p.to) {
		return
	}
	if view, ok := c.new.Views[p.from]; ok && c.standsIn(p.from, *p.old, view) {
		if !everything(view.Definition) {
			c.data("table_renamed_behind_view", p.from, fmt.Sprintf("table %s is renamed to %s, and a view has taken its name that does not show it as it is", p.from, p.to),
				"the running version finds other rows or values in it", "leave a view with all rows and columns")
			return
		}
		c.warn("table_renamed_behind_view", p.from, fmt.Sprintf("table %s is renamed to %s, and a view has taken its name", p.from, p.to),
			"COPY … FROM, TRUNCATE and system columns such as xmax do not work on the view")
		return
	}
	c.block("table_renamed", p.from, fmt.Sprintf("table %s is renamed to %s", p.from, p.to), "every statement that names it fails (42P01)",
		fmt.Sprintf("leave a view behind in the same transaction: CREATE VIEW %s AS SELECT * FROM %s; GRANT on it what the table had", p.from, p.to))
}

// standsIn reports whether a view can be used for everything that a table was.
func (c *comparer) standsIn(name string, t catalog.Table, v catalog.View) bool {
	const insertUpdateDelete = 8 | 4 | 16
	if v.Materialized || v.Updatable&insertUpdateDelete != insertUpdateDelete || len(v.Columns) < len(t.Columns) {
		return false
	}
	for i, column := range t.Columns {
		if v.Columns[i].Name != column.Name || v.Columns[i].Type != column.Type {
			return false
		}
	}
	if t.RowSecurity && !slices.Contains(v.Options, "security_invoker=true") && !slices.Contains(v.Options, "security_invoker=on") {
		return false
	}
	for _, privilege := range c.lost(t.Grants, v.Grants) {
		if privilege != "TRUNCATE" && privilege != "REFERENCES" && privilege != "TRIGGER" && privilege != "MAINTAIN" {
			return false
		}
	}
	return true
}

// table judges a table that is there before and after.
func (c *comparer) table(p pair[catalog.Table], old, new catalog.Table) {
	name := p.from
	added := c.columns("table", p, old, new)
	c.constraints(p, old, new, added)
	c.indexes(name, old.Indexes, new.Indexes, target{columns: new.Columns, added: added, constraints: old.Constraints, kept: new.Constraints})
	c.triggers(name, old.Triggers, new.Triggers, old.Columns)
	c.rules(name, old.Rules, new.Rules)
	c.rowSecurity(name, old, new)
	c.inheritance(name, old, new)
	c.storage(name, old, new)
	if old.Owner != new.Owner {
		runs := len(new.Constraints) > 0
		c.owner("table", name, old.Owner, new.Owner, runs)
		if who := c.orphaned(p.to, old.Owner); who != "" && slices.Contains(loses(old.Owner, old.Grants, new.Grants), "SELECT") {
			c.block("owner_changed", name, fmt.Sprintf("%s runs as %s, who no longer owns %s", who, old.Owner, name),
				"it fails with permission denied (42501)", fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s", name, old.Owner))
		}
	} else if who := c.orphaned(p.to, old.Owner); who != "" && len(loses(old.Owner, old.Grants, new.Grants)) > 0 {
		c.block("privilege_revoked", name, fmt.Sprintf("%s runs as %s, who has lost privileges on %s", who, old.Owner, name), "it fails with permission denied (42501)",
			fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(loses(old.Owner, old.Grants, new.Grants), ", "), name, old.Owner))
	}
	c.tableGrants("table", name, old.Grants, new.Grants, old.Columns, new.Columns)

	bare := func(t catalog.Table) catalog.Table {
		t.OID, t.File, t.Rows, t.Bytes, t.Comment, t.Owner, t.Grants = 0, 0, 0, 0, "", "", nil
		t.Columns, t.Constraints, t.Indexes, t.Triggers, t.Rules, t.Policies = nil, nil, nil, nil, nil, nil
		t.RowSecurity, t.ForceRowSecurity, t.ReplicaIdentity, t.Persistence, t.OfType = false, false, "", "", ""
		t.PartitionOf, t.PartitionBound, t.Inherits = "", "", nil
		return t
	}
	was, is := bare(old), bare(new)
	was.PartitionKey = c.translate(was.PartitionKey)
	c.rest("table", name, was, is)
}

// loses are the privileges that a role had and has no more by itself.
func loses(role string, old, new []catalog.Grant) []string {
	var lost []string
	for _, g := range old {
		dml := g.Privilege == "SELECT" || g.Privilege == "INSERT" || g.Privilege == "UPDATE" || g.Privilege == "DELETE"
		if g.Role == role && dml && !slices.ContainsFunc(new, func(n catalog.Grant) bool {
			return n.Privilege == g.Privilege && (n.Role == role || n.Role == public)
		}) {
			lost = append(lost, g.Privilege)
		}
	}
	return lost
}

func (c *comparer) inheritance(name string, old, new catalog.Table) {
	switch {
	case old.PartitionOf != "" && new.PartitionOf == "":
		c.block("partition_detached", name, fmt.Sprintf("partition %s is detached from %s", name, old.PartitionOf),
			"its rows are no longer found in the partitioned table, and new rows for it are refused (23514)", "detach it as a contract step, when no running version needs its rows")
		return
	case old.PartitionOf == "" && new.PartitionOf != "":
		c.block("partition_attached", name, fmt.Sprintf("table %s is now a partition of %s", name, new.PartitionOf),
			"rows outside of its bounds are refused (23514), and its rows are found in the partitioned table too", "make a new table for the partition, or wait until no running version writes to it")
		return
	case !c.equal(old.PartitionOf, new.PartitionOf) || !c.equal(old.PartitionBound, new.PartitionBound):
		c.block("partition_bound_changed", name, fmt.Sprintf("partition %s takes other rows: %s instead of %s", name, new.PartitionBound, old.PartitionBound),
			"new rows that no partition takes are refused (23514)", "add a partition for the new rows and leave this one as it is")
		return
	case old.PartitionOf != "":
		return
	}
	for _, parent := range old.Inherits {
		if to := c.nameNow(parent); !slices.Contains(new.Inherits, to) {
			c.block("inheritance_removed", name, fmt.Sprintf("table %s no longer inherits from %s", name, parent),
				"the running version no longer finds its rows in the parent", "remove the inheritance as a contract step")
		}
	}
	for _, parent := range new.Inherits {
		if !slices.ContainsFunc(old.Inherits, func(o string) bool { return c.nameNow(o) == parent }) {
			c.data("inheritance_added", name, fmt.Sprintf("table %s inherits from %s", name, parent), "the running version finds its rows in the parent too", "")
		}
	}
}

// nameNow is the name that an object has after the change.
func (c *comparer) nameNow(name string) string {
	if to, ok := c.moved[name]; ok {
		return to
	}
	return name
}

func (c *comparer) storage(name string, old, new catalog.Table) {
	if c.same && !c.Standing && old.OID == new.OID && old.File != new.File && old.File != 0 && new.Kind == "r" {
		what := fmt.Sprintf("table %s is written anew", name)
		unchanged := slices.EqualFunc(old.Columns, new.Columns, func(a, b catalog.Column) bool { return a.Type == b.Type && a.Generated == b.Generated })
		if unchanged && old.Persistence == new.Persistence && new.Bytes < old.Bytes {
			c.data("table_emptied", name, what+", and is smaller", "it may have been emptied, which the running version does not expect", "keep the rows until no running version reads them")
		}
		if c.large(name, old) {
			c.add(switcher.SchemaLock, "table_rewritten", name, what, "it is locked even for reads meanwhile, and it is large",
				"add a column without a volatile default, fill it in batches, and move to it in a later release")
		} else {
			c.warn("table_rewritten", name, what, "it is locked even for reads meanwhile")
		}
	}
	if old.Persistence != new.Persistence {
		what := fmt.Sprintf("table %s is now unlogged", name)
		if new.Persistence == "p" {
			what = fmt.Sprintf("table %s is now logged", name)
		}
		c.warn("persistence_changed", name, what, "an unlogged table is empty after a crash, and in no replica")
	}
	if !c.equal(old.OfType, new.OfType) {
		c.warn("table_type_changed", name, fmt.Sprintf("table %s is of type %q instead of %q", name, new.OfType, old.OfType), "statements that change the schema work in other ways")
	}
	if old.ReplicaIdentity != new.ReplicaIdentity {
		c.pass("replica_identity_changed", name, fmt.Sprintf("the replica identity of table %s is another one", name))
	}
}
