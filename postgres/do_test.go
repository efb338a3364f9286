package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // not every machine has it

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

func (l *lab) do(kind switcher.Kind, r, active *switcher.Release) (string, error) {
	return l.d.Do(l.t.Context(), kind, l.work(r, active))
}

func TestAPlanChangesNothing(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Backup.Keep = 1 })
	first := l.release(users)
	l.deploy(first, nil)
	before := l.schema()
	kept, _ := l.d.backups.List()
	text, err := l.do(switcher.KindPlan, l.release(users, "ALTER TABLE users ADD COLUMN a int"), first)
	if err != nil || !strings.Contains(text, "would pass") {
		t.Errorf("%q %v", text, err)
	}
	bad := l.release(users, "ALTER TABLE users DROP COLUMN email")
	bad.ID = "plan"
	_, err = l.do(switcher.KindPlan, bad, first)
	says(t, err, switcher.CodeRefused, "public.users.email")
	text, err = l.do(switcher.KindPlan, l.release(users), first)
	if err != nil || !strings.Contains(text, "nothing to migrate") {
		t.Errorf("%q %v", text, err)
	}
	if l.schema() != before {
		t.Error("the live database was changed")
	}
	if now, err := l.d.backups.List(); err != nil || len(now) != 1 || now[0].ID != kept[0].ID || l.d.Status().Backup.Newest != kept[0].ID {
		t.Errorf("the backups are others: %+v %v", now, err)
	}
	if ids := l.d.files.releases(); len(ids) != 1 {
		t.Errorf("on record: %v", ids)
	}
	l.clean()
}

func TestBackupsAreMadeKeptAndVerified(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Backup.Keep, o.Backup.Verify = 2, true })
	pgtest.Exec(t, l.db.OwnerURL, users)
	_, err := l.do(switcher.KindVerify, nil, nil)
	says(t, err, switcher.CodeRefused, "there is no backup")
	for range 3 {
		if text, err := l.do(switcher.KindBackup, nil, nil); err != nil || !strings.Contains(text, "made and verified") {
			t.Fatalf("%q %v", text, err)
		}
	}
	list, err := l.d.backups.List()
	if err != nil || len(list) != 2 || !list[0].Verified() {
		t.Fatalf("%+v %v", list, err)
	}
	if st := l.d.Status().Backup; st == nil || st.Newest != list[0].ID || !st.Verified || st.Next != nil || st.Late {
		t.Errorf("%+v", st)
	}
	l.clean()

	files, _ := filepath.Glob(filepath.Join(l.d.backups.Folder(list[0].ID), "data", "*.gz"))
	files = append(files, filepath.Join(l.d.backups.Folder(list[0].ID), "data", "toc.dat"))
	if err := os.Truncate(files[len(files)-1], 100); err != nil {
		t.Fatal(err)
	}
	w := l.work(nil, nil)
	w.Request.Backup = list[0].ID
	if text, err := l.d.Do(t.Context(), switcher.KindVerify, w); err == nil {
		t.Errorf("a truncated backup is called verified: %s", text)
	}
	l.clean()
}

func TestAContractIsJudgedByTheReleaseThatRunsAndEndsTheWayBack(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	second := l.release(users, "ALTER TABLE users ADD COLUMN a int")
	l.deploy(second, first)
	third := l.release(users, "ALTER TABLE users ADD COLUMN a int") // stops using email, and migrates nothing
	l.deploy(third, second)
	l.jobs.steps[third.ImageID+"/contract"] = []string{"ALTER TABLE users DROP COLUMN email"}
	_, err := l.do(switcher.KindContract, third, third)
	says(t, err, switcher.CodeRefused, "public.users.email")
	refusal := err.(*switcher.Error)
	w := l.work(third, third)
	w.Request.Reason = "third does not read it"
	for _, f := range refusal.Findings {
		if f.Stops() {
			w.Request.Allow = append(w.Request.Allow, f.ID(refusal.Plan))
		}
	}
	if text, err := l.d.Do(t.Context(), switcher.KindContract, w); err != nil {
		t.Fatalf("%q %v\n%s", text, err, l.teller)
	}
	if !l.teller.has("verdict: 1 accepted") {
		t.Errorf("what was accepted is counted otherwise:\n%s", l.teller)
	}
	for id, fits := range map[string]bool{first.ID: false, second.ID: false, third.ID: true} {
		if fit, err := l.d.Fit(t.Context(), id); err != nil || (fit.Verdict() != switcher.SchemaBlock) != fits {
			t.Errorf("%s: %+v %v", id, fit, err)
		}
	}
	if text, err := l.do(switcher.KindContract, third, third); err != nil || !strings.Contains(text, "nothing to migrate") {
		t.Errorf("again: %q %v", text, err)
	}
	l.clean()
}

