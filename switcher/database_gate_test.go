package switcher

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// broken is the fit of a release that misses a column.
func broken(plan string) Fit {
	return Fit{Plan: plan, Findings: []SchemaFinding{{
		Code: "column_dropped", Object: "public.users.email", Verdict: SchemaBlock, What: "public.users.email is gone",
	}}}
}

const brokenID = "column_dropped:public.users.email@p1"

func TestASwitchNeedsACandidateThatCanLiveWithTheSchema(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		db.change(func(b *base) { b.fits["r2"] = broken("p1") })
		plan, err := l.app.Plan(t.Context(), SwitchRequest{Force: "try it"})
		if err != nil {
			t.Fatal(err)
		}
		g := plan.Gates[1]
		if plan.Possible || g.Gate != "schema" || g.OK || g.Overridden || g.Plan != "p1" || len(g.Findings) != 1 || g.Findings[0].ID(g.Plan) != brokenID {
			t.Errorf("plan = %+v", plan)
		}
		op, err := l.app.Switch("maria@host", SwitchRequest{Force: "try it"})
		e := new(Error)
		if err := l.fails(CodeRefused, op, err); !errors.As(err, &e) || len(e.Findings) != 1 || e.Plan != "p1" || !strings.Contains(err.Error(), "r2 (b) cannot live with the schema: public.users.email is gone (--allow "+brokenID+")") {
			t.Errorf("error: %v", err)
		}
		op, err = l.app.Switch("maria@host", SwitchRequest{Allow: []string{brokenID}})
		l.fails(CodeUsage, op, err)
		op, err = l.app.Switch("maria@host", SwitchRequest{Allow: []string{"column_dropped:public.users.email@p0"}, Reason: "of another plan"})
		l.fails(CodeRefused, op, err)
		db.lose(errors.New("connection refused"))
		op, err = l.app.Switch("maria@host", SwitchRequest{Allow: []string{brokenID}, Reason: "nobody reads it"})
		l.fails(CodeRefused, op, err)
		db.lose(nil)
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})

		l.must(l.app.Switch("maria@host", SwitchRequest{Allow: []string{brokenID}, Reason: "nobody reads it"}))
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		if r := l.newest(); r.Allowed == nil || r.Allowed.Reason != "nobody reads it" {
			t.Errorf("history says %+v", r)
		}
	})
}

func TestWhatWasAcceptedBeforeNeedsNotBeAcceptedAgain(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		before := broken("p1")
		before.Findings[0].Allowed = "nobody reads it"
		db.change(func(b *base) { b.fits["r2"] = before })
		plan, err := l.app.Plan(t.Context(), SwitchRequest{})
		if err != nil || !plan.Possible || !strings.HasSuffix(plan.Gates[1].Text, "but for what was accepted: "+brokenID+" (nobody reads it)") {
			t.Errorf("plan = %+v, %v", plan, err)
		}
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
	})
}

func TestWhatCannotBeComparedStopsUntilThatIsAccepted(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.deploy("a")
		l.deploy("b")
		db.change(func(b *base) { b.fits["r2"] = Fit{Plan: "p1", Unknown: "nothing was recorded"} })
		op, err := l.app.Switch("maria@host", SwitchRequest{})
		if err := l.fails(CodeRefused, op, err); !strings.Contains(err.Error(), "(--allow unknown:r2@p1)") {
			t.Errorf("error: %v", err)
		}
		l.must(l.app.Switch("maria@host", SwitchRequest{Allow: []string{"unknown:r2@p1"}, Reason: "it is the same schema"}))
	})
}

func TestARollbackNeedsAPreviousReleaseThatCanLiveWithTheSchema(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.fits["r1"], b.standing["r1"] = broken("p1"), broken("p1") })
		st := l.app.Status()
		if st.Rollback.Ready || !strings.Contains(st.Rollback.Reason, "r1 (a) cannot live with the schema any more: public.users.email is gone (--allow "+brokenID+")") {
			t.Errorf("status says %+v", st.Rollback)
		}
		if len(st.Database.Fits) != 1 || st.Database.Fits[0].Verdict() != SchemaBlock {
			t.Errorf("fits: %+v", st.Database.Fits)
		}
		op, err := l.app.Rollback("maria@host", RollbackRequest{Reason: "messages arrive twice"})
		l.fails(CodeRefused, op, err)
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		op, err = l.app.Rollback("maria@host", RollbackRequest{Allow: []string{brokenID}})
		l.fails(CodeUsage, op, err)
		l.must(l.app.Rollback("maria@host", RollbackRequest{Reason: "messages arrive twice", Allow: []string{brokenID}}))
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		if r := l.newest(); r.Allowed == nil || r.Allowed.Findings[0] != brokenID || r.Reason != "messages arrive twice" {
			t.Errorf("history says %+v", r)
		}
	})
}

