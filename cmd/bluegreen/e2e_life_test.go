package main

import (
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestAReleaseLivesAsTheTableSays(t *testing.T) {
	e := newTestEdge(t, "")
	e.start()
	check := func(phase switcher.Phase, blue, green switcher.SlotState, production, internal string) {
		t.Helper()
		st := e.status()
		if st.Phase != phase || st.Slots["blue"].State != blue || st.Slots["green"].State != green {
			t.Fatalf("status = %s, %s, %s; want %s, %s, %s", st.Phase, st.Slots["blue"].State, st.Slots["green"].State, phase, blue, green)
		}
		if got := e.release("app.localhost"); got != production {
			t.Errorf("production shows %s, want %s", got, production)
		}
		if got := e.release("internal.app.localhost"); got != internal {
			t.Errorf("internal shows %s, want %s", got, internal)
		}
	}
	e.must("deploy", "a")
	check("steady", "active", "empty", "a", "a")
	e.must("deploy", "b")
	check("testing", "active", "testing", "a", "b")
	e.must("switch")
	check("baking", "previous", "active", "b", "b")
	e.must("rollback", "--reason", "a typo in the logo")
	check("steady", "active", "failed", "a", "a")
	e.must("discard")
	check("steady", "active", "empty", "a", "a")
	e.must("deploy", "c")
	e.must("switch", "--expect-active", "blue", "--expect-release", "c")
	e.must("confirm")
	e.must("cleanup")
	check("steady", "empty", "active", "c", "c")
	e.eventually("one instance left", func(admin.Status) bool { return len(instances(e.dir)) == 1 })
}
