package switcher

import (
	"cmp"
	"slices"
	"strings"
)

// shortestSecret is how long a value must be to be masked: shorter ones are in
// many words.
const shortestSecret = 5

// Mask hides the values of an instance's environment in what it wrote, which
// leaves the server in alerts.
type Mask struct{ values []string } // the longest first

// NewMask returns the mask for variables as NAME=value. What says where an
// instance runs is no secret: BLUEGREEN_*, PATH and the like.
func NewMask(environment []string) Mask {
	var m Mask
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if isPlain(name) {
			continue
		}
		for line := range strings.SplitSeq(value, "\n") { // what is masked are lines
			if line = strings.TrimSpace(line); len(line) >= shortestSecret {
				m.values = append(m.values, line)
			}
		}
	}
	slices.SortFunc(m.values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	m.values = slices.Compact(m.values)
	return m
}

func isPlain(name string) bool {
	switch name {
	case "PATH", "HOME", "LANG", "TZ", "PORT", "HOSTNAME", "TERM", "USER", "PWD":
		return true
	}
	return strings.HasPrefix(name, "BLUEGREEN_")
}

// Line returns a line with "…" in place of every value.
func (m Mask) Line(text string) string {
	for _, value := range m.values {
		text = strings.ReplaceAll(text, value, "…")
	}
	return text
}