func TestACommandThatIsNotConfiguredIsRefused(t *testing.T) {
	l := newLab(t)
	_, err := l.do(switcher.KindDown, l.release(), l.release())
	says(t, err, switcher.CodeRefused, "no down command is configured")
}

func TestADownThatDoesNotBringTheSchemaBackIsToldInTheRehearsal(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Down = []string{"down"} })
	first := l.release(users)
	l.deploy(first, nil)
	second := l.release(users, "ALTER TABLE users ADD COLUMN a int", "ALTER TABLE users ADD COLUMN b int")
	l.jobs.steps[second.ImageID+"/down"] = []string{"ALTER TABLE users DROP COLUMN b"}
	l.deploy(second, first)
	if !l.teller.has("down_incomplete") || !strings.Contains(l.schema(), "b integer") {
		t.Errorf("%s", l.teller)
	}
	if _, err := l.do(switcher.KindDown, second, first); err != nil {
		t.Errorf("%v\n%s", err, l.teller)
	}
	if strings.Contains(l.schema(), "b integer") {
		t.Error("nothing was undone")
	}
	l.clean()
}

func TestRunLooksAfterTheDatabase(t *testing.T) {
	asked := make(chan switcher.Kind, 10)
	l := newLab(t, func(o *Options) {
		o.Start = func(kind switcher.Kind) error { asked <- kind; return nil }
	})
	first := l.release(users)
	l.deploy(first, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.d.Run(ctx) }()
	await(t, "the status", func() bool {
		st := l.d.Status()
		return st.OK && st.Server != "" && len(st.Fits) == 1 && st.Backup != nil && st.Drift == ""
	})
	pgtest.Exec(t, l.db.OwnerURL, "ALTER TABLE users DROP COLUMN email")
	l.d.lookAgain()
	await(t, "the drift", func() bool {
		st := l.d.Status()
		return strings.Contains(st.Drift, "email") && st.Fits[0].Verdict() == switcher.SchemaBlock
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(asked) > 0 {
		t.Error("a nightly backup was asked for, and none is configured")
	}
}

func TestTheNightlyBackupIsAtItsTimeOfTheDay(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	const at = 3 * time.Hour
	for from, want := range map[string]string{
		"2026-11-24 02:59:00": "2026-11-24 03:00:00",
		"2026-11-24 03:00:00": "2026-11-25 03:00:00",
		"2026-11-24 23:00:00": "2026-11-25 03:00:00",
		"2026-03-28 12:00:00": "2026-03-29 03:00:00", // the clock skips from 2 to 3
		"2026-10-24 12:00:00": "2026-10-25 03:00:00", // and has 2 twice
	} {
		f, err := time.ParseInLocation(time.DateTime, from, madrid)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextAt(f, at).Format(time.DateTime); got != want {
			t.Errorf("from %s: %s, want %s", from, got, want)
		}
	}
}

func TestABackupIsLateWhenItIsOlderThanItMayBe(t *testing.T) {
	now := time.Now()
	hours := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	old, fresh := hours(30), hours(20)
	for _, test := range []struct {
		newest *time.Time
		began  time.Time
		most   time.Duration
		want   bool
	}{
		{&old, hours(100), 26 * time.Hour, true},
		{&fresh, hours(100), 26 * time.Hour, false},
		{nil, hours(1), 26 * time.Hour, false},
		{nil, hours(27), 26 * time.Hour, true},
		{&old, hours(100), 0, false},
	} {
		if got := late(test.newest, test.began, now, test.most); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestNoBackupIsLateWhenTheEdgeHasJustBegunToMakeThem(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Backup.MaxAge = 26 * time.Hour })
	l.d.noteBackups()
	if st := l.d.Status().Backup; st == nil || st.Late {
		t.Errorf("%+v", st)
	}
}

func TestWhoeverAsksSparesTheNextQuestion(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	for _, test := range []struct {
		st   switcher.DatabaseStatus
		want time.Duration
	}{
		{switcher.DatabaseStatus{}, 0},
		{switcher.DatabaseStatus{OK: true, CheckedAt: ago(3 * time.Second)}, 7 * time.Second},
		{switcher.DatabaseStatus{OK: false, CheckedAt: ago(3 * time.Second)}, -2 * time.Second},
	} {
		if got := nextAsk(test.st, now); got != test.want {
			t.Errorf("%+v: %v", test.st, got)
		}
	}
}
