package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration file. Its text never
// contains the value of a variable or of an environment entry.
type Problem struct {
	// Line in the file, from 1.
	Line int
	// Column in the line, from 1; 0 when it is not known.
	Column int
	// Key is the dotted path, such as apps.sofia-chat.health.rise; empty for a syntax error.
	Key string
	// Text says what is wrong, why, and what to do.
	Text string
}

// String is the problem without the name of its file: "14: health.rise: must be …".
func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%d: %s", p.Line, p.Text)
	}
	return fmt.Sprintf("%d: %s: %s", p.Line, p.Key, p.Text)
}

// Error is a refused configuration file: everything that is wrong with it.
type Error struct {
	// Name of the file, as the caller gave it.
	Name string
	// Problems in the order of their lines; at least one.
	Problems []Problem
}

// Error lists the problems, one a line, and closes with their number.
func (e *Error) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "%s:%s\n", e.Name, p)
	}
	if len(e.Problems) == 1 {
		fmt.Fprintf(&b, "1 problem in %s", e.Name)
	} else {
		fmt.Fprintf(&b, "%d problems in %s", len(e.Problems), e.Name)
	}
	return b.String()
}

// newError sorts the problems of the file name; it returns nil when there are none.
func newError(name string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key))
	})
	return &Error{Name: name, Problems: problems}
}
