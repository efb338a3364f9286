package postgres

import (
	"testing"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

func TestExtensionsThatOnlyWatchTheServerMayComeAndGo(t *testing.T) {
	schema := func(extensions ...string) *catalog.Schema {
		s := &catalog.Schema{Extensions: map[string]catalog.Extension{}}
		for _, name := range extensions {
			s.Extensions[name] = catalog.Extension{Version: "1"}
		}
		return s
	}
	for _, c := range []struct {
		recorded, now *catalog.Schema
		byHand, stops bool
	}{
		{schema("pg_stat_statements"), schema(), false, false}, // after a restore
		{schema(), schema("pg_stat_statements"), false, false}, // made again
		{schema("pg_stat_statements", "postgis"), &catalog.Schema{}, true, true},
		{schema(), schema("pg_stat_statements", "postgis"), true, false},
	} {
		if text := byHand(c.recorded, c.now); (text != "") != c.byHand {
			t.Errorf("%v to %v by hand: %q", c.recorded.Extensions, c.now.Extensions, text)
		}
		stops := false
		for _, f := range compat.Compare(c.recorded, c.now, compat.Options{}) {
			stops = stops || f.Verdict == switcher.SchemaBlock
		}
		if stops != c.stops {
			t.Errorf("%v to %v stops a release: %v", c.recorded.Extensions, c.now.Extensions, stops)
		}
	}
}
