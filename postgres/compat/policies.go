package compat

import (
	"cmp"
	"fmt"
	"slices"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// filtered reports whether the policies of a table concern the app's statements.
func (c *comparer) filtered(t catalog.Table) bool {
	owner := c.Role != "" && (t.Owner == c.Role || slices.Contains(c.Roles, t.Owner))
	return t.RowSecurity && !c.Superuser && !c.BypassRLS && (!owner || t.ForceRowSecurity)
}

func (c *comparer) rowSecurity(name string, old, new catalog.Table) {
	before, after := c.filtered(old), c.filtered(new)
	switch {
	case !before && after && c.open(new):
		c.warn("row_security_enabled", name, fmt.Sprintf("row security filters %s for %s, and a policy lets every row through", name, c.who()), "without that policy no row is seen")
	case !before && after:
		c.block("row_security_enabled", name, fmt.Sprintf("row security now filters %s for %s", name, c.who()),
			"the running version sees no row, and its writes are refused (42501), but for what a policy allows",
			fmt.Sprintf("CREATE POLICY … ON %s TO %s USING (true) in the same migration, and narrow it as a contract step", name, c.who()))
	case before && !after:
		c.block("row_security_disabled", name, fmt.Sprintf("row security no longer filters %s for %s", name, c.who()),
			"the running version relies on it to see and change only its own rows", "disable it as a contract step")
	case !(old.RowSecurity && old.ForceRowSecurity) && new.RowSecurity && new.ForceRowSecurity && c.orphaned(name, new.Owner) != "" && !c.open(new):
		c.block("row_security_forced", name, fmt.Sprintf("row security filters %s also for its owner, as whom %s runs", name, c.orphaned(name, new.Owner)),
			"the running version sees fewer rows in it, or none", "have it run as a role with a policy of its own first")
	case old.RowSecurity != new.RowSecurity, old.ForceRowSecurity != new.ForceRowSecurity:
		c.warn("row_security_changed", name, fmt.Sprintf("row security of %s is set in another way", name), fmt.Sprintf("it does not concern %s", c.who()))
	}
	c.policies(name, old, new, before && after)
}

// open reports whether the policies of a table let the app do everything.
func (c *comparer) open(t catalog.Table) bool {
	all := false
	for _, p := range t.Policies {
		if !p.Permissive && c.concerns(p) {
			return false
		}
		all = all || c.concerns(p) && p.Command == "*" && p.Using == "true" && (p.Check == "" || p.Check == "true")
	}
	return all
}

func (c *comparer) policies(table string, old, new catalog.Table, matter bool) {
	for _, p := range match(c, old.Policies, new.Policies, func(p catalog.Policy) uint32 { return p.OID }) {
		switch {
		case p.old == nil:
			what := fmt.Sprintf("policy %s is new on %s", p.to, table)
			c.policy("policy_added", table+"."+p.to, what, matter && c.concerns(*p.new), p.new.Permissive)
		case p.new == nil:
			what := fmt.Sprintf("policy %s of %s is dropped", p.from, table)
			c.policy("policy_dropped", table+"."+p.from, what, matter && c.concerns(*p.old), !p.old.Permissive || c.covered(*p.old, new.Policies))
		default:
			c.policyChanged(table, p, matter)
		}
	}
}

func (c *comparer) policy(code, object, what string, matter, widens bool) {
	switch {
	case !matter:
		c.pass(code, object, what)
	case widens:
		c.data(code, object, what, "the running version sees and changes rows that it did not before", "")
	default:
		c.block(code, object, what, "the running version no longer sees rows, or its writes are refused (42501)", "narrow it as a contract step")
	}
}

// covered reports whether what a policy let through another one does.
func (c *comparer) covered(p catalog.Policy, by map[string]catalog.Policy) bool {
	check := func(p catalog.Policy) string { return cmp.Or(p.Check, p.Using) }
	for _, other := range by {
		reads := p.Command == "a" || c.equal(p.Using, other.Using)
		writes := p.Command == "r" || p.Command == "d" || c.equal(check(p), check(other))
		if other.Permissive && (other.Command == "*" || other.Command == p.Command) && reads && writes && (slices.Contains(other.Roles, public) || subset(p.Roles, other.Roles)) {
			return true
		}
	}
	return false
}

func (c *comparer) policyChanged(table string, p pair[catalog.Policy], matter bool) {
	object := table + "." + p.from
	a, b := *p.old, *p.new
	if p.renamed() {
		c.pass("policy_renamed", object, fmt.Sprintf("policy %s of %s is now named %s", p.from, table, p.to))
	}
	same := a.Command == b.Command && a.Permissive == b.Permissive && slices.Equal(a.Roles, b.Roles) && c.equal(a.Using, b.Using) && c.equal(a.Check, b.Check)
	what := fmt.Sprintf("policy %s of %s is another one", p.from, table)
	switch {
	case same:
	case !matter || !c.concerns(a) && !c.concerns(b):
		c.pass("policy_changed", object, what)
	default:
		c.block("policy_changed", object, what, "the running version may see other rows, or its writes are refused (42501)", "add a policy beside it, and drop the old one as a contract step")
	}
	for _, q := range []*catalog.Policy{&a, &b} {
		q.OID, q.Command, q.Permissive, q.Roles, q.Using, q.Check = 0, "", false, nil, "", ""
	}
	c.rest("policy", object, a, b)
}

func (c *comparer) concerns(p catalog.Policy) bool { return slices.ContainsFunc(p.Roles, c.mine) }
