package catalog

import (
	"regexp"
	"slices"
	"strings"
)

var (
	comments = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`)
	// A * for columns follows a comma, a dot, or a word that begins a list of them.
	star = regexp.MustCompile(`(?i)(?:[.,]|\b(?:select|all|distinct|returning))\s*\*`)
	// A name after a word that a table follows, and the rows of a trigger.
	source  = regexp.MustCompile(`(?i)\b(?:from|join|into)\s+(?:only\s+|strict\s+)?((?:"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*))*)`)
	dot     = regexp.MustCompile(`\s*\.\s*`)
	ofTable = regexp.MustCompile(`(?i)\b(new|old)\b`)
)

// stars are the tables whose whole rows a function may take, by the names in its
// source: those after FROM, JOIN and INTO, and NEW and OLD, in lower case. There
// are none without a * for columns.
func stars(body string) []string {
	body = comments.ReplaceAllString(body, " ")
	if !star.MatchString(body) {
		return nil
	}
	var names []string
	for _, found := range slices.Concat(source.FindAllStringSubmatch(body, -1), ofTable.FindAllStringSubmatch(body, -1)) {
		names = append(names, strings.ToLower(dot.ReplaceAllString(found[1], ".")))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
