package compat

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// token is a string, a number, a word, an operator or a bracket of SQL.
var token = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")+"|[0-9]+(?:\.[0-9]+)?|[A-Za-z_][A-Za-z0-9_$.]*|::|[<>=!~]+|\S`)

// loosened reports whether a check lets everything through that another did:
// its list of values has more, or its limits are farther out. What it cannot
// tell it denies.
func loosened(old, new string) bool {
	a, b := token.FindAllString(old, -1), token.FindAllString(new, -1)
	for _, word := range slices.Concat(a, b) {
		// Under these a wider part does not make a wider whole.
		if slices.Contains([]string{"NOT", "CASE", "IS", "<>", "!="}, strings.ToUpper(word)) {
			return longer(old, new) && !strings.Contains(old, "NOT") && !strings.Contains(old, "<>") && !strings.Contains(old, "CASE")
		}
	}
	return longer(old, new) || farther(a, b)
}

var array = regexp.MustCompile(`= ANY \(\(?ARRAY\[([^\[\]]*)\]`)

// longer reports whether checks differ only in a list of values that has more.
func longer(old, new string) bool {
	before, after := array.FindAllStringSubmatch(old, -1), array.FindAllStringSubmatch(new, -1)
	if len(before) == 0 || len(before) != len(after) || array.ReplaceAllString(old, "= ANY") != array.ReplaceAllString(new, "= ANY") {
		return false
	}
	for i := range before {
		values := strings.Split(after[i][1], ", ")
		for _, value := range strings.Split(before[i][1], ", ") {
			if !slices.Contains(values, value) {
				return false
			}
		}
	}
	return true
}

// farther reports whether checks differ only in limits, each of which is
// farther out.
func farther(a, b []string) bool {
	if len(a) != len(b) || slices.Equal(a, b) {
		return false
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		from, err := strconv.ParseFloat(strings.Trim(a[i], "'"), 64)
		to, err2 := strconv.ParseFloat(strings.Trim(b[i], "'"), 64)
		if err != nil || err2 != nil || i == 0 || !limit(a, i) {
			return false
		}
		previous := a[i-1]
		if previous == "(" && i > 1 {
			previous = a[i-2]
		}
		up := strings.HasPrefix(previous, "<") && to >= from
		down := strings.HasPrefix(previous, ">") && to <= from
		if !up && !down {
			return false
		}
	}
	return true
}

// limit reports whether the token stands alone on its side of a comparison.
func limit(tokens []string, at int) bool {
	at++
	for at+1 < len(tokens) && tokens[at] == "::" {
		at += 2
		for at < len(tokens) && (tokens[at] == "precision" || tokens[at] == "varying") {
			at++
		}
	}
	return at >= len(tokens) || tokens[at] == ")" || tokens[at] == "AND" || tokens[at] == "OR"
}
