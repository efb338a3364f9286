package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// position is where a key stands, and its value as it is written there, before any
// variable is expanded.
type position struct {
	line, column int
	raw          string
}

// positions are the keys of a file by dotted path; the whole document is "".
type positions map[string]position

// given tells whether the key is written in the file.
func (p positions) given(key string) bool {
	_, ok := p[key]
	return ok
}

// nearest is the position of the key, or of the closest key around it that is written.
func (p positions) nearest(key string) position {
	for {
		if at, ok := p[key]; ok {
			return at
		}
		if key == "" {
			return position{line: 1}
		}
		key = parent(key)
	}
}

// parent is the path of the map or list that holds the key.
func parent(key string) string {
	return key[:max(0, strings.LastIndexAny(key, ".["))]
}

// report collects the problems of one file.
type report struct {
	at       positions
	problems []Problem
	blamed   map[string]bool // the keys that have a problem
}

func newReport(at positions) *report {
	return &report{at: at, blamed: map[string]bool{}}
}

// node adds a problem of the key, found at the node.
func (r *report) node(n *yaml.Node, key, format string, args ...any) {
	r.blamed[key] = true
	r.problems = append(r.problems, Problem{Line: max(1, n.Line), Column: n.Column, Key: key, Text: fmt.Sprintf(format, args...)})
}

// key adds a problem of the key, unless the key or one around it has one already:
// what could not be read is not judged a second time.
func (r *report) key(key, format string, args ...any) {
	for k := key; k != ""; k = parent(k) {
		if r.blamed[k] {
			return
		}
	}
	r.blamed[key] = true
	at := r.at.nearest(key)
	r.problems = append(r.problems, Problem{Line: at.line, Column: at.column, Key: key, Text: fmt.Sprintf(format, args...)})
}

// shown is the value of the key for an error text: as it is written in the file, so
// that a variable is shown by its name. The fallback is for what is not written there.
func (r *report) shown(key string, fallback any) string {
	if at, ok := r.at[key]; ok {
		return quote(at.raw)
	}
	return quote(fmt.Sprint(fallback))
}

// number is shown, without the quotes where a plain number is written.
func (r *report) number(key string, fallback any) string {
	shown := r.shown(key, fallback)
	if plain := strings.Trim(shown, `"`); bareNumber.MatchString(plain) {
		return plain
	}
	return shown
}

// quote is s in quotes and bounded, fit for one line of an error text.
func quote(s string) string {
	const limit = 80
	if runes := []rune(s); len(runes) > limit {
		s = string(runes[:limit]) + "…"
	}
	return strconv.Quote(s)
}
