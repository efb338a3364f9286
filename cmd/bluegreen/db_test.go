package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

// foundInPlan are findings of every verdict, with texts as long as they get.
func foundInPlan() []switcher.SchemaFinding {
	return []switcher.SchemaFinding{
		{
			Code: "column_dropped", Object: "public.users.email", Verdict: switcher.SchemaBlock,
			What:   "column email of public.users is dropped",
			Why:    "the release that runs reads and writes it: each of its statements that names the column fails with 42703 from the moment of the migration",
			Remedy: "stop using the column in this release, and drop it with `bluegreen db contract` once no release reads it any more",
		},
		{
			Code: "function_changed", Object: "public.total(bigint, text)", Verdict: switcher.SchemaBlock,
			What: "function public.total has another signature", Allowed: "nobody calls it, María has looked",
		},
		{
			Code: "table_locked", Object: "public.orders", Verdict: switcher.SchemaLock, What: "a plain CREATE INDEX locks 48 GB against writes",
			Remedy: "CREATE INDEX CONCURRENTLY",
		},
		{Code: "not_null_dropped", Object: "public.users.phone", Verdict: switcher.SchemaData, What: "phone may be null now"},
		{Code: "default_changed", Object: "public.users.lang", Verdict: switcher.SchemaWarn, What: "the default of lang is 'es' now, was 'en'"},
		{Code: "table_added", Object: "public.rooms", Verdict: switcher.SchemaPass, What: "a table more"},
		{Code: "column_added", Object: "public.users.seen", Verdict: switcher.SchemaPass, What: "a column more"},
	}
}

