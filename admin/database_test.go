package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

var gone = switcher.SchemaFinding{
	Code: "column_dropped", Object: "public.users.email", Verdict: switcher.SchemaBlock, What: "the column is gone", Remedy: "drop it one release later",
}

// startWithDatabase starts an edge whose app has a database.
func startWithDatabase(t *testing.T, tune ...func(*Options)) (*edge, *apptest.Database) {
	t.Helper()
	d := &apptest.Database{}
	e := startEdgeOf(t, apptest.Start(t, "chat", apptest.WithDatabase(d)), tune...)
	return e, d
}

func TestEachOperationOnADatabaseIsAskedForByItsPath(t *testing.T) {
	e, d := startWithDatabase(t)
	e.Deploy(t, "a")
	lost := int64(3)
	for _, c := range []struct {
		kind    switcher.Kind
		request switcher.DatabaseRequest
	}{
		{switcher.KindBackup, switcher.DatabaseRequest{Reason: "before the fair"}},
		{switcher.KindVerify, switcher.DatabaseRequest{}},
		{switcher.KindPlan, switcher.DatabaseRequest{Commit: "b", Allow: []string{"c:o@p"}, Reason: "known"}},
		{switcher.KindAccept, switcher.DatabaseRequest{Reason: "a hot fix"}},
		{switcher.KindContract, switcher.DatabaseRequest{}},
		{switcher.KindDown, switcher.DatabaseRequest{}},
		{switcher.KindRestore, switcher.DatabaseRequest{Backup: "x", Lost: &lost, Plan: "p", FreezeWrites: true}},
	} {
		result, err := e.client.Database(t.Context(), "chat", c.kind, c.request, nil)
		if err != nil || !strings.Contains(result.Text, string(c.kind)) {
			t.Errorf("%s: %+v, %v", c.kind, result, err)
			continue
		}
		asked := d.Asked()
		got := asked[len(asked)-1]
		gotText, _ := json.Marshal(got.Request)
		wantText, _ := json.Marshal(c.request)
		if got.Kind != c.kind || string(gotText) != string(wantText) {
			t.Errorf("%s: asked for %s %s, want %s", c.kind, got.Kind, gotText, wantText)
		}
	}
}

func TestAMemberThatMeansNothingToAnOperationIsRefused(t *testing.T) {
	e, d := startWithDatabase(t)
	e.Deploy(t, "a")
	before := len(d.Asked())
	for path, body := range map[string]string{
		"backup": `{"backup": "x"}`, "verify": `{"lost": 1}`, "accept": `{"allow": ["c:o@p"], "reason": "r"}`, "contract": `{"freeze_writes": true}`,
		"restore": `{"commit": "a"}`, "plan": `{"skip_migrations": true}`, "down": `{"plan": "p"}`,
	} {
		wantProblem(t, e.send(t, "POST", "/v1/apps/chat/db/"+path, body), 400, switcher.CodeUsage, "means nothing to db "+path)
	}
	if asked := d.Asked(); len(asked) != before {
		t.Errorf("it was asked for %+v", asked)
	}
}

// Whoever deploys from CI must not decide that a release may break the one
// that runs: invariant 7, for schemas.
func TestAcceptingAFindingNeedsScopeOperate(t *testing.T) {
	e, d := startWithDatabase(t)
	e.Deploy(t, "a")
	body := fmt.Sprintf(`{"commit": "b", "allow": [%q], "reason": "it is fine"}`, gone.ID("p1"))
	got := serveAs(e, identity{"robot", ScopeDeploy}, "POST", "/v1/apps/chat/deploy", body)
	if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "accepting a finding needs operate") {
		t.Errorf("with scope deploy: answered %d %s", got.Code, got.Body)
	}
	if n := len(d.Asked()); n != 1 {
		t.Errorf("the database was asked %d times, the first deploy is one", n)
	}
	if got := serveAs(e, identity{"robot", ScopeDeploy}, "POST", "/v1/apps/chat/deploy", `{"commit": "b", "skip_migrations": true}`); got.Code != 200 {
		t.Errorf("a deploy without: answered %d %s", got.Code, got.Body)
	}
	if got := serveAs(e, identity{"maria@host", ScopeOperate}, "POST", "/v1/apps/chat/deploy", body); got.Code != 200 {
		t.Errorf("with scope operate: answered %d %s", got.Code, got.Body)
	}
	asked := d.Asked()
	if last := asked[len(asked)-1].Request; !slices.Equal(last.Allow, []string{gone.ID("p1")}) || last.Reason != "it is fine" {
		t.Errorf("the database was told %+v", last)
	}
}