// The standing verdict may be a while old: what counts is what is found now.
func TestARollbackAsksAnew(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) { b.standing["r1"] = broken("p1") })
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestARollbackWithoutTheDatabaseGoesByTheLastVerdict(t *testing.T) {
	for name, fail := range map[string]func(*base){
		"down": func(b *base) { b.down = errors.New("connection refused") },
		"hung": func(b *base) { b.hung = true },
	} {
		t.Run(name, func(t *testing.T) {
			inLabWithDatabase(t, func(l *lab, db *base) {
				l.switched()
				db.change(func(b *base) { b.standing["r1"] = broken("p1") })
				db.change(fail)
				op, err := l.app.Rollback("maria@host", RollbackRequest{})
				l.fails(CodeRefused, op, err)
				db.change(func(b *base) { b.standing["r1"] = Fit{} })
				began := time.Now()
				op = l.must(l.app.Rollback("maria@host", RollbackRequest{}))
				if took := time.Since(began); took > 1500*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				said := false
				for e := range op.Events(t.Context()) {
					said = said || e.Warning && strings.Contains(e.Text, "the database cannot be asked whether r1 (a) can live with its schema")
				}
				if !said {
					t.Error("it is not said that the last verdict has decided")
				}
			})
		})
	}
}

func TestWhatBreaksOnNewValuesOnlyNeedsReview(t *testing.T) {
	inLabWithDatabase(t, func(l *lab, db *base) {
		l.switched()
		db.change(func(b *base) {
			b.standing["r1"] = Fit{Findings: []SchemaFinding{{Code: "not_null_dropped", Object: "public.users.name", Verdict: SchemaData, What: "public.users.name may be empty"}}}
			b.fits["r1"] = b.standing["r1"]
		})
		if r := l.app.Status().Rollback; !r.Ready || !strings.Contains(r.Reason, "needs review: public.users.name may be empty") {
			t.Errorf("status says %+v", r)
		}
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
	})
}

func TestTheEdgeByItselfNeverGoesBackToAReleaseThatDoesNotFit(t *testing.T) {
	why := map[string]func(*lab, *figures){
		"probes":  func(l *lab, _ *figures) { l.bench.setSick("b", errors.New("answered 500")) },
		"figures": func(_ *lab, f *figures) { f.say(Bad, "9 of 10 requests failed") },
	}
	for name, fail := range why {
		for known, standing := range map[string]bool{"as the status knows": true, "as is found now": false} {
			t.Run(name+" "+known, func(t *testing.T) {
				inLabWithDatabase(t, func(l *lab, db *base) {
					f := &figures{}
					f.say(Undecided, "3 requests so far")
					l.judge = f.judge()
					l.restarted()
					l.switched()
					db.change(func(b *base) {
						b.fits["r1"] = broken("p1")
						if standing {
							b.standing["r1"] = broken("p1")
						}
					})
					l.noticed()
					fail(l, f)
					route := l.app.Service(Production).Route()
					l.later(5 * time.Minute)
					l.want(shape{PhaseBaking, Previous, Active, Green, Green})
					if l.app.Service(Production).Route() != route || len(l.bench.running()) != 2 {
						t.Error("production was moved, or something was stopped")
					}
					n := l.noticed(NoticeStuck, NoticeRolledBack)
					if len(n) != 1 || n[0].Kind != NoticeStuck || !strings.Contains(n[0].Cause, "cannot live with the schema any more: public.users.email is gone") {
						t.Errorf("the team hears of %+v", n)
					}
				})
			})
		}
	}
}

// Right after the swap the release before is tried in any case on the schema
// that it ran on a moment ago.
func TestASwitchThatFailsItsProbeGoesBackUnlessTheSchemaHasChangedMeanwhile(t *testing.T) {
	for name, changed := range map[string]bool{"as it was": false, "changed": true} {
		t.Run(name, func(t *testing.T) {
			inLabWithDatabase(t, func(l *lab, db *base) {
				l.deploy("a")
				l.deploy("b")
				db.change(func(b *base) { b.fits["r1"] = broken("p1") })
				public := l.app.probes.Public
				l.app.probes.Public = failOn(public, Green)
				l.app.fail = func(point string) {
					if point == "switch/swap/after" && changed {
						db.change(func(b *base) { b.fits["r1"] = broken("p2") })
					}
				}
				op, err := l.app.Switch("maria@host", SwitchRequest{})
				err = l.fails(CodeUnhealthy, op, err)
				if !changed {
					l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
					return
				}
				l.want(shape{PhaseBaking, Previous, Active, Green, Green})
				if !strings.Contains(err.Error(), "production stays there, for the schema was changed meanwhile") {
					t.Errorf("error: %v", err)
				}
			})
		})
	}
}
