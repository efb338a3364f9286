package switcher

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLifeOfAReleaseFollowsTheTable(t *testing.T) {
	inLab(t, func(l *lab) {
		l.want(shape{PhaseEmpty, Empty, Empty, "", ""})
		l.deploy("a")
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
		l.deploy("b")
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.want(shape{PhaseBaking, Previous, Active, Green, Green})
		l.must(l.app.Rollback("maria@host", RollbackRequest{Reason: "broken links"}))
		synctest.Wait()
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		l.must(l.app.Discard("maria@host"))
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
		l.deploy("c")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Confirm("maria@host"))
		l.want(shape{PhaseSteady, Previous, Active, Green, Green})
		l.must(l.app.Cleanup("maria@host"))
		l.want(shape{PhaseSteady, Empty, Active, Green, Green})
		if got := l.bench.ids(); len(got) != 1 {
			t.Errorf("instances = %v, want the active one alone", got)
		}
	})
}

func TestHistoryTellsWhoWhatWhyAndHowLong(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("juan@host", SwitchRequest{}))
		l.must(l.app.Rollback("maria@host", RollbackRequest{Reason: "broken links"}))
		h := l.app.History()
		if len(h) != 4 {
			t.Fatalf("history has %d records, want 4: %+v", len(h), h)
		}
		last := h[3]
		if last.Kind != KindRollback || last.Actor != "maria@host" || last.Reason != "broken links" || !last.OK || last.Commit != "a" || last.Began.IsZero() {
			t.Errorf("last record = %+v", last)
		}
		if h[0].Took <= 0 || h[0].Release != "r1" || h[0].Colour != Blue {
			t.Errorf("first record = %+v", h[0])
		}
	})
}

func TestFirstReleaseGoesToTheConfiguredColour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, dir: t.TempDir(), bench: newBench()}
		l.start(nil)
		l.app.first = Green
		l.deploy("a")
		l.want(shape{PhaseSteady, Empty, Active, Green, Green})
		l.stop()
	})
}

// Invariant 3: deploy never changes the production route but for the first
// release, and nothing switches by itself.
func TestDeployNeverMovesProduction(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		before := l.app.Service(Production).Route()
		for _, commit := range []string{"b", "c", "d"} {
			l.deploy(commit)
			if l.app.Service(Production).Route() != before {
				t.Fatalf("deploying %s touched the production route", commit)
			}
		}
		l.later(24 * time.Hour)
		if l.app.Service(Production).Route() != before {
			t.Error("production moved by itself")
		}
	})
}

func TestDeployOverACandidateReplacesIt(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.deploy("c")
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
		if got := l.app.Status().Slots[Green].Release.Commit; got != "c" {
			t.Errorf("green holds %s, want c", got)
		}
		if got := l.bench.ids(); len(got) != 2 {
			t.Errorf("instances = %v, want two", got)
		}
	})
}

func TestDeployIsRefusedWhileBakingWithTheTimeLeft(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.later(4 * time.Minute)
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "c"})
		if err := l.fails(CodeRefused, op, err); !strings.Contains(err.Error(), "6m0s") {
			t.Errorf("error %q does not tell the time left", err)
		}
		l.must(l.app.Confirm("maria@host"))
		l.deploy("c")
	})
}

func TestDeployOverAWarmPreviousSaysThatRollbackEnds(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Confirm("maria@host"))
		op := l.deploy("c")
		warned := false
		for e := range op.Events(l.t.Context()) {
			warned = warned || e.Warning && strings.Contains(e.Text, "rollback to r1 (a) ends here")
		}
		if !warned {
			t.Error("no warning that the way back is gone")
		}
	})
}

func TestASecondOperationIsRefusedWithWhoHoldsTheApp(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.stuck = make(chan struct{})
		first, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		op, err := l.app.Cleanup("juan@host")
		text := l.fails(CodeBusy, op, err).Error()
		for _, want := range []string{"deploy", "maria@host", "pull"} {
			if !strings.Contains(text, want) {
				t.Errorf("refusal %q does not mention %q", text, want)
			}
		}
		close(l.bench.stuck)
		l.must(first, nil)
	})
}

