package switcher

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// crash is what a process that is killed at a failpoint leaves behind.
type crash struct {
	point string
	dir   string
	bench *bench
}

// crashes runs an operation and keeps what a kill at each of its failpoints
// would have left.
func (l *lab) crashes(operate func(*App) (*Operation, error)) []crash {
	l.t.Helper()
	var all []crash
	l.stop()
	l.start(func(point string) {
		dir := l.t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
			l.t.Errorf("copying the state at %s: %v", point, err)
		}
		all = append(all, crash{point, dir, l.bench.clone()})
	})
	l.later(time.Second)
	if op, err := operate(l.app); err != nil {
		l.t.Fatalf("operation refused: %v", err)
	} else {
		op.Wait(l.t.Context())
	}
	l.later(time.Second)
	return all
}

// Invariant 4, in one process: after a kill at any step of any operation the
// next start serves what is on disk before the runtime has answered, leaves no
// orphan once it has recovered, and the history tells the truth. The same walk
// with real processes and real kills is in cmd/bluegreen.
func TestAfterACrashAtAnyStepTheNextStartServesWhatIsOnDisk(t *testing.T) {
	type scenario struct {
		name    string
		prepare func(*lab)
		operate func(*App) (*Operation, error)
	}
	const who = Actor("maria@host")
	two := func(l *lab) { l.deploy("a"); l.deploy("b") }
	switched := func(l *lab) { two(l); l.must(l.app.Switch(who, SwitchRequest{})) }
	scenarios := []scenario{
		{"first deploy", func(*lab) {}, func(a *App) (*Operation, error) { return a.Deploy(who, DeployRequest{Commit: "a"}) }},
		{"deploy", func(l *lab) { l.deploy("a") }, func(a *App) (*Operation, error) { return a.Deploy(who, DeployRequest{Commit: "b"}) }},
		{"deploy over a candidate", two, func(a *App) (*Operation, error) { return a.Deploy(who, DeployRequest{Commit: "c"}) }},
		{"failing deploy", func(l *lab) { two(l); l.bench.dying["c"] = 1 }, func(a *App) (*Operation, error) { return a.Deploy(who, DeployRequest{Commit: "c"}) }},
		{"switch", two, func(a *App) (*Operation, error) { return a.Switch(who, SwitchRequest{}) }},
		{"switch that fails its probe", func(l *lab) { two(l); l.bench.setSick("b", errors.New("answered 500")) },
			func(a *App) (*Operation, error) { return a.Switch(who, SwitchRequest{Force: "try it"}) }},
		{"switch when neither answers", func(l *lab) {
			two(l)
			l.bench.setSick("a", errors.New("answered 500"))
			l.bench.setSick("b", errors.New("answered 500"))
		}, func(a *App) (*Operation, error) { return a.Switch(who, SwitchRequest{Force: "try it"}) }},
		{"confirm", switched, func(a *App) (*Operation, error) { return a.Confirm(who) }},
		{"rollback", switched, func(a *App) (*Operation, error) { return a.Rollback(who, RollbackRequest{}) }},
		{"rollback by a verdict", switched, condemn},
		{"discard", two, func(a *App) (*Operation, error) { return a.Discard(who) }},
		{"drain", switched, func(a *App) (*Operation, error) { return a.Drain(who, DrainRequest{}) }},
		{"cleanup", func(l *lab) { switched(l); l.must(l.app.Confirm(who)) }, func(a *App) (*Operation, error) { return a.Cleanup(who) }},
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				s.prepare(l)
				records, before := len(l.app.History()), l.app.Status().Active
				walked := l.crashes(s.operate)
				if len(walked) == 0 {
					l.t.Fatal("the operation has no failpoint")
				}
				for _, c := range walked {
					l.survives(c, records, before)
				}
			})
		})
	}
}

// heardOf checks that the team is told what an operation came to that a crash
// cut short: once, in its own name. What gave way to another matter is stuck.
func (l *lab) heardOf(point string, j *Journal) {
	l.t.Helper()
	decided := j != nil && (j.Kind == KindDeploy || j.Kind == KindSwitch && j.Step == "swap" || j.Step == "back")
	got := l.noticed(append(events, NoticeStuck)...)
	got = slices.DeleteFunc(got, func(n Notice) bool { return n.Over })
	switch {
	case !decided && len(got) > 0 && got[0].Kind != NoticeStuck:
		l.t.Errorf("%s: the team hears of %+v", point, got)
	case decided && (len(got) != 1 || got[0].Kind != NoticeStuck && (got[0].Operation != j.ID || got[0].Release == nil)):
		l.t.Errorf("%s: of %+v the team hears %+v", point, j, got)
	}
}

