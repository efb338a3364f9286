package dashboard

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

// do confirms an action and waits for its end. It returns what the page then
// shows.
func (v *visitor) do(s *site, kind switcher.Kind) string {
	v.t.Helper()
	if _, text := v.get("/apps/chat/" + string(kind)); !strings.Contains(text, `id="confirm"`) {
		v.t.Fatalf("the page of %s asks for no confirmation", kind)
	}
	answer, _ := v.post("/apps/chat/"+string(kind), s.confirmation(kind))
	where := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(where, "/apps/chat?operation=") {
		v.t.Fatalf("%s is answered %s to %q", kind, answer.Status, where)
	}
	id := strings.TrimPrefix(where, "/apps/chat?operation=")
	if op, known := s.App.Operation(id); known {
		if err := op.Wait(v.t.Context()); err != nil {
			v.t.Fatalf("%s: %v", kind, err)
		}
	}
	_, text := v.get(where)
	return text
}

func TestActionsDoWhatTheySay(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	want := func(active, inactive switcher.SlotState, colour switcher.Colour) {
		t.Helper()
		st := s.App.Status()
		if st.Active != colour || st.Slots[colour].State != active || st.Slots[colour.Other()].State != inactive {
			t.Fatalf("%s is %s, %s is %s", colour, st.Slots[colour].State, colour.Other(), st.Slots[colour.Other()].State)
		}
	}
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	if text := v.do(s, switcher.KindSwitch); !strings.Contains(text, "Done in") || !strings.Contains(text, "production now leads to green") {
		t.Error("the page of the operation does not show its steps and its end")
	}
	want(switcher.Active, switcher.Previous, switcher.Green)
	v.do(s, switcher.KindRollback)
	want(switcher.Active, switcher.Failed, switcher.Blue)
	v.do(s, switcher.KindDiscard)
	want(switcher.Active, switcher.Empty, switcher.Blue)
	s.Deploy(t, "three")
	v.do(s, switcher.KindSwitch)
	v.do(s, switcher.KindConfirm)
	v.do(s, switcher.KindCleanup)
	want(switcher.Active, switcher.Empty, switcher.Green)
	for _, r := range s.App.History() {
		if r.Kind == switcher.KindSwitch && r.Actor != "maria@host" {
			t.Errorf("a switch is recorded as that of %s", r.Actor)
		}
	}
}

// A page that was left open must not act on what has taken the place of what
// it shows.
func TestStalePageActsOnNothing(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	form := s.confirmation(switcher.KindSwitch)
	s.Deploy(t, "three")
	answer, text := v.post("/apps/chat/switch", form)
	if answer.StatusCode != http.StatusConflict || !strings.Contains(text, "Something has changed") || !strings.Contains(text, "three") {
		t.Errorf("answered %s, want a conflict that shows what there is now", answer.Status)
	}
	if st := s.App.Status(); st.Active != switcher.Blue {
		t.Fatalf("%s is active", st.Active)
	}

	s.Switch(t)
	back := s.confirmation(switcher.KindRollback)
	v.do(s, switcher.KindRollback)
	s.Deploy(t, "four")
	s.Switch(t)
	if answer, _ := v.post("/apps/chat/rollback", back); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("the same two releases: %s", answer.Status) // one is live again, and may be gone back to
	}
	apptest.Eventually(t, "the rollback has ended", func() bool { return s.App.Status().Operation == nil })
	if answer, _ := v.post("/apps/chat/rollback", back); answer.StatusCode != http.StatusConflict {
		t.Errorf("a rollback twice: %s", answer.Status)
	}
}

func TestNothingIsDoneWithoutTheRightWords(t *testing.T) {
	s := start(t)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	for _, typed := range []string{"", "yes", "Chat", "one", "chat two"} {
		form := s.confirmation(switcher.KindSwitch)
		form.Set("confirm", typed)
		if answer, text := v.post("/apps/chat/switch", form); answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(text, "Nothing was done") {
			t.Errorf("typing %q is answered %s", typed, answer.Status)
		}
	}
	for _, form := range []url.Values{{"confirm": {"chat"}}, {"confirm": {"chat"}, "expect_active": {"blue"}}} {
		if answer, _ := v.post("/apps/chat/switch", form); answer.StatusCode != http.StatusConflict {
			t.Errorf("without an expectation: %s", answer.Status)
		}
	}
	if st := s.App.Status(); st.Active != switcher.Blue {
		t.Fatalf("%s is active", st.Active)
	}
	form := s.confirmation(switcher.KindSwitch)
	form.Set("confirm", " two ")
	if answer, _ := v.post("/apps/chat/switch", form); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("the commit is answered %s", answer.Status)
	}
}

