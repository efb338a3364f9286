package postgres

import "testing"

func TestOnlyAnExtensionThatAppsMayNeedStopsARestore(t *testing.T) {
	for what, needed := range map[string]bool{
		"extension postgis": true, "extension pg_stat_statements": false, "publication all_tables": false, "event trigger audit": false,
	} {
		if got := neededByApps(what); got != needed {
			t.Errorf("%s: %v", what, got)
		}
	}
}
