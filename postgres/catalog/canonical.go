package catalog

import "strings"

// canonical is an SQL expression in the form in which the server prints it once
// it was dumped and restored. The server prints (ARRAY['a', 'b'])::text[] for
// what it has made of x IN ('a', 'b') for a varchar x, and reads that as
// ARRAY[('a')::text, ('b')::text], which is the same: so a restored copy would
// look different.
func canonical(sql string) string {
	const opening = "(ARRAY["
	for from := 0; ; {
		at := strings.Index(sql[from:], opening)
		if at < 0 {
			return sql
		}
		at += from
		from = at + len(opening)
		items, end, ok := array(sql, from)
		if !ok {
			continue
		}
		cast, rest, ok := arrayCast(sql[end:])
		if !ok {
			continue
		}
		for i, item := range items {
			items[i] = "(" + strings.TrimSpace(item) + ")::" + cast
		}
		sql = sql[:at] + "ARRAY[" + strings.Join(items, ", ") + "]" + rest
		from = at + 1 // an item may hold another
	}
}

// array splits what follows ARRAY[ at its commas, and returns where the text
// after its closing bracket begins.
func array(sql string, from int) (items []string, end int, ok bool) {
	depth := 0
	for i := from; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"':
			closing := strings.IndexByte(sql[i+1:], sql[i]) // a doubled one opens the next
			if closing < 0 {
				return nil, 0, false
			}
			i += closing + 1
		case '(', '[':
			depth++
		case ')':
			depth--
		case ']':
			if depth == 0 {
				return append(items, sql[from:i]), i + 1, true
			}
			depth--
		case ',':
			if depth == 0 {
				items = append(items, sql[from:i])
				from = i + 1
			}
		}
	}
	return nil, 0, false
}

// arrayCast cuts )::type[] off and returns the type and what follows.
func arrayCast(sql string) (element, rest string, ok bool) {
	sql, ok = strings.CutPrefix(sql, ")::")
	if !ok {
		return "", "", false
	}
	element, rest, ok = strings.Cut(sql, "[]")
	if !ok || strings.ContainsAny(element, "()[],:'") {
		return "", "", false
	}
	return element, rest, true
}
