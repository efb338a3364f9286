package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestAnOperatorSeesTheVerdictGrowAndBothColoursSideBySide(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	users := e.crowd(4)
	e.await("the first release has some traffic", func() bool { return users.said()["a 201"] >= 200 })
	e.deploy("b")
	e.release("internal.app.localhost") // a tester
	said := e.must("switch", "--bake", "4s", "--wait").stdout
	for _, part := range []string{"verdict", "errors, compared: ", "errors: good, 0 of ", "latency, compared: undecided", "has ended, undecided"} {
		if !strings.Contains(said, part) {
			t.Errorf("switch --wait does not say %q:\n%s", part, said)
		}
	}
	history := e.recorded().History
	if last := history[len(history)-1]; last.Kind != switcher.KindConfirm || !strings.Contains(last.Result, "undecided, for want of data") {
		t.Errorf("the history says %+v", last)
	}
	e.await("the second release has some traffic", func() bool { return users.said()["b 201"] >= 200 })
	users.stop()

	var c admin.Comparison
	if err := json.Unmarshal([]byte(e.must("compare", "--json").stdout), &c); err != nil {
		t.Fatal(err)
	}
	blue, green := c.Slots["blue"], c.Slots["green"]
	if c.Active != "green" || blue.Production == nil || blue.Production.Requests < 200 || green.Production == nil || green.Production.Requests < 200 ||
		green.Internal == nil || green.Internal.Requests != 1 || green.Production.P50MS <= 0 || len(c.Differences) != 2 || !c.Differences[0].Enough {
		t.Errorf("compared: %+v\nblue %+v\ngreen %+v, tests %+v", c, blue.Production, green.Production, green.Internal)
	}
	table := e.must("compare", "--since", "1m").stdout
	for _, part := range []string{"green against blue", "previous      active", "a second", "errors      green fails as often: may be chance"} {
		if !strings.Contains(table, part) {
			t.Errorf("compare does not say %q:\n%s", part, table)
		}
	}
	e.fails(2, []string{"--since must be from 1s"}, "compare", "--since", "3h")
}
