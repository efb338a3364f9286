package dashboard

import (
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

func TestThePageShowsTheDatabaseThatTheReleasesShare(t *testing.T) {
	d := &apptest.Database{}
	s := startOf(t, apptest.Start(t, "chat", apptest.WithDatabase(d)))
	s.Deploy(t, "v1")
	s.Deploy(t, "v2")
	long, lately := time.Now().Add(-26*time.Hour), time.Now().Add(-3*time.Hour)
	d.SetStatus(switcher.DatabaseStatus{
		Name: "chat", OK: true, Since: &long, CheckedAt: &lately, Drift: "index <b> was added",
		Backup: &switcher.BackupStatus{At: &lately, Verified: true},
	})
	d.SetFit(s.App.Status().Slots["blue"].Release.ID, switcher.Fit{Plan: "p", Findings: []switcher.SchemaFinding{
		{Code: "column_dropped", Object: "public.users.email", Verdict: switcher.SchemaBlock, What: "column email is dropped"},
	}})
	v := s.enter(t, "maria@host", admin.ScopeRead)
	_, page := v.get("/apps/chat")
	for _, part := range []string{`id="database"`, "Answers", "Verified", "Changed by hand: index &lt;b&gt; was added", "cannot live with it", "column email is dropped"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	_, page = v.get("/apps/chat", "Accept-Language", "es")
	for _, part := range []string{"Base de datos", "Responde", "Verificada", "no puede vivir con él"} {
		if !strings.Contains(page, part) {
			t.Errorf("la página no dice %q", part)
		}
	}
	d.SetStatus(switcher.DatabaseStatus{Name: "chat", CheckedAt: &lately, Error: "connection refused", Backup: &switcher.BackupStatus{Late: true, Error: "no space left"}})
	_, page = v.get("/apps/chat")
	for _, part := range []string{"Does not answer", "connection refused", "Overdue", "The last one failed: no space left"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
}

func TestAnAppWithoutADatabaseShowsNone(t *testing.T) {
	s := start(t)
	s.Deploy(t, "v1")
	if _, page := s.enter(t, "maria@host", admin.ScopeRead).get("/apps/chat"); strings.Contains(page, `id="database"`) {
		t.Error("the page shows a database")
	}
}

func TestAnOperationThatTheSchemaRefusesSaysWhatStops(t *testing.T) {
	d := &apptest.Database{}
	s := startOf(t, apptest.Start(t, "chat", apptest.WithDatabase(d)))
	s.Deploy(t, "v1")
	d.Refuse(&switcher.Error{Code: switcher.CodeRefused, What: "v1 cannot live with it", Plan: "p1", Findings: []switcher.SchemaFinding{
		{Code: "column_dropped", Object: "public.users.email", Verdict: switcher.SchemaBlock, What: "column email is dropped"},
		{Code: "table_added", Object: "public.rooms", Verdict: switcher.SchemaPass, What: "a table more"},
	}})
	op, err := s.App.Deploy("maria@host", switcher.DeployRequest{Commit: "v2"})
	if err != nil || op.Wait(t.Context()) == nil {
		t.Fatalf("not refused: %v", err)
	}
	_, page := s.enter(t, "maria@host", admin.ScopeRead).get("/apps/chat?operation=" + op.ID)
	if !strings.Contains(page, "column_dropped:public.users.email@p1: column email is dropped") || strings.Contains(page, "a table more") {
		t.Errorf("the page:\n%s", page)
	}
}
