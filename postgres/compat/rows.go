package compat

import (
	"fmt"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Rows tells which small tables have lost rows that they had, or have other
// values in them. Rows and columns that were added do not count, nor do tables
// that are gone: Compare tells of those.
func Rows(before, after catalog.Rows) []switcher.SchemaFinding {
	var findings []switcher.SchemaFinding
	for _, name := range sorted(before) {
		later, ok := after[name]
		if lost := before[name].Lost(later); ok && lost > 0 {
			findings = append(findings, switcher.SchemaFinding{
				Code: "rows_changed", Object: name, Verdict: switcher.SchemaData,
				What:   fmt.Sprintf("%d of %d rows of table %s are gone or have other values", lost, len(before[name].Values), name),
				Why:    "the running version may rely on them, in its statements and in what it keeps in memory",
				Remedy: "add rows beside the old ones, and change or delete these as a contract step",
			})
		}
	}
	return findings
}
