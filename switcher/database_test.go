package switcher

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// inLabWithDatabase runs a test with an app that has a database, and sees to it
// that nothing wrong was asked of that.
func inLabWithDatabase(t *testing.T, test func(*lab, *base)) {
	t.Helper()
	db := newBase()
	inLabWith(t, db, func(l *lab) { test(l, db) })
	if len(db.problems) > 0 {
		t.Errorf("the database complains: %s", strings.Join(db.problems, "; "))
	}
}

func TestAnAppWithoutADatabaseKnowsNothingOfOne(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		if st := l.app.Status(); st.Database != nil {
			t.Errorf("status = %+v", st.Database)
		}
		for _, kind := range []Kind{KindBackup, KindVerify, KindPlan, KindAccept, KindContract, KindDown, KindRestore} {
			op, err := l.app.Database("maria@host", kind, DatabaseRequest{})
			l.fails(CodeUsage, op, err)
		}
	})
}

func TestADatabaseOperationLeavesTheAppInItsPhase(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		db.change(func(b *base) { b.slow = time.Minute })
		op, err := l.app.Database("maria@host", KindBackup, DatabaseRequest{})
		l.later(time.Second)
		st := l.app.Status()
		if st.Phase != PhaseSteady || st.Operation == nil || st.Operation.Kind != KindBackup || st.Operation.Step != "backup" {
			t.Errorf("phase %s, operation %+v", st.Phase, st.Operation)
		}
		l.must(op, err)
		last := l.app.History()[len(l.app.History())-1]
		if last.Kind != KindBackup || !last.OK || last.Result != "db backup is done" || l.app.state.Load().Operation != nil {
			t.Errorf("history ends with %+v", last)
		}
	})
}

func TestADatabaseOperationRunsTheCommandsOfTheRightRelease(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		ran := func(kind Kind, r DatabaseRequest) *Release {
			l.must(l.app.Database("maria@host", kind, r))
			return db.works[len(db.works)-1].Release
		}
		op, err := l.app.Database("maria@host", KindContract, DatabaseRequest{})
		l.fails(CodeRefused, op, err) // of which release?
		l.deploy("a")
		op, err = l.app.Database("maria@host", KindPlan, DatabaseRequest{})
		l.fails(CodeUsage, op, err)
		if r := ran(KindPlan, DatabaseRequest{Commit: "next"}); r.Commit != "next" || r.ImageID != "sha256:registry.test/app:next" {
			t.Errorf("planned: %+v", r)
		}
		op, err = l.app.Database("maria@host", KindPlan, DatabaseRequest{Commit: "unknown"})
		l.fails(CodeFailed, op, err)
		op, err = l.app.Database("maria@host", KindBackup, DatabaseRequest{Commit: "next"})
		l.fails(CodeUsage, op, err)
		if r := ran(KindContract, DatabaseRequest{}); r.Commit != "a" {
			t.Errorf("contract of %v", r)
		}
		if r := ran(KindDown, DatabaseRequest{}); r.Commit != "a" {
			t.Errorf("down of the only release: %v", r)
		}
		if r := ran(KindRestore, DatabaseRequest{}); r != nil {
			t.Errorf("a restore runs commands of %v", r)
		}
		l.deploy("b")
		if r := ran(KindPlan, DatabaseRequest{}); r.Commit != "b" {
			t.Errorf("planned in test: %v", r)
		}
		for _, kind := range []Kind{KindContract, KindDown} {
			op, err = l.app.Database("maria@host", kind, DatabaseRequest{})
			l.fails(CodeRefused, op, err)
		}
		l.must(l.app.Discard("maria@host"))
		if r := ran(KindDown, DatabaseRequest{}); r.Commit != "b" {
			t.Errorf("down of a release that was given up: %v", r)
		}
		l.bench.setSick("c", errors.New("answered 500"))
		op, err = l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
		l.fails(CodeUnhealthy, op, err)
		if r := ran(KindDown, DatabaseRequest{}); r.Commit != "c" {
			t.Errorf("down of a release that has failed: %v", r)
		}
		if r := ran(KindDown, DatabaseRequest{Commit: "b"}); r.Commit != "b" || r.ID != "r2" {
			t.Errorf("down of the one that is named: %v", r)
		}
		l.deploy("d")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		if r := ran(KindRestore, DatabaseRequest{}); r != nil {
			t.Errorf("a restore in a bake runs commands of %v", r)
		}
		w := db.works[len(db.works)-1]
		if w.Active.Commit != "d" || w.Previous.Commit != "a" {
			t.Errorf("active %v, previous %v", w.Active, w.Previous)
		}
		op, err = l.app.Database("maria@host", KindDown, DatabaseRequest{})
		l.fails(CodeRefused, op, err)
	})
}

