package compat

import (
	"testing"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

func TestAnExtensionThatOnlyWatchesTheServerIsMissedByNoRelease(t *testing.T) {
	for name, want := range map[string]switcher.SchemaVerdict{"pg_stat_statements": switcher.SchemaWarn, "pg_trgm": switcher.SchemaBlock} {
		had := &catalog.Schema{Extensions: map[string]catalog.Extension{name: {Version: "1.0", Namespace: "public"}}}
		found := Compare(had, &catalog.Schema{}, Options{})
		if len(found) != 1 || found[0].Code != "extension_dropped" || found[0].Verdict != want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