func TestFindingsAreReadableInEveryWidth(t *testing.T) {
	for name, width := range map[string]int{"findings-80": 80, "findings-120": 120, "findings-colours": 80, "findings-plain": 80} {
		t.Run(name, func(t *testing.T) {
			out := draw(func(t *terminal) { drawFindings(t, "  ", foundInPlan(), "9f2c01") }, width, !strings.HasSuffix(name, "plain"), strings.HasSuffix(name, "colours"))
			for line := range strings.Lines(out) {
				if strings.Contains(line, "--allow") {
					continue // it is copied, so it is never broken
				}
				if n := visible(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			golden(t, name+".txt", out)
		})
	}
}

func draw(what func(*terminal), width int, live, colour bool) string {
	var out strings.Builder
	what(&terminal{Writer: &out, live: live, colour: colour, size: func() int { return width }})
	return out.String()
}

func TestShellsTakeAnIDAsItIsTold(t *testing.T) {
	for id, want := range map[string]string{
		"column_dropped:public.users.email@9f": "column_dropped:public.users.email@9f",
		"f:public.total(bigint, text)@9f":      "'f:public.total(bigint, text)@9f'",
		"f:it's@9f":                            `'f:it'\''s@9f'`, "": "''",
	} {
		if got := shellQuoted(id); got != want {
			t.Errorf("%s is told as %s, want %s", id, got, want)
		}
	}
}

func sampleCheck() switcher.SchemaCheck {
	return switcher.SchemaCheck{
		Database: switcher.DatabaseStatus{Name: "chat", Server: "15.8", OK: true, Since: before(26 * time.Hour), CheckedAt: before(time.Second), Drift: "index public.users_email was added"},
		Releases: []switcher.ReleaseFit{
			{Release: chatRelease("r13", "b70e552", time.Hour), Slot: "green", State: switcher.Active, Fit: switcher.Fit{Plan: "9f2c01"}},
			{Release: chatRelease("r12", "4f2a1c9", 26*time.Hour), Slot: "blue", State: switcher.Previous, Fit: switcher.Fit{Plan: "77ab10", Findings: foundInPlan()[:1]}},
			{Release: chatRelease("r11", "0c11d02", 50*time.Hour), Fit: switcher.Fit{Release: "r11", Plan: "13aa9d", Unknown: "it was deployed before the database was configured"}},
		},
	}
}

func TestACheckIsToldByRelease(t *testing.T) {
	golden(t, "check.txt", draw(func(t *terminal) { drawCheck(t, "sofia-chat", sampleCheck(), noon) }, 80, true, false))
	golden(t, "check-plain.txt", draw(func(t *terminal) { drawCheck(t, "sofia-chat", sampleCheck(), noon) }, 80, false, false))
}

func TestBackupsAreListedWithWhatTheyAreWorth(t *testing.T) {
	list := []admin.Backup{
		{ID: "20261123T110000Z-deploy-b70e552", At: *before(time.Hour), Bytes: 48_200_000, Commit: "b70e552", Why: "not yet: it was made 1 h ago"},
		{ID: "20261123T030000Z-nightly", At: *before(9 * time.Hour), Bytes: 48_100_000, Verified: true},
		{ID: "20261122T030000Z-nightly", Damage: "data/3021.dat.gz is 12 bytes short"},
		{ID: "20261121T030000Z-nightly", At: *before(57 * time.Hour), Bytes: 999, External: true},
	}
	golden(t, "backups.txt", draw(func(t *terminal) { drawBackups(t, list, noon) }, 80, true, false))
	golden(t, "backups-plain.txt", draw(func(t *terminal) { drawBackups(t, list, noon) }, 80, false, false))
	if out := draw(func(t *terminal) { drawBackups(t, nil, noon) }, 80, true, false); !strings.Contains(out, "bluegreen db backup") {
		t.Errorf("without any: %s", out)
	}
}

func TestSizesAreWrittenInTheUnitThatFits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 48_200_000: "48.2 MB", 999_900_000: "1000 MB", 2_000_000_000_000_000: "2000 TB"} {
		if got := sized(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// newDatabaseDesk is a desk with an app that has a database.
func newDatabaseDesk(t *testing.T) (*desk, *apptest.Bench, *apptest.Database) {
	t.Helper()
	d := &apptest.Database{}
	b := apptest.Start(t, "chat", apptest.WithDatabase(d))
	return newDesk(t, b), b, d
}

func TestEachDatabaseCommandAsksForItsOperation(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	id := "c:o@p"
	for _, c := range []struct {
		args string
		want apptest.Asked
	}{
		{"backup --reason fair", apptest.Asked{Kind: switcher.KindBackup, Request: switcher.DatabaseRequest{Reason: "fair"}}},
		{"verify", apptest.Asked{Kind: switcher.KindVerify}},
		{"verify 20261124T030000Z", apptest.Asked{Kind: switcher.KindVerify, Request: switcher.DatabaseRequest{Backup: "20261124T030000Z"}}},
		{"plan b --allow c:o@p --reason fine", apptest.Asked{Kind: switcher.KindPlan, Request: switcher.DatabaseRequest{Commit: "b", Allow: []string{id}, Reason: "fine"}}},
		{"plan --image registry.test/chat:x", apptest.Asked{Kind: switcher.KindPlan, Request: switcher.DatabaseRequest{Image: "registry.test/chat:x"}}},
		{"accept --reason hotfix", apptest.Asked{Kind: switcher.KindAccept, Request: switcher.DatabaseRequest{Reason: "hotfix"}}},
		{"contract", apptest.Asked{Kind: switcher.KindContract}},
		{"contract --allow c:o@p --allow d:o@p --reason fine", apptest.Asked{Kind: switcher.KindContract, Request: switcher.DatabaseRequest{Allow: []string{id, "d:o@p"}, Reason: "fine"}}},
		{"down a", apptest.Asked{Kind: switcher.KindDown, Request: switcher.DatabaseRequest{Commit: "a"}}},
	} {
		out, _ := d.does(0, append([]string{"db"}, strings.Fields(c.args)...)...)
		d.says(out, string(c.want.Kind)+" is done")
		asked := base.Asked()
		got, _ := json.Marshal(asked[len(asked)-1])
		if want, _ := json.Marshal(c.want); string(got) != string(want) {
			t.Errorf("db %s asked for %s, want %s", c.args, got, want)
		}
	}
	out, _ := d.does(0, "db", "backup", "--json")
	d.says(out, `"result":{"ok":true`)
	_, errs := d.does(2, "db", "contract", "--allow", id)
	d.says(errs, "--allow needs a reason")
	_, errs = d.does(2, "db", "contract", "--allow", "everything", "--reason", "x")
	d.says(errs, `"everything" is not the id of a finding`)
}

func TestACheckThatFindsAReleaseUnfitExitsWithThree(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	out, _ := d.does(0, "db", "check")
	d.says(out, "can live with the schema")
	active := b.App.Status().Slots["blue"].Release.ID
	base.SetFit(active, switcher.Fit{Plan: "9f2c01", Findings: foundInPlan()[:1]})
	out, errs := d.does(3, "db", "check")
	d.says(out, "column_dropped  public.users.email")
	if strings.Contains(out, "--allow") {
		t.Errorf("of the release that is live nothing can be accepted:\n%s", out)
	}
	d.says(errs, "a ("+active+") on blue cannot live with the schema as it is")
	out, errs = d.does(3, "db", "check", "--json")
	var check switcher.SchemaCheck
	if err := json.Unmarshal([]byte(out), &check); err != nil || !check.Stops() {
		t.Errorf("check --json = %s (%v)", out, err)
	}
	d.says(errs, `"code":"refused"`)
}

func TestARefusalBySchemaShowsItsFindingsAndWhatAcceptsThem(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	base.Refuse(&switcher.Error{Code: switcher.CodeRefused, What: "a cannot live with the migrations of b", Findings: foundInPlan(), Plan: "9f2c01", Output: []string{"the same again"}})
	_, errs := d.does(3, "deploy", "b")
	d.says(errs, "a cannot live with the migrations of b")
	d.says(errs, "--allow column_dropped:public.users.email@9f2c01")
	d.says(errs, "accepted nobody calls it")
	if strings.Contains(errs, "the same again") {
		t.Errorf("the findings are told twice:\n%s", errs)
	}
	_, errs = d.does(3, "deploy", "b", "--json")
	d.says(errs, `"plan":"9f2c01"`)
	base.Refuse(nil)
	d.does(0, "deploy", "b", "--skip-migrations", "--allow", "c:o@p", "--reason", "known")
	asked := base.Asked()
	if r := asked[len(asked)-1].Request; !r.SkipMigrations || len(r.Allow) != 1 || r.Reason != "known" {
		t.Errorf("the deploy asked for %+v", r)
	}
	base.Refuse(&switcher.Error{Code: switcher.CodeRefused, What: "there is nothing to accept"})
	d.does(3, "deploy", "b", "--allow", "c:o@q", "--reason", "of another plan")
	out, _ := d.does(0, "history")
	d.says(out, "accepted: c:o@p (known)")
	d.says(out, "asked to accept: c:o@q (of another plan)")
}

func TestSwitchAndRollbackTellWhatTheSchemaGateFinds(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	b.Deploy(t, "b")
	slots := b.App.Status().Slots
	base.SetFit(slots["green"].Release.ID, switcher.Fit{Plan: "9f2c01", Findings: foundInPlan()[:1]})
	out, _ := d.does(3, "switch", "--dry-run")
	d.says(out, "--allow column_dropped:public.users.email@9f2c01")
	_, errs := d.does(3, "switch")
	d.says(errs, "--allow column_dropped:public.users.email@9f2c01")
	d.does(0, "switch", "--allow", "column_dropped:public.users.email@9f2c01", "--reason", "not read")
	base.SetFit(slots["blue"].Release.ID, switcher.Fit{Plan: "77ab10", Findings: foundInPlan()[:1]})
	out, _ = d.does(0, "status")
	d.says(out, "rollback     not possible")
	d.says(out, "cannot live with it: column email of public.users is dropped")
	_, errs = d.does(3, "rollback")
	d.says(errs, "column email of public.users is dropped")
	d.does(0, "rollback", "--allow", "column_dropped:public.users.email@77ab10", "--reason", "not read")
}

func TestBackupsAreCompletedByTheirIDs(t *testing.T) {
	b := apptest.Start(t, "chat", apptest.WithDatabase(&apptest.Database{}))
	d := newDeskWith(t, func(o *admin.Options) {
		o.Backups = func(context.Context, string) ([]admin.Backup, error) {
			return []admin.Backup{{ID: "20261124T030000Z-nightly"}, {ID: "20261123T030000Z-nightly"}}, nil
		}
	}, b)
	out, _ := d.does(0, "__complete", "db", "verify", "")
	d.says(out, "20261124T030000Z-nightly\n20261123T030000Z-nightly\n")
	out, _ = d.does(0, "db", "backups")
	d.says(out, "never restored")
	out, _ = d.does(0, "db", "backups", "--json")
	d.says(out, `"verified":false`)
}

func TestAnAppWithoutADatabaseIsToldHowToNameOne(t *testing.T) {
	d := newDesk(t, apptest.Start(t, "chat"))
	_, errs := d.does(2, "db", "check")
	d.says(errs, "the app has no database")
	d.says(errs, "`database:`")
}