func TestWhatCannotBeDoneSaysWhy(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	wants := func(kind switcher.Kind, why string) {
		t.Helper()
		_, page := v.get("/apps/chat")
		_, plan := v.get("/apps/chat/" + string(kind))
		if !strings.Contains(page, why) || !strings.Contains(plan, why) || strings.Contains(plan, `id="confirm"`) {
			t.Errorf("%s does not say %q", kind, why)
		}
		if answer, _ := v.post("/apps/chat/"+string(kind), s.confirmation(kind)); answer.StatusCode != http.StatusConflict {
			t.Errorf("%s is answered %s", kind, answer.Status)
		}
	}
	wants(switcher.KindSwitch, "Nothing is deployed yet.")
	s.Deploy(t, "one")
	wants(switcher.KindSwitch, "No release is in test.")
	wants(switcher.KindRollback, "No previous release is warm.")
	s.Deploy(t, "two")
	wants(switcher.KindCleanup, "A release is in test.")
	wants(switcher.KindConfirm, "No bake is going on.")
	s.Switch(t)
	wants(switcher.KindSwitch, "Baking: confirm or roll back first.")
	s.SetSick("one", true)
	apptest.Eventually(t, "blue is unhealthy", func() bool { return s.App.Status().Slots[switcher.Blue].Health.Status == switcher.Unhealthy })
	wants(switcher.KindRollback, "one is unhealthy.")
	release := s.HoldFetch()
	defer release()
	s.SetSick("one", false)
	apptest.Eventually(t, "blue is healthy", func() bool { return s.App.Status().Slots[switcher.Blue].Health.Status == switcher.Healthy })
	v.do(s, switcher.KindConfirm)
	op, err := s.App.Deploy("jose@host", switcher.DeployRequest{Commit: "three"})
	if err != nil {
		t.Fatal(err)
	}
	wants(switcher.KindRollback, "Deploy by jose@host is running.")
	if text := v.do(s, switcher.KindDiscard); !strings.Contains(text, "aborted") {
		t.Error("a discard does not say that it aborts the deploy")
	}
	_ = op.Wait(t.Context())
}

// Whoever clicks twice has not asked for two operations.
func TestASecondClickLeadsToTheRunningOperation(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	leave := s.Occupy(t)
	s.Switch(t)
	v.do(s, switcher.KindConfirm)
	form := s.confirmation(switcher.KindCleanup)
	answer, _ := v.post("/apps/chat/cleanup", form) // waits for the request
	where := answer.Header.Get("Location")
	again, _ := v.post("/apps/chat/cleanup", form)
	if answer.StatusCode != http.StatusSeeOther || again.StatusCode != http.StatusSeeOther || again.Header.Get("Location") != where {
		t.Errorf("answered %s to %q, and then %s to %q", answer.Status, where, again.Status, again.Header.Get("Location"))
	}
	other := s.enter(t, "jose@host", admin.ScopeOperate)
	if answer, _ := other.post("/apps/chat/cleanup", form); answer.StatusCode != http.StatusConflict {
		t.Errorf("somebody else is answered %s", answer.Status)
	}
	leave()
	apptest.Eventually(t, "the cleanup has ended", func() bool { return s.App.Status().Operation == nil })
}

// A discard aborts the deploy that its page told of, and no other.
func TestADiscardAbortsNoDeployThatItDidNotTellOf(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	s.Deploy(t, "one")
	form := s.confirmation(switcher.KindDiscard) // of an empty slot
	release := s.HoldFetch()
	defer release()
	op, err := s.App.Deploy("jose@host", switcher.DeployRequest{Commit: "two"})
	if err != nil {
		t.Fatal(err)
	}
	if answer, text := v.post("/apps/chat/discard", form); answer.StatusCode != http.StatusConflict || !strings.Contains(text, "Something has changed") {
		t.Errorf("answered %s", answer.Status)
	}
	release()
	if err := op.Wait(t.Context()); err != nil {
		t.Errorf("the deploy was aborted: %v", err)
	}
}

// Whoever opens the page after an automatic rollback sees what has become of the
// release, and why.
func TestAFailedSlotSaysWhyItFailed(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeRead)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	s.Switch(t)
	op, err := s.App.Rollback("bluegreen", switcher.RollbackRequest{Reason: "it answers <nothing>"})
	if err == nil {
		err = op.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, page := v.get("/apps/chat/live")
	_, slot, _ := strings.Cut(page, `id="slot-green"`)
	slot, _, _ = strings.Cut(slot, "</article>")
	if !strings.Contains(slot, "it answers &lt;nothing&gt;") {
		t.Errorf("the failed slot shows\n%s", slot)
	}
}
