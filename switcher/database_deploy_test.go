package switcher

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newest is the last line of the history.
func (l *lab) newest() Record {
	h := l.app.History()
	return h[len(h)-1]
}

// steps are those of an operation that has ended, in order.
func (l *lab) steps(op *Operation) (all []string) {
	for e := range op.Events(l.t.Context()) {
		if e.Step != "" && !slices.Contains(all, e.Step) {
			all = append(all, e.Step)
		}
	}
	return all
}

func TestADeployMigratesBeforeItTouchesAnythingThatRuns(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		op := l.deploy("a") // the first release needs its schema as well
		if got := l.steps(op); slices.Index(got, "migrate") < slices.Index(got, "pull") || slices.Index(got, "start") < slices.Index(got, "migrate") {
			t.Errorf("steps of the first deploy: %v", got)
		}
		l.deploy("b")
		ran := ""
		db.change(func(b *base) { b.during = func() { ran = strings.Join(l.bench.ids(), " ") } })
		before := strings.Join(l.bench.ids(), " ")
		const id = "column_dropped:public.users.email@p1"
		op = l.must(l.app.Deploy("maria@host", DeployRequest{Commit: "c", SkipMigrations: true, Allow: []string{id}, Reason: "nobody reads it"}))
		if ran != before {
			t.Errorf("while it migrated %q ran, before %q", ran, before)
		}
		if got := l.steps(op); !slices.Equal(got, []string{"deploy", "database", "pull", "backup", "migrate", "clear", "start", "health", "route"}) {
			t.Errorf("steps: %v", got)
		}
		w := db.works[len(db.works)-1]
		if w.Active.Commit != "a" || w.Previous != nil || w.Release.Commit != "c" || !w.Request.SkipMigrations || w.Request.Allow[0] != id || w.Request.Reason != "nobody reads it" {
			t.Errorf("work = %+v", w)
		}
		if r := l.newest(); r.Allowed == nil || r.Allowed.Findings[0] != id || r.Allowed.Reason != "nobody reads it" || r.Actor != "maria@host" {
			t.Errorf("history says %+v", r)
		}
	})
}

func TestADeployIsRefusedWhileTheDatabaseDoesNotAnswer(t *testing.T) {
	for name, fail := range map[string]func(*base){
		"down": func(b *base) { b.down = errors.New("connection refused") },
		"hung": func(b *base) { b.hung = true },
	} {
		t.Run(name, func(t *testing.T) {
			inLabWithDatabase(t, func(l *lab, db *base) {
				l.deploy("a")
				l.deploy("b")
				db.change(fail)
				began := time.Now()
				op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
				err = l.fails(CodeRefused, op, err)
				if took := time.Since(began); took > 3*time.Second || !strings.Contains(err.Error(), "the database does not answer: ") {
					t.Errorf("after %v: %v", took, err)
				}
				l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
				if len(db.migrated) != 2 {
					t.Errorf("migrated: %v", db.migrated)
				}
			})
		})
	}
}

func TestADeployThatCannotMigrateLeavesEverythingAsItIs(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		db.change(func(b *base) { b.refuse = &Error{Code: CodeRefused, What: "the migrations drop public.users.email"} })
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
		if err := l.fails(CodeRefused, op, err); strings.Contains(err.Error(), "keeps the schema") {
			t.Errorf("nothing was migrated, but: %v", err)
		}
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
		if n := l.one(NoticeDeployFailed); n.Release.Commit != "c" {
			t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestADeployThatFailsLaterSaysWhatTheDatabaseKeeps(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.bench.dying["b"] = 1
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		err = l.fails(CodeFailed, op, err)
		const want = "the database keeps the schema of r2 (b), and r1 (a) can live with it"
		if !strings.Contains(err.Error(), want) || !strings.Contains(l.newest().Result, want) {
			t.Errorf("error: %v\nhistory: %s", err, l.newest().Result)
		}
		if n := l.one(NoticeDeployFailed); !strings.Contains(n.Cause, want) {
			t.Errorf("the team hears %q", n.Cause)
		}
		db.change(func(b *base) { b.fits["r1"] = broken("p1") })
		op, err = l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err := l.fails(CodeFailed, op, err); !strings.Contains(err.Error(), "and r1 (a) cannot live with it: public.users.email is gone") {
			t.Errorf("error: %v", err)
		}
	})
}

