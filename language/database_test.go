package language_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/language"
	"sofiacall.com/bluegreen/switcher"
)

// schema is a database of which only this is of interest.
type schema struct {
	switcher.Database // that nothing else is asked of
	down              atomic.Bool
	verdict           atomic.Value // of every release
}

func (s *schema) fit(release string) switcher.Fit {
	v, _ := s.verdict.Load().(switcher.SchemaVerdict)
	f := switcher.Fit{Release: release, Plan: "p1", Checked: time.Now()}
	if v != "" {
		f.Findings = []switcher.SchemaFinding{{Code: "column_dropped", Object: "public.users.email", Verdict: v, What: "public.users.email"}}
	}
	return f
}

func (s *schema) Answers(context.Context) error {
	if s.down.Load() {
		return errors.New("connection refused")
	}
	return nil
}

func (s *schema) Fit(ctx context.Context, release string) (switcher.Fit, error) {
	return s.fit(release), s.Answers(ctx)
}

func (s *schema) Migrate(context.Context, switcher.DatabaseWork) error { return nil }

func (s *schema) Recover(context.Context, switcher.Teller) (string, error) { return "", nil }

func (s *schema) Status() switcher.DatabaseStatus {
	return switcher.DatabaseStatus{OK: true, Fits: []switcher.Fit{s.fit("r1"), s.fit("r2")}}
}

func TestWhatTheSwitcherSaysOfADatabaseIsToldInSpanish(t *testing.T) {
	db := &schema{}
	b := apptest.Start(t, "chat", func(s *switcher.Settings) { s.Database = db })
	told := func(op *switcher.Operation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		_ = op.Wait(t.Context())
		for e := range op.Events(t.Context()) {
			switch {
			case e.Result != nil && e.Result.OK:
				inSpanish(t, e.Result.Text)
			case e.Result == nil && e.Progress == nil:
				inSpanish(t, e.Text)
			}
		}
	}
	const maria = "maria@host"
	accepted := []string{"column_dropped:public.users.email@p1"}
	told(b.App.Deploy(maria, switcher.DeployRequest{Commit: "one"}))
	told(b.App.Deploy(maria, switcher.DeployRequest{Commit: "two"}))
	db.verdict.Store(switcher.SchemaBlock)
	plan, err := b.App.Plan(t.Context(), switcher.SwitchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	inSpanish(t, plan.Gates[1].Text)
	told(b.App.Switch(maria, switcher.SwitchRequest{Allow: accepted, Reason: "obsoleta"}))
	inSpanish(t, b.App.Status().Rollback.Reason)
	db.verdict.Store(switcher.SchemaData)
	inSpanish(t, b.App.Status().Rollback.Reason)
	db.down.Store(true)
	told(b.App.Rollback(maria, switcher.RollbackRequest{}))
	for _, r := range b.App.History() {
		inSpanish(t, r.Result)
	}

	for _, text := range []string{
		"the database does not answer: connection refused",
		"it does not answer",
		"it is as it should be",
		"the app has no database any more",
		"the schema was changed by hand: public.users.email",
		"production can no longer go back: r1 (a) cannot live with the schema any more: public.users.email",
		"there is no backup",
		"the newest backup is 40 hours old",
		"r1 (a) on blue, which is live, fails on the new schema: answered 500; the database keeps the schema of r2 (b)",
		"chat-r2-abc exited with code 1 before it was healthy; the database keeps the schema of r2 (b), and r1 (a) can live with it",
		"production did not answer on green after the switch: answered 500; the database does not answer either, so production stays there: connection refused",
		"production did not answer on green after the switch: answered 500; production stays there, for the schema was changed meanwhile: r1 (a) cannot live with the schema any more: public.users.email",
	} {
		if said := language.Of("es").Say(text); english.MatchString(said) {
			t.Errorf("%q is told as %q", text, said)
		}
	}
}
