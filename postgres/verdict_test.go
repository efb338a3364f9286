package postgres

import (
	"slices"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestWhatStopsIsToldAlsoWhereAnotherFindingHasItsID(t *testing.T) {
	finding := func(verdict switcher.SchemaVerdict, what string) switcher.SchemaFinding {
		return switcher.SchemaFinding{Code: "unclassified", Object: "public.users", Verdict: verdict, What: what}
	}
	found := once([]switcher.SchemaFinding{
		finding(switcher.SchemaWarn, "differs"), finding(switcher.SchemaLock, "is locked"), finding(switcher.SchemaBlock, "lacks a line"),
		finding(switcher.SchemaBlock, "lacks a field"), finding(switcher.SchemaBlock, "lacks a line"),
	})
	var told []string
	for _, f := range found {
		told = append(told, f.What)
	}
	if want := []string{"lacks a line", "lacks a field", "is locked"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