func TestDiscardAbortsARunningDeploy(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.setSick("b", errors.New("answered 503"))
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			t.Fatal(err)
		}
		l.later(10 * time.Second)
		l.must(l.app.Discard("juan@host"))
		if err := op.Wait(l.t.Context()); !errors.Is(err, ErrDiscarded) {
			t.Errorf("the deploy ended with %v", err)
		}
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
		if got := l.bench.ids(); len(got) != 1 {
			t.Errorf("instances = %v, want the active one alone", got)
		}
	})
}

func TestABareDeployIsAUsageError(t *testing.T) {
	inLab(t, func(l *lab) {
		op, err := l.app.Deploy("maria@host", DeployRequest{})
		l.fails(CodeUsage, op, err)
		op, err = l.app.Deploy("maria@host", DeployRequest{Commit: "app:b"})
		l.fails(CodeUsage, op, err)
	})
}

func TestAnUnknownImageChangesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "unknown"})
		l.fails(CodeFailed, op, err)
		l.want(shape{PhaseTesting, Active, Testing, Blue, Green})
	})
}

func TestAnInstanceThatDiesWhileStartingFailsTheDeployAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.dying["b"] = 3
		began := time.Now()
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		err = l.fails(CodeFailed, op, err)
		var e *Error
		if !errors.As(err, &e) || len(e.Output) == 0 || !strings.Contains(e.What, "exited with code 3") {
			t.Errorf("error = %+v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
	})
}

func TestAReleaseThatIsNeverHealthyFailsAtTheDeadline(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.setSick("b", errors.New("answered 503"))
		began := time.Now()
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err := l.fails(CodeUnhealthy, op, err); !strings.Contains(err.Error(), "answered 503") {
			t.Errorf("error %q does not say what the probe saw", err)
		}
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("the deploy failed after %v, want at the deadline of 2m", took)
		}
		l.want(shape{PhaseSteady, Active, Failed, Blue, Blue})
		if got := l.bench.running(); len(got) != 1 {
			t.Errorf("running = %v, want the active one alone", got)
		}
	})
}

func TestAFailedStartLeavesTheSlotEmpty(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.noStart = errors.New("no space left on device")
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		l.fails(CodeFailed, op, err)
		l.want(shape{PhaseSteady, Active, Empty, Blue, Blue})
	})
}

func TestARoutedSlotIsNotDrained(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		for _, c := range Colours() {
			op, err := l.app.Drain("maria@host", DrainRequest{Colour: c})
			l.fails(CodeRefused, op, err)
		}
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Drain("maria@host", DrainRequest{}))
	})
}

func TestCleanupPrunesReleasesBeyondTheNewestFive(t *testing.T) {
	inLab(t, func(l *lab) {
		for _, commit := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			l.deploy(commit)
			if l.app.Status().Phase == PhaseTesting {
				l.must(l.app.Switch("maria@host", SwitchRequest{}))
				l.must(l.app.Confirm("maria@host"))
			}
		}
		l.must(l.app.Cleanup("maria@host"))
		if got := strings.Join(l.bench.pruned, " "); got != "sha256:registry.test/app:a sha256:registry.test/app:b" {
			t.Errorf("pruned %q", got)
		}
	})
}

func TestTheStateDoesNotGrowWithTheYears(t *testing.T) {
	s := newState("app")
	for n := range 3 * historyKept {
		s.record(Record{ID: fmt.Sprint(n)})
		s.remember(Release{ID: fmt.Sprint(n), ImageID: fmt.Sprint(n)})
		s.remember(Release{ID: fmt.Sprint(n), ImageID: "the same again"})
	}
	if len(s.History) != historyKept || len(s.Releases) != releasesTold {
		t.Errorf("%d records, %d releases", len(s.History), len(s.Releases))
	}
	if last := s.Releases[len(s.Releases)-1]; last.ID != fmt.Sprint(3*historyKept-1) {
		t.Errorf("the newest release is forgotten: %+v", last)
	}
}
