package switcher

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// lost has the database fail, and both releases with it.
func (l *lab) lost(db *base) {
	for _, commit := range []string{"a", "b"} {
		l.bench.setSick(commit, errors.New("answered 500"))
	}
	db.lose(errors.New("connection refused"))
}

func (l *lab) found(db *base) {
	for _, commit := range []string{"a", "b"} {
		l.bench.setSick(commit, nil)
	}
	db.lose(nil)
}

func TestWhenBothReleasesAndTheDatabaseFailNothingMoves(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.later(10 * time.Second)
		l.noticed()
		route := l.app.Service(Production).Route()
		l.lost(db)
		l.later(5 * time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if l.app.Service(Production).Route() != route || len(l.bench.running()) != 2 {
			t.Error("production was moved, or something was stopped")
		}
		n := l.noticed(NoticeDatabase, NoticeRolledBack, NoticeStuck, NoticeVerdict)
		if len(n) != 1 || n[0].Kind != NoticeDatabase || n[0].Over || n[0].Cause != "connection refused" {
			t.Errorf("the team hears of %+v", n)
		}
		l.found(db)
		l.later(time.Minute)
		if n := l.noticed(NoticeDatabase, NoticeRolledBack, NoticeStuck); len(n) != 1 || n[0].Kind != NoticeDatabase || !n[0].Over {
			t.Errorf("then the team hears of %+v", n)
		}
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
	})
}

// The release alone may look well on a database that does not answer.
func TestABakeDoesNotEndWhileTheDatabaseDoesNotAnswer(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.later(8 * time.Minute)
		db.lose(errors.New("connection refused"))
		l.later(time.Hour)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		db.lose(nil)
		l.later(time.Minute)
		if b := l.app.Status().Bake; b == nil || time.Until(b.Until) > 2*time.Minute {
			t.Fatalf("the outage counts for the bake: %+v", b)
		}
		l.later(3 * time.Minute)
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
	})
}

// What was last found may be a while old.
func TestTheEndOfABakeAsksTheDatabaseItself(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.later(8 * time.Minute)
		db.change(func(b *base) { b.down, b.blind = errors.New("connection refused"), true })
		l.later(5 * time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
	})
}

