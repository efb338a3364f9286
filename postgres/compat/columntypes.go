package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// columnType is a type as format_type writes it.
type columnType struct {
	base  string // without modifier, such as "timestamp with time zone"
	mods  []int
	array string // [] as often as it has dimensions
}

var modifier = regexp.MustCompile(`\(([0-9, -]+)\)`)

func parseType(text string) columnType {
	var t columnType
	for strings.HasSuffix(text, "[]") {
		text, t.array = strings.TrimSuffix(text, "[]"), t.array+"[]"
	}
	if found := modifier.FindStringSubmatch(text); found != nil {
		for _, part := range strings.Split(found[1], ",") {
			n, _ := strconv.Atoi(strings.TrimSpace(part))
			t.mods = append(t.mods, n)
		}
		text = strings.Replace(text, found[0], "", 1)
	}
	t.base = text
	return t
}

// change says what another type means for the values that there may be.
type change int

const (
	unlike   change = iota // operators, casts or values are others
	narrower               // not every value fits
	wider                  // the same kind of value, longer
	larger                 // values may come that a client's type cannot hold
	rounded                // values are kept with another precision
)

func compareTypes(old, new columnType) change {
	if old.array != new.array {
		return unlike
	}
	size := func(t columnType) int { // 0: unbounded
		if len(t.mods) == 0 {
			return 0
		}
		return t.mods[0]
	}
	from, to := size(old), size(new)
	text := []string{"character varying", "text"}
	integers := []string{"smallint", "integer", "bigint"}
	switch {
	case slices.Contains(text, old.base) && slices.Contains(text, new.base), old.base == "bit varying" && new.base == old.base:
		if to == 0 || from != 0 && to >= from {
			return wider
		}
		return narrower
	case slices.Contains(integers, old.base) && slices.Contains(integers, new.base):
		if slices.Index(integers, new.base) > slices.Index(integers, old.base) {
			return larger
		}
		return narrower
	case old.base == "real" && new.base == "double precision":
		return larger
	case old.base == "numeric" && new.base == "numeric":
		return compareNumeric(old.mods, new.mods)
	case old.base == new.base && (strings.HasPrefix(old.base, "time") || strings.HasPrefix(old.base, "interval")):
		return rounded
	}
	return unlike
}

func compareNumeric(old, new []int) change {
	if len(new) == 0 {
		return larger
	}
	if len(old) == 0 {
		return narrower
	}
	scale := func(mods []int) int {
		if len(mods) < 2 {
			return 0
		}
		return mods[1]
	}
	switch {
	case scale(old) != scale(new):
		return narrower
	case new[0] < old[0]:
		return narrower
	}
	return larger
}

// typeChanged judges another type of a column, a field or a result, and reports
// whether there is one.
func (c *comparer) typeChanged(object, old, new string) bool {
	if c.equal(old, new) {
		return false
	}
	what := fmt.Sprintf("%s is of type %s instead of %s", object, new, old)
	switch compareTypes(parseType(old), parseType(new)) {
	case wider:
		c.warn("type_widened", object, what, "the running version may meet longer values than it expects")
	case larger:
		c.data("type_enlarged", object, what, "the running version may fail on values that its own type cannot hold",
			"write no such value before every running version can read it")
	case rounded:
		c.data("type_precision", object, what, "the running version reads values of another precision", "add a column beside it if the precision matters")
	case narrower:
		c.block("type_narrowed", object, what, "values that the running version writes are refused or rounded (22001, 22003)",
			"limit the values in the application first; narrow the type when no running version writes longer ones")
	default:
		if domain, ok := c.old.Domains[old]; ok && domain.Type == new {
			c.data("type_changed", object, what, "values may come that the domain refused", "keep the domain until every running version can read them")
			return true
		}
		c.block("type_changed", object, what, "comparisons, casts and prepared parameters of the old type fail or find other rows (42883, 42804)",
			"add a column of the new type, write both, move the readers, and drop the old one as a contract step")
	}
	return true
}