func TestACheckTellsWhatTheSchemaIsToEachRelease(t *testing.T) {
	e, d := startWithDatabase(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	check, err := e.client.CheckDatabase(t.Context(), "chat")
	if err != nil || len(check.Releases) != 2 || check.Stops() {
		t.Fatalf("check = %+v, %v", check, err)
	}
	if newest := check.Releases[0]; newest.Release.Commit != "b" || newest.Slot != "green" || newest.State != switcher.Testing {
		t.Errorf("newest = %+v", newest)
	}
	old := check.Releases[1].Release.ID
	d.SetFit(old, switcher.Fit{Plan: "p1", Findings: []switcher.SchemaFinding{gone}})
	check, err = e.client.CheckDatabase(t.Context(), "chat")
	if err != nil || !check.Stops() || check.Releases[1].Fit.Findings[0] != gone {
		t.Errorf("check = %+v, %v", check, err)
	}
}

func TestARefusalBySchemaArrivesWithItsFindings(t *testing.T) {
	e, d := startWithDatabase(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	d.SetFit(e.App.Status().Slots["green"].Release.ID, switcher.Fit{Plan: "p1", Findings: []switcher.SchemaFinding{gone}})
	_, err := e.client.Switch(t.Context(), "chat", switcher.SwitchRequest{}, nil)
	var told *switcher.Error
	if !errors.As(err, &told) || told.Code != switcher.CodeRefused || told.Plan != "p1" || !slices.Equal(told.Findings, []switcher.SchemaFinding{gone}) {
		t.Errorf("error = %+v", told)
	}
	plan, err := e.client.Plan(t.Context(), "chat", switcher.SwitchRequest{Allow: []string{gone.ID("p1")}, Reason: "it is fine"})
	if err != nil || !plan.Possible {
		t.Errorf("with the finding accepted: plan = %+v, %v", plan, err)
	}
}

func TestBackupsAndThePlanOfARestoreCanBeRead(t *testing.T) {
	backup := Backup{ID: "20261124T030000Z", At: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), Bytes: 5, Why: "it is of tonight"}
	e, d := startWithDatabase(t, func(o *Options) {
		o.Backups = func(_ context.Context, app string) ([]Backup, error) {
			if app != "chat" {
				return nil, errors.New("of another app")
			}
			return []Backup{backup}, nil
		}
	})
	list, err := e.client.Backups(t.Context(), "chat")
	if err != nil || len(list.Backups) != 1 || list.Backups[0] != backup {
		t.Errorf("backups = %+v, %v", list, err)
	}
	d.SetPlan(switcher.RestorePlan{ID: "p7", Backup: backup.ID, Lost: 12})
	plan, err := e.client.PlanRestore(t.Context(), "chat", switcher.DatabaseRequest{Backup: backup.ID, FreezeWrites: true})
	if err != nil || plan.ID != "p7" || plan.Lost != 12 {
		t.Errorf("plan = %+v, %v", plan, err)
	}
	wantProblem(t, e.send(t, "GET", "/v1/apps/chat/db/restore?bakcup=x", ""), 400, switcher.CodeUsage, `unknown parameter "bakcup"`)
}

func TestAnAppWithoutADatabaseSaysSo(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	for _, path := range []string{"check", "restore"} {
		wantProblem(t, e.send(t, "GET", "/v1/apps/chat/db/"+path, ""), 400, switcher.CodeUsage, "has no database")
	}
	wantProblem(t, e.send(t, "POST", "/v1/apps/chat/db/backup", ""), 400, switcher.CodeUsage, "has no database")
}