// What a release has prepared on a pooled connection may fail at the first use
// after a migration, or at the second.
func TestADeployFailsWhenTheActiveReleaseFailsOnTheNewSchema(t *testing.T) {
	for nth := range 2 {
		inLabWithDatabase(t, func(l *lab, db *base) {
			l.deploy("a")
			l.later(time.Minute)
			l.noticed()
			var mu sync.Mutex
			var last time.Time
			looks, healed := 0, false
			probing := func(commit string) error {
				mu.Lock()
				defer mu.Unlock()
				if commit != "a" || healed {
					return nil
				}
				if looks++; !time.Now().Equal(last) { // unlike the looks of the health loop
					looks, last = 0, time.Now()
				}
				if looks < nth {
					return nil
				}
				return errors.New("answered 500")
			}
			db.change(func(b *base) {
				b.during = func() {
					l.bench.mu.Lock()
					defer l.bench.mu.Unlock()
					l.bench.probing = probing
				}
			})
			op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
			err = l.fails(CodeUnhealthy, op, err)
			if !strings.Contains(err.Error(), "r1 (a) on blue, which is live, fails on the new schema: answered 500; the database keeps the schema of r2 (b)") ||
				strings.Contains(err.Error(), "can live with it") {
				t.Errorf("at look %d: %v", nth, err)
			}
			mu.Lock()
			healed = true
			mu.Unlock()
			l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
			n := l.noticed(NoticeSchema)
			if len(n) != 1 || n[0].Over || n[0].Colour != Blue || n[0].Release.Commit != "a" {
				t.Fatalf("the team hears of %+v", n)
			}
			l.later(2 * time.Minute)
			if n := l.noticed(NoticeSchema); len(n) != 1 || !n[0].Over {
				t.Errorf("once it is well the team hears of %+v", n)
			}
		})
	}
}

func TestADeployDoesNotBlameTheSchemaForADatabaseThatDoesNotAnswer(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.later(time.Minute)
		l.noticed()
		l.app.fail = func(point string) {
			if point == "deploy/health/after" {
				l.bench.setSick("a", errors.New("answered 500"))
				db.lose(errors.New("connection refused"))
			}
		}
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err := l.fails(CodeUnhealthy, op, err); !strings.Contains(err.Error(), "r1 (a) on blue fails, and the database does not answer: connection refused") {
			t.Errorf("error: %v", err)
		}
		if n := l.noticed(NoticeSchema, NoticeDatabase); len(n) != 1 || n[0].Kind != NoticeDatabase {
			t.Errorf("the team hears of %+v", n)
		}
	})
}

func TestAReleaseThatWasNotWellBeforeTheMigrationIsNoMeasureOfIt(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, _ *base) {
		l.deploy("a")
		l.bench.setSick("a", errors.New("answered 500"))
		l.later(5 * time.Minute)
		l.deploy("b") // the way out
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
	})
}

func TestADeployThatIsDiscardedWhileItMigratesTellsWhatWasApplied(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		db.change(func(b *base) { b.slow = time.Hour })
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			t.Fatal(err)
		}
		l.later(90 * time.Minute)
		discard := l.must(l.app.Discard("maria@host"))
		const told = "the migration was ended in step migrate; nothing was applied"
		if err := op.Wait(t.Context()); !errors.Is(err, ErrDiscarded) || !strings.Contains(err.Error(), told) {
			t.Errorf("the deploy ended with %v", err)
		}
		var last Event
		for e := range discard.Events(t.Context()) {
			last = e
		}
		if !strings.Contains(last.Result.Text, told) {
			t.Errorf("the discard says %q", last.Result.Text)
		}
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
	})
}

// restarted ends the process in the middle of an operation and starts the next.
func (l *lab) restarted() {
	l.t.Helper()
	l.stop()
	l.base.change(func(b *base) { b.busy, b.recovers = false, 0 })
	l.start(nil)
}

func TestAMigrationThatOutlivesTheEdgeIsWaitedForAndTold(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		db.change(func(b *base) { b.slow = time.Hour })
		if _, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"}); err != nil {
			t.Fatal(err)
		}
		l.later(90 * time.Minute)
		l.noticed()
		db.change(func(b *base) { b.left = "the migration of r2 ran to its end" })
		l.restarted()
		if l.app.Service(Production).Route().Label != "blue" {
			t.Error("the routes wait for the database")
		}
		l.later(time.Minute)
		if r := l.newest(); r.Kind == KindDeploy && r.Commit == "b" {
			t.Errorf("the history says already %+v", r)
		}
		l.later(2 * time.Hour)
		r := l.newest()
		const want = "interrupted in step migrate of the database by a restart of the edge; nothing of r2 was started; the migration of r2 ran to its end"
		if r.Kind != KindDeploy || r.OK || r.Result != want || l.app.state.Load().Operation != nil {
			t.Errorf("the history says %+v", r)
		}
		if n := l.one(NoticeDeployFailed); n.Cause != want {
			t.Errorf("the team hears %q", n.Cause)
		}
		if db.recovers != 1 {
			t.Errorf("recovered %d times", db.recovers)
		}
	})
}

