package compat

import (
	"fmt"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

func (c *comparer) functions() {
	for _, p := range match(c, c.old.Functions, c.new.Functions, func(f catalog.Function) uint32 { return f.OID }) {
		switch {
		case p.old == nil:
			c.functionAdded(p.to, *p.new)
		case p.new == nil:
			c.functionDropped(p.from, *p.old)
		default:
			if runsByItself(*p.new) && p.renamed() {
				c.pass("function_renamed", p.from, fmt.Sprintf("function %s of triggers is renamed to %s", p.from, p.to))
			} else if p.renamed() && p.old.Name != p.new.Name && !c.movedWithSchema(p.old.Name, p.new.Name) {
				c.block("function_renamed", p.from, fmt.Sprintf("function %s is renamed to %s", p.from, p.to), "calls of it fail (42883)", "make a function of the old name that calls the new one")
			}
			c.function(p.from, *p.old, *p.new)
		}
	}
}

// inputs are the arguments that a call gives.
func inputs(f catalog.Function) []catalog.Argument {
	return slices.DeleteFunc(slices.Clone(f.Arguments), func(a catalog.Argument) bool { return a.Mode == "o" || a.Mode == "t" })
}

// reach is how many arguments a call may give.
func reach(f catalog.Function) (least, most int) {
	for _, a := range inputs(f) {
		most++
		if a.Default == "" && a.Mode != "v" {
			least++
		}
		if a.Mode == "v" {
			most = 100
		}
	}
	return least, most
}

// functionAdded judges a new function beside old ones of its name.
func (c *comparer) functionAdded(name string, f catalog.Function) {
	what := fmt.Sprintf("function %s is new", name)
	for _, other := range sorted(c.old.Functions) {
		old := c.old.Functions[other]
		if _, there := c.new.Functions[c.nameNow(other)]; !there || !c.sameCall(old.Name, f.Name) {
			continue
		}
		least, most := reach(old)
		from, to := reach(f)
		if from > most || to < least {
			continue
		}
		if textBefore(old, f) {
			c.data("overload_added", name, what+fmt.Sprintf(", beside %s", other), "a call that casts to no type may reach it instead", "give the new function another name")
			return
		}
		c.block("overload_added", name, what+fmt.Sprintf(", beside %s, and calls of that may mean either", other),
			"a call of the running version is ambiguous and fails (42725), or reaches the new one", "give the new function another name, or at least one argument more without a default")
		return
	}
	if namespace, _ := split(f.Name); f.Shadows && slices.Contains(c.searchPath(c.new), namespace) {
		c.data("function_shadows", name, what+", and named like one of the server's", "calls of that by the running version reach it where its arguments are a closer match", "give it another name")
		return
	}
	c.pass("function_added", name, what)
}

// sameCall reports whether a call may mean functions of both names: they are one,
// or differ in schemas that are both on the search path.
func (c *comparer) sameCall(old, new string) bool {
	if old == new {
		return true
	}
	a, bare := split(old)
	b, other := split(new)
	path := c.searchPath(c.new)
	return bare == other && slices.Contains(path, a) && slices.Contains(path, b)
}

// textBefore reports whether untyped arguments still reach the old function: it
// takes text wherever the new one takes something else, and as many.
func textBefore(old, new catalog.Function) bool {
	a, b := inputs(old), inputs(new)
	if len(a) != len(b) || slices.ContainsFunc(slices.Concat(a, b), func(g catalog.Argument) bool { return g.Default != "" }) {
		return false
	}
	for i := range a {
		isText := a[i].Type == "text" || a[i].Mode == "v" && a[i].Type == "text[]"
		if a[i].Mode != b[i].Mode || a[i].Type != b[i].Type && !isText {
			return false
		}
	}
	return true
}

func (c *comparer) functionDropped(name string, f catalog.Function) {
	if runsByItself(f) {
		c.pass("function_dropped", name, fmt.Sprintf("function %s of triggers is dropped", name)) // they tell
		return
	}
	for _, to := range sorted(c.new.Functions) {
		now := c.new.Functions[to]
		if _, old := c.old.Functions[to]; old || now.Name != f.Name || !serves(f, now) {
			continue
		}
		if slices.EqualFunc(inputs(f), inputs(now)[:len(inputs(f))], func(a, b catalog.Argument) bool {
			return a.Type == b.Type || compareTypes(parseType(a.Type), parseType(b.Type)) == wider
		}) {
			c.warn("function_extended", name, fmt.Sprintf("function %s is now %s", name, to), "calls of the running version reach it, with defaults for what they do not give")
		} else {
			c.data("function_widened", name, fmt.Sprintf("function %s is now %s", name, to), "calls of the running version reach it, but for those that depend on the exact type", "make the new one beside it under another name")
		}
		if lost := c.lost(f.Grants, now.Grants); len(lost) > 0 {
			c.revoked("function", to, lost)
		}
		c.behaviour(name, f, now)
		return
	}
	c.block("function_dropped", name, fmt.Sprintf("function %s is dropped, or takes other arguments", name), "calls of it fail (42883)",
		"make the new one beside it under another name, and drop the old one as a contract step")
}

// runsByItself reports whether no statement can call the function.
func runsByItself(f catalog.Function) bool {
	return f.Result == "trigger" || f.Result == "event_trigger"
}

// serves reports whether every call of one function is one of another.
func serves(old, new catalog.Function) bool {
	a, b := inputs(old), inputs(new)
	if old.Kind != new.Kind || old.Result != new.Result || len(b) < len(a) {
		return false
	}
	for i := range b {
		switch {
		case i >= len(a) && b[i].Default == "" && b[i].Mode != "v":
			return false
		case i < len(a) && (!takes(a[i].Type, b[i].Type) || a[i].Mode != b[i].Mode || a[i].Default != "" && b[i].Default == ""):
			return false
		case i < len(a) && a[i].Name != "" && a[i].Name != b[i].Name:
			return false
		}
	}
	return true
}

// takes reports whether a call that gives one type reaches an argument of another.
func takes(old, new string) bool {
	kind := compareTypes(parseType(old), parseType(new))
	integer := old == "smallint" || old == "integer" || old == "bigint"
	return old == new || kind == wider || kind == larger || old == "text" && new == "character varying" || integer && new == "numeric"
}

// function judges one that is there before and after with the same types of
// arguments.
func (c *comparer) function(name string, old, new catalog.Function) {
	contract := func(what, why string) {
		c.block("function_changed", name, fmt.Sprintf("function %s %s", name, what), why, "make the new one beside it under another name, and drop the old one as a contract step")
	}
	if old.Kind != new.Kind {
		contract("is of another kind", "SELECT and CALL are not the same (42809)")
	}
	switch kind := compareTypes(parseType(old.Result), parseType(new.Result)); {
	case c.equal(old.Result, new.Result):
	case kind == wider || kind == larger:
		c.typeChanged(name, old.Result, new.Result)
		c.reshaped("function", name)
	default:
		contract(fmt.Sprintf("returns %s instead of %s", new.Result, old.Result), "what the running version makes of the result no longer fits")
	}
	c.arguments(name, old.Arguments, new.Arguments)
	c.behaviour(name, old, new)
	c.owner("function", name, old.Owner, new.Owner, new.SecurityDefiner)
	c.grants("function", name, old.Grants, new.Grants)
	a, b := old, new
	for _, f := range []*catalog.Function{&a, &b} {
		f.OID, f.Kind, f.Name, f.Owner, f.Arguments, f.Result, f.Language, f.Body, f.Stars, f.Volatility, f.Strict = 0, "", "", "", nil, "", "", "", nil, "", false
		f.SecurityDefiner, f.Leakproof, f.Parallel, f.Settings, f.Aggregate, f.Shadows, f.Grants = false, false, "", nil, "", false, nil
	}
	c.rest("function", name, a, b)
}

func (c *comparer) arguments(name string, old, new []catalog.Argument) {
	if len(old) != len(new) {
		c.block("function_changed", name, fmt.Sprintf("function %s takes or returns other arguments", name), "calls of it fail (42883), or find no such column in its result", "make the new one beside it under another name")
		return
	}
	for i := range old {
		a, b := old[i], new[i]
		what := fmt.Sprintf("argument %d of function %s", i+1, name)
		switch {
		case a.Mode != b.Mode || !c.equal(a.Type, b.Type):
			c.block("function_changed", name, what+" is another one", "calls of it fail (42883), or find no such column in its result", "make the new one beside it under another name")
		case a.Name != b.Name && (a.Mode == "o" || a.Mode == "t"):
			c.block("function_changed", name, fmt.Sprintf("column %s of what function %s returns is named %s", a.Name, name, b.Name), "statements that name it fail (42703)", "make the new one beside it under another name")
		case a.Name != b.Name && a.Name != "":
			c.data("argument_renamed", name, what+fmt.Sprintf(" is named %s instead of %s", b.Name, a.Name), "calls that name it fail (42883)", "keep the names of arguments")
		}
		switch {
		case c.equal(a.Default, b.Default):
		case b.Default == "":
			c.block("default_dropped", name, what+" has no default any more", "calls that do not give it fail (42883)", "keep the default, or make the new function beside it under another name")
		case a.Default == "":
			c.extended(name, what)
		default:
			c.data("default_changed", name, what+" has another default", "calls that do not give it mean something else", "make the new one beside it under another name, if the running version relies on the old one")
		}
	}
}

// extended judges a default that was added, so that shorter calls may now be
// ambiguous.
func (c *comparer) extended(name, what string) {
	f := c.new.Functions[c.nameNow(name)]
	least, most := reach(f)
	for _, other := range sorted(c.old.Functions) {
		old := c.old.Functions[other]
		from, to := reach(old)
		if other != name && old.Name == f.Name && from <= most && to >= least {
			c.block("overload_added", name, what+" has a default now, so that calls of "+other+" may mean either", "a call of the running version is ambiguous and fails (42725)", "keep it without a default")
			return
		}
	}
	c.pass("default_added", name, what+" has a default now")
}

// behaviour judges what a function does, which its signature does not tell.
func (c *comparer) behaviour(name string, old, new catalog.Function) {
	differs := func(what, why string) {
		c.data("function_behaviour", name, fmt.Sprintf("function %s %s", name, what), why, "make the new one beside it under another name, if the running version relies on the old one")
	}
	if old.Body != new.Body || old.Language != new.Language || !c.equal(old.Aggregate, new.Aggregate) {
		differs("does something else", "its calls, and triggers, checks, defaults, indexes and policies that use it, may fail or give other results")
	}
	if old.Volatility != new.Volatility {
		differs(fmt.Sprintf("is %s instead of %s", volatility(new.Volatility), volatility(old.Volatility)), "a function that is not volatile may not write (0A000), and may be called less often; indexes need an immutable one")
	}
	if old.Strict != new.Strict {
		differs("treats NULL in another way", "with STRICT any NULL gives NULL, without it the body has to cope")
	}
	switch {
	case old.SecurityDefiner && !new.SecurityDefiner:
		c.block("function_invoker", name, fmt.Sprintf("function %s runs as its caller instead of as its owner", name), fmt.Sprintf("%s may lack the privileges for what it does (42501)", c.who()),
			"grant them first, and accept the finding")
	case !old.SecurityDefiner && new.SecurityDefiner:
		differs("runs as its owner instead of as its caller", "row security and current_user are those of the owner")
	}
	if !slices.Equal(old.Settings, new.Settings) {
		differs(fmt.Sprintf("runs with %s", orDefault(strings.Join(new.Settings, ", "))), "names in it may mean other objects")
	}
	if old.Parallel != new.Parallel {
		differs("is marked otherwise for parallel plans", "one that writes may not run in a parallel plan (25000)")
	}
	if old.Leakproof != new.Leakproof {
		c.pass("function_leakproof", name, fmt.Sprintf("function %s is marked otherwise for what it may leak", name))
	}
}

func volatility(code string) string {
	switch code {
	case "i":
		return "IMMUTABLE"
	case "s":
		return "STABLE"
	}
	return "VOLATILE"
}