// survives starts an app on what a crash has left and checks what it does.
func (l *lab) survives(c crash, records int, before Colour) {
	l.t.Helper()
	disk, err := readState(filepath.Join(c.dir, "app", stateFile), "app")
	if errors.Is(err, os.ErrNotExist) {
		disk = newState("app")
	} else if err != nil {
		l.t.Errorf("%s: %v", c.point, err)
		return
	}
	c.bench.stuck = make(chan struct{})
	next := &lab{t: l.t, dir: c.dir, bench: c.bench}
	next.start(nil)
	defer next.stop()
	if got := next.app.Service(Production).Route().Label; got != string(disk.Active) {
		l.t.Errorf("%s: production serves %q before the runtime answered, disk says %q", c.point, got, disk.Active)
	}
	if got := next.app.Service(Internal).Route().Label; got != string(disk.Internal) {
		l.t.Errorf("%s: internal serves %q before the runtime answered, disk says %q", c.point, got, disk.Internal)
	}
	close(c.bench.stuck)
	c.bench.mu.Lock()
	c.bench.stuck = nil
	c.bench.mu.Unlock()
	next.later(5 * time.Minute)

	next.heardOf(c.point, disk.Operation)
	st := next.app.Status()
	if st.Operation != nil || next.app.state.Load().Operation != nil {
		l.t.Errorf("%s: an operation is still open: %+v", c.point, next.app.state.Load().Operation)
	}
	wanted := map[string]bool{}
	for _, slot := range st.Slots {
		if slot.State != Empty {
			wanted[slot.Instance] = slot.State != Failed
		}
	}
	for _, id := range c.bench.ids() {
		if _, ok := wanted[id]; !ok {
			l.t.Errorf("%s: %s is an orphan", c.point, id)
		}
	}
	running := map[string]bool{}
	for _, id := range c.bench.running() {
		running[id] = true
	}
	for id, up := range wanted {
		if running[id] != up {
			l.t.Errorf("%s: %s runs: %v, want %v", c.point, id, running[id], up)
		}
	}
	if st.Active != "" {
		slot := st.Slots[st.Active]
		if sick := c.bench.answer(slot.Address) != nil; sick != (slot.Health.Status == Unhealthy) {
			l.t.Errorf("%s: the active slot is %s, its release is sick: %v", c.point, slot.Health.Status, sick)
		}
		if next.app.Service(Production).Route().Backend == nil {
			l.t.Errorf("%s: production leads nowhere", c.point)
		}
	}
	// An operation that was journaled is told once, whether it was finished
	// or not.
	told := 0
	for _, r := range next.app.History()[records:] {
		if disk.Operation != nil && r.ID == disk.Operation.ID {
			told++
			if moved := st.Active != before; r.Kind == KindSwitch && r.OK != moved {
				l.t.Errorf("%s: the switch moved production: %v, the history says %+v", c.point, moved, r)
			}
		}
	}
	if disk.Operation != nil && told != 1 {
		l.t.Errorf("%s: told %d times, want once: %+v", c.point, told, next.app.History()[records:])
	}
	if _, err := readState(filepath.Join(c.dir, "app", stateFile), "app"); err != nil && disk.Operation != nil {
		l.t.Errorf("%s: state after the recovery: %v", c.point, err)
	}
}

func TestARecoveryGivesWayToAnOperator(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.stop()
		l.bench.stuck = make(chan struct{})
		l.start(nil)
		if got := l.app.Status().Phase; got != PhaseRecovering {
			l.t.Fatalf("phase = %s, want recovering", got)
		}
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		if got := l.shape(); got.Production != Blue || got.Green != Failed {
			l.t.Errorf("status = %+v, want production on blue", got)
		}
		close(l.bench.stuck)
		l.later(time.Minute)
		if got := l.bench.running(); len(got) != 1 {
			l.t.Errorf("running = %v, want the failed one stopped", got)
		}
	})
}

func TestRecoverStartsWhatShouldRunAndRemovesWhatNobodyKnows(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		for _, id := range l.bench.ids() {
			l.bench.Stop(l.t.Context(), id) // the machine was restarted
		}
		l.bench.Start(l.t.Context(), Spec{Instance: "stray", Colour: Green, Port: 3009})
		l.must(l.app.Recover("maria@host"))
		if got := l.bench.running(); len(got) != 2 {
			l.t.Errorf("running = %v, want both", got)
		}
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
	})
}

func TestADeployIsFinishedOnlyWhenItsRecordSaysSo(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			l.t.Fatal(err)
		}
		synctest.Wait()
		l.stop() // the edge ends in the middle of it
		if err := op.Wait(l.t.Context()); err == nil {
			l.t.Error("a deploy that the end of the edge interrupted says it succeeded")
		}
		l.start(nil)
		l.later(time.Minute)
		told := slices.IndexFunc(l.app.History(), func(r Record) bool { return r.Commit == "b" && !r.OK })
		if told < 0 {
			l.t.Errorf("the history does not tell of the interrupted deploy: %+v", l.app.History())
		}
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
	})
}

// An engine carries out a start although whoever asked for it has gone, be it
// the operation or the whole edge.
func TestAnInstanceThatTurnsUpLateIsRemoved(t *testing.T) {
	for name, loseStart := range map[string]func(*lab){
		"after a failed deploy": func(l *lab) {
			l.bench.noStart = errors.New("no answer")
			op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
			l.fails(CodeFailed, op, err)
		},
		"after a crash": func(l *lab) {
			l.stop()
			l.start(func(point string) {
				if point == "deploy/start/after" {
					l.bench.mu.Lock()
					defer l.bench.mu.Unlock()
					l.bench.stuck = make(chan struct{})
				}
			})
			if _, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"}); err != nil {
				l.t.Fatal(err)
			}
			synctest.Wait()
			l.stop()
			close(l.bench.stuck)
			l.start(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.deploy("a")
				loseStart(l)
				l.bench.noStart = nil
				l.later(lateStart / 2) // a sweep has found nothing
				l.bench.Start(l.t.Context(), Spec{Instance: "late", Colour: Green, Port: 3002})
				l.later(lateStart)
				if got := l.bench.ids(); len(got) != 1 {
					l.t.Errorf("there are %v, want only the active instance", got)
				}
				l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
			})
		})
	}
}