func TestARollbackDoesNotWaitForTheRecoveryOfTheDatabase(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.slow = time.Hour })
		if _, err := l.app.Database("maria@host", KindRestore, DatabaseRequest{}); err != nil {
			t.Fatal(err)
		}
		l.later(time.Minute)
		db.change(func(b *base) { b.left = "the restore had not begun" })
		l.restarted()
		l.later(time.Minute)
		if op := l.app.Status().Operation; op == nil || op.Kind != KindRecover {
			t.Fatalf("the recovery is over: %+v", op)
		}
		began := time.Now()
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		if took := time.Since(began); took > time.Second {
			t.Errorf("the rollback took %v", took)
		}
		l.later(2 * time.Hour)
		var told []string
		for _, r := range l.app.History() {
			if r.Kind == KindRestore || r.Kind == KindRecover {
				told = append(told, string(r.Kind)+": "+r.Result)
			}
		}
		if len(told) != 2 || !strings.Contains(told[0], "interrupted in step backup by a restart") || !strings.Contains(told[1], "the restore had not begun") {
			t.Errorf("the history says %q", told)
		}
	})
}

func TestADatabaseThatIsDownAtTheStartIsRecoveredLater(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.down, b.left = errors.New("connection refused"), "the migration had not begun" })
		l.restarted()
		l.later(5 * time.Minute)
		if st := l.app.Status(); st.Operation != nil || st.Alert != "" {
			t.Errorf("status: %+v, alert %q", st.Operation, st.Alert)
		}
		db.lose(nil)
		l.later(time.Minute)
		if r := l.newest(); r.Kind != KindRecover || !strings.Contains(r.Result, "the migration had not begun") {
			t.Errorf("the history says %+v", r)
		}
		recovers := db.recovers
		l.later(time.Hour)
		if db.recovers != recovers {
			t.Error("it is recovered again and again")
		}
	})
}

// A reload may bring another database, or the first one.
func TestADatabaseThatAReloadBringsIsRecoveredAsWell(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.base = newBase()
		l.base.left = "a restore of before was left half done"
		l.app.Apply(l.settings())
		l.later(time.Minute)
		if r := l.newest(); r.Kind != KindRecover || !strings.Contains(r.Result, l.base.left) || l.base.recovers != 1 {
			t.Errorf("recovered %d times, the history says %+v", l.base.recovers, r)
		}
		l.app.Apply(l.settings())
		l.later(time.Minute)
		if l.base.recovers != 1 {
			t.Error("one that stays is recovered again")
		}
	})
}

// Every step that the database marks is a point at which the process may end.
func TestAfterACrashInAnyStepOfTheDatabaseTheHistoryTellsTheTruth(t *testing.T) {
	for name, operate := range map[string]func(*App) (*Operation, error){
		"deploy":  func(a *App) (*Operation, error) { return a.Deploy("maria@host", DeployRequest{Commit: "b"}) },
		"backup":  func(a *App) (*Operation, error) { return a.Database("maria@host", KindBackup, DatabaseRequest{}) },
		"restore": func(a *App) (*Operation, error) { return a.Database("maria@host", KindRestore, DatabaseRequest{}) },
		"down":    func(a *App) (*Operation, error) { return a.Database("maria@host", KindDown, DatabaseRequest{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inLabWithDatabase(t, func(l *lab, _ *base) {
				l.deploy("a")
				walked := l.crashes(operate)
				marked, begun := 0, false
				for _, c := range walked {
					begun = begun || strings.HasSuffix(c.point, "/begin/after")
					if strings.Contains(c.point, "/"+markPrefix) {
						marked++
					}
					l.tellsTheTruth(c)
				}
				if marked != 4 || begun != (name != "backup") {
					t.Errorf("%d failpoints in marked steps of %d; in the journal from its beginning: %v", marked, len(walked), begun)
				}
			})
		})
	}
}

// tellsTheTruth starts an app on what a crash has left and checks what it says
// of the operation that was cut short.
func (l *lab) tellsTheTruth(c crash) {
	l.t.Helper()
	db := newBase()
	db.left = "the database is as it was"
	next := &lab{t: l.t, dir: c.dir, bench: c.bench, base: db}
	app, err := Open(Options{App: "app", Dir: c.dir, Settings: next.settings(), Probes: next.probes()})
	if err != nil {
		l.t.Fatal(err)
	}
	disk := app.state.Load()
	app.Close()
	next.start(nil)
	defer next.stop()
	next.later(time.Minute)
	synctest.Wait()
	if op := next.app.state.Load().Operation; op != nil {
		l.t.Errorf("%s: %+v is still open", c.point, op)
	}
	if db.recovers != 1 {
		l.t.Errorf("%s: the database is recovered %d times", c.point, db.recovers)
	}
	told := 0
	for _, r := range next.app.History() {
		if strings.Contains(r.Result, db.left) {
			told++
			if j := disk.Operation; j != nil && (r.ID != j.ID || r.Kind != j.Kind || r.Actor != j.Actor) {
				l.t.Errorf("%s: %+v was cut short, the history says %+v", c.point, j, r)
			}
		}
	}
	if told != 1 {
		l.t.Errorf("%s: what became of the database is told %d times", c.point, told)
	}
}
