package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) triggers(table string, old, new map[string]catalog.Trigger, columns []catalog.Column) {
	for _, p := range match(c, old, new, func(t catalog.Trigger) uint32 { return t.OID }) {
		object := table + "." + p.from
		switch {
		case p.old == nil:
			c.triggerAdded(table, p.to, *p.new)
			continue
		case p.new == nil:
			c.triggerDropped(table, p.from, *p.old, columns)
			continue
		case p.renamed():
			c.triggerRenamed(object, fmt.Sprintf("trigger %s of %s is now named %s", p.from, table, p.to), p, old)
		}
		a, b := *p.old, *p.new
		switch {
		case fires(a.Enabled) && !fires(b.Enabled):
			c.triggerDropped(table, p.from, a, columns)
		case !fires(a.Enabled) && fires(b.Enabled):
			c.triggerAdded(table, p.from, b)
		case a.Enabled != b.Enabled:
			c.warn("trigger_changed", object, fmt.Sprintf("trigger %s of %s is enabled in another way", p.from, table), "it runs in replicas too, or no longer does")
		}
		if !p.renamed() && !c.equal(a.Definition, b.Definition) || !c.equal(a.Function, b.Function) {
			c.block("trigger_changed", object, fmt.Sprintf("trigger %s of %s is another one: %s", p.from, table, b.Definition),
				"it runs for statements of the running version too, and may refuse or change what they write", lookAt)
		}
		a.OID, a.Enabled, a.Definition, a.Function = b.OID, b.Enabled, b.Definition, b.Function
		c.rest("trigger", object, a, b)
	}
}

// triggerRenamed judges another name of a trigger: those for the same moment run
// in the order of their names.
func (c *comparer) triggerRenamed(object, what string, p pair[catalog.Trigger], others map[string]catalog.Trigger) {
	for _, other := range sorted(others) {
		if other != p.from && (other < p.from) != (other < p.to) && moment(others[other]) == moment(*p.old) {
			c.data("trigger_renamed", object, what+", and runs on the other side of "+other, "what the running version writes goes through them in another order", "keep the order of the names")
			return
		}
	}
	c.warn("trigger_renamed", object, what, "triggers run in the order of their names")
}

// moment is when a trigger runs.
func moment(t catalog.Trigger) string {
	for _, m := range []string{" BEFORE ", " AFTER ", " INSTEAD OF "} {
		if strings.Contains(t.Definition, m) {
			return m
		}
	}
	return ""
}

// fires reports whether a trigger or rule runs in an ordinary session.
func fires(enabled string) bool { return enabled == "O" || enabled == "A" }

func (c *comparer) triggerAdded(table, name string, t catalog.Trigger) {
	object := table + "." + name
	what := fmt.Sprintf("trigger %s runs on %s: %s", name, table, t.Definition)
	if !fires(t.Enabled) {
		c.pass("trigger_added", object, what)
		return
	}
	if columns, ok := updateOf(t.Definition); ok && !slices.ContainsFunc(columns, func(column string) bool { return c.knew(table, column) }) {
		c.pass("trigger_added", object, what)
		return
	}
	c.block("trigger_added", object, what, "it runs for statements of the running version too, and may refuse or change what they write",
		"have the new version do it in its own statements, or accept the finding when the trigger lets every old statement through unchanged")
}

var onUpdateOf = regexp.MustCompile(` (?:BEFORE|AFTER) UPDATE OF (.+?) ON `)

// updateOf are the columns of which only updates set a trigger off.
func updateOf(definition string) (columns []string, ok bool) {
	found := onUpdateOf.FindStringSubmatch(definition)
	if found == nil || strings.Contains(found[1], " OR ") {
		return nil, false
	}
	return strings.Split(found[1], ", "), true
}

// knew reports whether the running version knows a column of a table, or what it
// is generated from.
func (c *comparer) knew(table, column string) bool {
	if _, known := byName(c.old.Tables[table].Columns, column); known {
		return true
	}
	now, _ := byName(c.new.Tables[c.nameNow(table)].Columns, column)
	return now.Generated != ""
}

func (c *comparer) triggerDropped(table, name string, t catalog.Trigger, columns []catalog.Column) {
	object := table + "." + name
	what := fmt.Sprintf("trigger %s no longer runs on %s", name, table)
	if !fires(t.Enabled) {
		c.pass("trigger_dropped", object, what)
		return
	}
	required := slices.ContainsFunc(columns, func(column catalog.Column) bool {
		return column.NotNull && column.Default == "" && column.Identity == ""
	})
	beforeInsert := strings.Contains(t.Definition, " BEFORE ") && strings.Contains(t.Definition, "INSERT") && strings.Contains(t.Definition, "FOR EACH ROW")
	switch {
	case strings.Contains(t.Definition, " INSTEAD OF "):
		c.block("trigger_dropped", object, what, "the running version can no longer write to the view (55000)", "drop it as a contract step")
	case beforeInsert && required:
		c.block("trigger_dropped", object, what, "it may have set a column that is NOT NULL, which the running version leaves out (23502)", "have every running version set the column first; drop the trigger as a contract step")
	default:
		c.data("trigger_dropped", object, what, "what it did for the running version, nobody does now", "drop it as a contract step")
	}
}

func (c *comparer) rules(table string, old, new map[string]catalog.Rule) {
	for _, p := range match(c, old, new, func(r catalog.Rule) uint32 { return r.OID }) {
		object := table + "." + p.from
		switch {
		case p.old == nil && !fires(p.new.Enabled):
			c.pass("rule_added", table+"."+p.to, fmt.Sprintf("rule %s on %s is new, and disabled", p.to, table))
			continue
		case p.old == nil:
			c.block("rule_added", table+"."+p.to, fmt.Sprintf("rule %s rewrites statements on %s: %s", p.to, table, p.new.Definition),
				"statements of the running version do something else, or nothing", "use a trigger, or other statements in the new version")
			continue
		case p.new == nil && !fires(p.old.Enabled):
			c.pass("rule_dropped", object, fmt.Sprintf("rule %s on %s, which was disabled, is dropped", p.from, table))
			continue
		case p.new == nil:
			c.block("rule_dropped", object, fmt.Sprintf("rule %s no longer rewrites statements on %s", p.from, table),
				"statements of the running version do something else, or fail", "drop it as a contract step")
			continue
		case p.renamed():
			c.warn("rule_renamed", object, fmt.Sprintf("rule %s of %s is now named %s", p.from, table, p.to), "rules apply in the order of their names")
		}
		a, b := *p.old, *p.new
		if !p.renamed() && !c.equal(a.Definition, b.Definition) || fires(a.Enabled) != fires(b.Enabled) {
			c.block("rule_changed", object, fmt.Sprintf("rule %s of %s is another one: %s", p.from, table, b.Definition), "statements of the running version do something else, or nothing", lookAt)
		} else if a.Enabled != b.Enabled {
			c.warn("rule_changed", object, fmt.Sprintf("rule %s of %s is enabled in another way", p.from, table), "it applies in replicas too, or no longer does")
		}
		a.OID, a.Enabled, a.Definition = b.OID, b.Enabled, b.Definition
		c.rest("rule", object, a, b)
	}
}
