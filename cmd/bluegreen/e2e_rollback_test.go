package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestAReleaseThatTurnsSickAfterTheSwitchIsRolledBackByItself(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Interval = "100ms"
	e.configure()
	e.start()
	e.deploy("a")
	e.deploy("touchy")
	e.must("switch")
	failed := e.status().Slots["green"].Instance
	if got := e.answeredBy("app.localhost"); got != "touchy" { // which makes it sick
		t.Fatalf("after the switch production shows %q", got)
	}
	e.eventually("rolled back", func(st admin.Status) bool {
		return st.Active == switcher.Blue && st.Operation == nil && st.Slots["green"].State == switcher.Failed
	})
	for _, host := range []string{"app.localhost", "internal.app.localhost"} {
		if got := e.release(host); got != "a" {
			t.Errorf("%s shows %q after the rollback, want a", host, got)
		}
	}
	e.await("the failed instance is stopped", func() bool { return running(e.dir)[failed] == 0 })
	if _, err := syscall.Open(e.file("state/processes/chat/"+failed+".log"), syscall.O_RDONLY, 0); err != nil {
		t.Errorf("its output was not kept: %v", err)
	}
	history := e.recorded().History
	last := history[len(history)-1]
	if last.Kind != switcher.KindRollback || !last.OK || last.Actor != switcher.Self ||
		!strings.Contains(last.Reason, "became unhealthy in the bake") || !strings.Contains(last.Reason, "answered 500") {
		t.Errorf("the history says %+v", last)
	}
	if text := e.must("history").stdout; !strings.Contains(text, "became unhealthy in the bake") {
		t.Errorf("bluegreen history does not say why:\n%s", text)
	}
}

func TestWhenThePreviousReleaseIsDeadTooNothingIsStopped(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Interval = "100ms"
	e.mortal()
	e.start()
	e.deploy("a")
	e.deploy("touchy")
	e.must("switch")
	st := e.status()
	live, previous := st.Slots["green"].Instance, st.Slots["blue"].Instance
	revive := e.slay(previous)
	e.eventually("known to be dead", func(st admin.Status) bool { return st.Slots["blue"].Health.Status == switcher.Unhealthy })
	e.answeredBy("app.localhost") // which makes the live one sick
	e.eventually("alarmed", func(st admin.Status) bool { return strings.Contains(st.Alert, "cannot be rolled back") })
	e.fails(3, []string{"rollback is not possible", "is unhealthy"}, "rollback")
	if got := e.answeredBy("app.localhost"); got != "touchy" {
		t.Errorf("production shows %q, want the sick release rather than the dead one", got)
	}
	if running(e.dir)[live] == 0 {
		t.Error("the live instance was stopped")
	}
	if st := e.status(); st.Active != switcher.Green || st.Slots["blue"].State != switcher.Previous {
		t.Errorf("status = %+v, want nothing changed", st.Slots)
	}
	revive()
	e.eventually("rolled back once the previous one answers again", func(st admin.Status) bool { return st.Active == switcher.Blue })
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q, want a", got)
	}
}

// The previous release dies in the moment in which somebody goes back to it.
func TestARollbackToADeadReleaseEndsOnTheOneThatAnswers(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Interval = "20s" // so that nobody knows yet
	e.mortal()
	e.start()
	e.deploy("a")
	e.deploy("b")
	e.must("switch", "--bake", "0s")
	e.eventually("ready", func(st admin.Status) bool { return st.Rollback.Ready })
	st := e.status()
	live, previous := st.Slots["green"].Instance, st.Slots["blue"].Instance
	e.slay(previous)
	e.fails(5, []string{"the previous release on blue does not answer", "production stays on green"}, "rollback", "--reason", "looks odd")
	if got := e.release("app.localhost"); got != "b" {
		t.Errorf("production shows %q, want b", got)
	}
	if running(e.dir)[live] == 0 {
		t.Error("the release that answers was stopped")
	}
	history := e.recorded().History
	if last := history[len(history)-1]; last.Kind != switcher.KindRollback || last.OK || last.Reason != "looks odd" {
		t.Errorf("the history says %+v", last)
	}
}

// mortal gives the edge a command of its own for its instances, so that one
// that dies can be kept from being started again.
func (e *testEdge) mortal() {
	e.t.Helper()
	self, _, _ := strings.Cut(e.Chat, ",")
	if err := os.Symlink(self, e.file("bluegreen")); err != nil {
		e.t.Fatal(err)
	}
	e.Chat = strings.Replace(e.Chat, self, e.file("bluegreen"), 1)
	e.configure()
}

// slay kills an instance for good. The function that it returns lets it be
// started again.
func (e *testEdge) slay(instance string) (revive func()) {
	e.t.Helper()
	if err := os.Rename(e.file("bluegreen"), e.file("gone")); err != nil {
		e.t.Fatal(err)
	}
	syscall.Kill(running(e.dir)[instance], syscall.SIGKILL)
	e.await(instance+" is dead", func() bool { return running(e.dir)[instance] == 0 })
	return func() {
		if err := os.Rename(e.file("gone"), e.file("bluegreen")); err != nil {
			e.t.Error(err)
		}
	}
}

// answeredBy is the release that answers on a host, well or not.
func (e *testEdge) answeredBy(host string) string {
	e.t.Helper()
	answer, err := e.client().Get("https://" + host + "/release")
	if err != nil {
		e.t.Errorf("asking %s: %v", host, err)
		return ""
	}
	answer.Body.Close()
	return answer.Header.Get("X-Chat-Release")
}