func TestAReleaseThatFailsOnADatabaseThatAnswersIsRolledBack(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, _ *base) {
		l.switched()
		l.noticed()
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		if n := l.noticed(NoticeRolledBack); len(n) != 1 {
			t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestAReleaseThatDoesNotComeBackWithTheDatabaseIsRolledBack(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.lost(db)
		l.later(time.Minute)
		l.found(db)
		l.bench.setSick("b", errors.New("answered 500"))
		l.later(8 * time.Second)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green}) // it has its time to come back
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestADatabaseThatHangsIsWaitedForTwoSecondsAtMost(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.noticed()
		l.bench.setSick("b", errors.New("answered 500"))
		db.change(func(b *base) { b.hung = true })
		l.bench.probes(Green)
		l.later(time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if n := l.bench.probes(Green); n < 15 {
			t.Errorf("production was probed %d times in a minute", n)
		}
		if n := l.noticed(NoticeDatabase); len(n) != 1 || n[0].Cause != "no answer within 2s" {
			t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestFiguresOfAnOutageCondemnNoRelease(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		f := &figures{}
		f.say(Undecided, "3 requests so far")
		l.judge = f.judge()
		l.restarted()
		l.switched()
		l.later(time.Second)
		db.lose(errors.New("connection refused"))
		f.say(Bad, "9 of 10 requests failed")
		l.later(10 * time.Second)
		l.bench.happens(Incident{Kind: IncidentDied, Instance: l.app.Status().Slots[Green].Instance, ExitCode: 1}) // for want of the database
		asked := f.asked()
		l.later(time.Minute)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if n := f.asked(); n != asked {
			t.Errorf("%d verdicts were asked for in the outage", n-asked)
		}
		if v := l.app.Status().Bake.Verdict; v == nil || v.Outcome != Undecided {
			t.Errorf("the verdict is %+v", v)
		}
		db.lose(nil)
		f.say(Undecided, "nothing yet")
		l.later(10 * time.Second)
		trial := f.last()
		if since := time.Since(trial.Since); since > 10*time.Second || trial.Deaths != 0 || trial.Until.Sub(trial.Began) < 10*time.Minute+50*time.Second {
			t.Errorf("after the outage the trial is of %v, until %v after its beginning, with %d deaths", since, trial.Until.Sub(trial.Began), trial.Deaths)
		}
		l.later(time.Minute)
		f.say(Bad, "8 of 10 requests failed")
		l.later(time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestASwitchIsNotTakenBackForADatabaseThatDoesNotAnswer(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		l.app.fail = func(point string) {
			if point == "switch/swap/after" {
				l.lost(db)
			}
		}
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		err = l.fails(CodeUnhealthy, op, err)
		if !strings.Contains(err.Error(), "the database does not answer either, so production stays there: connection refused") {
			t.Errorf("error: %v", err)
		}
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		l.found(db)
		l.later(11 * time.Minute)
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
	})
}

func TestTheTeamHearsOfTheSchemaAndTheBackups(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.later(10 * time.Second)
		l.noticed()
		kinds := []NoticeKind{NoticeSchema, NoticeBackup, NoticeDatabase}
		hears := func(what string, kind NoticeKind, c Colour, over bool, cause string) {
			t.Helper()
			l.later(time.Minute)
			n := l.noticed(kinds...)
			if len(n) != 1 || n[0].Kind != kind || n[0].Colour != c || n[0].Over != over || !strings.Contains(n[0].Cause, cause) {
				t.Errorf("%s: the team hears of %+v", what, n)
			}
		}
		db.change(func(b *base) { b.status.Drift = "public.users has a new column note" })
		hears("drift", NoticeSchema, "", false, "the schema was changed by hand: public.users has a new column note")
		db.change(func(b *base) { b.standing["r1"] = broken("p1") })
		hears("no way back", NoticeSchema, Blue, false, "production can no longer go back: r1 (a) cannot live with the schema any more")
		db.change(func(b *base) { b.status.Drift = "" })
		hears("accepted", NoticeSchema, "", true, "")
		old := time.Now().Add(-40 * time.Hour)
		db.change(func(b *base) { b.status.Backup = &BackupStatus{Newest: "b1", At: &old, Late: true} })
		hears("old", NoticeBackup, "", false, "the newest backup is 40 hours old")
		now := time.Now()
		db.change(func(b *base) { b.status.Backup = &BackupStatus{Newest: "b2", At: &now} })
		hears("new", NoticeBackup, "", true, "")
		db.change(func(b *base) { b.status.Backup.Error = "no room on the disk" })
		hears("failed", NoticeBackup, "", false, "the last backup has failed: no room on the disk")
	})
}

func TestTheSwapOfARestoreIsNoOutage(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.later(10 * time.Second)
		l.noticed()
		db.change(func(b *base) {
			b.during = func() {
				db.lose(errors.New("the database does not accept connections"))
				time.Sleep(10 * time.Second)
				db.lose(nil)
			}
		})
		l.must(l.app.Database("maria@host", KindRestore, DatabaseRequest{}))
		l.later(10 * time.Second)
		if n := l.noticed(NoticeDatabase); len(n) > 0 {
			t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestAHoldAndAFreezeEndWithTheOperation(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		routes := func(held, frozen bool) {
			t.Helper()
			for _, name := range []RouteName{Production, Internal} {
				if r := l.app.Service(name).Route(); r.Hold != nil != held || r.ReadOnly != frozen {
					t.Errorf("%s: hold %v, read-only %v", name, r.Hold, r.ReadOnly)
				}
			}
		}
		db.change(func(b *base) {
			b.during = func() {
				w := b.works[len(b.works)-1]
				w.Freeze(true)
				routes(false, true)
				release := w.Hold(t.Context())
				routes(true, true)
				release()
				w.Freeze(false)
				routes(false, false)
				w.Freeze(true)
				w.Hold(t.Context())
			}
		})
		l.must(l.app.Database("maria@host", KindRestore, DatabaseRequest{FreezeWrites: true}))
		routes(false, false)
	})
}

func TestAHoldOfBothRoutesLeavesAPauseOfProduction(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		if _, err := l.app.Pause("maria@host", PauseRequest{Max: time.Minute}); err != nil {
			t.Fatal(err)
		}
		paused := l.app.Service(Production).Route().Hold
		db.change(func(b *base) { b.during = func() { b.works[len(b.works)-1].Hold(t.Context())() } })
		l.must(l.app.Database("maria@host", KindRestore, DatabaseRequest{}))
		if l.app.Service(Production).Route().Hold != paused || l.app.Service(Internal).Route().Hold != nil {
			t.Error("the pause has ended, or the hold has not")
		}
		if _, err := l.app.Resume("maria@host"); err != nil {
			t.Fatal(err)
		}
	})
}

// Nobody can ask a database whose URL is missing: that is no outage.
func TestADatabaseThatCannotBeAskedKeepsNoReleaseFromBeingRolledBack(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		l.bench.setSick("b", errors.New("answered 500"))
		db.change(func(b *base) {
			b.unasked = &Error{Code: CodeUsage, What: "the app gets no DATABASE_URL"}
		})
		l.later(10 * time.Second)
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
		if err := l.fails(CodeUsage, op, err); err.Error() != "the app gets no DATABASE_URL" {
			t.Errorf("error: %v", err)
		}
	})
}
