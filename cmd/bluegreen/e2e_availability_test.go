package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestASwitchAndARollbackEndByProvingThatProductionAnswered(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	e.must("deploy", "b")
	for _, command := range []string{"switch", "rollback"} {
		lines := strings.Split(strings.TrimSpace(e.must(command, "--json").stdout), "\n")
		var told string
		var last switcher.Event
		for _, line := range lines {
			last = switcher.Event{}
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatalf("%s: %v in %q", command, err, line)
			}
			if last.Step == "proof" {
				told = last.Text
			}
		}
		found := last.Result.Availability
		if found == nil || found.Lost > 0 || !strings.Contains(told, "probes during the "+command) {
			t.Errorf("%s: availability %+v, told %q", command, found, told)
		}
		t.Logf("%s took %v: %s", command, last.Took, told)
	}
	var said struct{ History []switcher.Record }
	if err := json.Unmarshal([]byte(e.must("history", "--json").stdout), &said); err != nil {
		t.Fatal(err)
	}
	for _, r := range said.History {
		if moved := r.Kind == switcher.KindSwitch || r.Kind == switcher.KindRollback; moved != (r.Availability != nil) {
			t.Errorf("%s: availability %+v", r.Kind, r.Availability)
		}
	}
}