func TestWhatOnlyLooksAtTheDatabaseGivesWay(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		db.change(func(b *base) { b.slow = time.Hour })
		backup, err := l.app.Database("maria@host", KindBackup, DatabaseRequest{})
		if err != nil {
			t.Fatal(err)
		}
		l.later(time.Second)
		op, err := l.app.Confirm("maria@host")
		l.fails(CodeBusy, op, err)
		began := time.Now()
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		if took := time.Since(began); took > time.Second {
			t.Errorf("the rollback took %v", took)
		}
		if err := backup.Wait(t.Context()); !errors.Is(err, ErrOvertaken) {
			t.Errorf("the backup ended with %v", err)
		}
		nightly, err := l.app.Database(Self, KindVerify, DatabaseRequest{})
		if err != nil {
			t.Fatal(err)
		}
		l.later(time.Second)
		l.must(l.app.Cleanup("maria@host"))
		if err := nightly.Wait(t.Context()); !errors.Is(err, ErrOvertaken) {
			t.Errorf("the nightly verification ended with %v", err)
		}
		restore, err := l.app.Database("maria@host", KindRestore, DatabaseRequest{})
		l.later(time.Second)
		if op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"}); CodeOf(err) != CodeBusy {
			t.Errorf("a deploy during a restore: %v, %v", op, err)
		}
		l.must(restore, err)
	})
}

// A nightly backup may last longer than a bake.
func TestABackupKeepsNobodyFromWatchingAReleaseOrRepairingOne(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.slow = time.Hour })
		if _, err := l.app.Database("maria@host", KindBackup, DatabaseRequest{}); err != nil {
			t.Fatal(err)
		}
		l.later(time.Second)
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		nightly, err := l.app.Database(Self, KindBackup, DatabaseRequest{})
		if err != nil {
			t.Fatal(err)
		}
		l.later(time.Second)
		active := l.app.Status().Slots[Blue].Instance
		if err := l.bench.Stop(t.Context(), active); err != nil {
			t.Fatal(err)
		}
		l.later(2 * time.Minute)
		if got := l.bench.running(); !slices.Contains(got, active) {
			t.Errorf("running: %v", got)
		}
		if err := nightly.Wait(t.Context()); !errors.Is(err, ErrOvertaken) {
			t.Errorf("the nightly backup ended with %v", err)
		}
	})
}

func TestARestoreGivesWayToNothing(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.slow = time.Minute })
		restore, err := l.app.Database("maria@host", KindRestore, DatabaseRequest{})
		l.later(time.Second)
		if j := l.app.state.Load().Operation; j == nil || j.Kind != KindRestore {
			t.Errorf("the journal says %+v", j)
		}
		op, busy := l.app.Rollback("maria@host", RollbackRequest{})
		l.fails(CodeBusy, op, busy)
		l.must(restore, err)
	})
}

func TestAFindingIsAcceptedByItselfAndWithAReason(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		for _, r := range []DatabaseRequest{
			{Allow: []string{"column_dropped:public.users.email@p1"}},
			{Allow: []string{"column_dropped:public.users.email@p1"}, Reason: "  "},
			{Allow: []string{"column_dropped"}, Reason: "nobody reads it"},
			{Allow: []string{"column_dropped:public.users.email"}, Reason: "nobody reads it"},
			{Allow: []string{":public.users@p1"}, Reason: "nobody reads it"},
		} {
			op, err := l.app.Database("maria@host", KindContract, r)
			l.fails(CodeUsage, op, err)
		}
		l.must(l.app.Database("maria@host", KindContract, DatabaseRequest{Allow: []string{"column_dropped:public.users.email@p1"}, Reason: "nobody reads it"}))
		last := l.app.History()[len(l.app.History())-1]
		if last.Allowed == nil || !slices.Equal(last.Allowed.Findings, []string{"column_dropped:public.users.email@p1"}) || last.Allowed.Reason != "nobody reads it" {
			t.Errorf("history says %+v", last)
		}
	})
}
