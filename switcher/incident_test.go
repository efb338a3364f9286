package switcher

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// instance is the id of what a slot holds.
func (l *lab) instance(c Colour) string { return l.app.Status().Slots[c].Instance }

// dies lets the instance of a slot die as one that its runtime starts again.
func (l *lab) dies(c Colour, i Incident) {
	i.Kind, i.Instance = IncidentDied, l.instance(c)
	l.bench.happens(i)
	synctest.Wait()
}

func TestADeathIsToldAtOnceAndHasTheSlotProbed(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.noticed()
		l.bench.probes(Blue)
		l.bench.probes(Green)
		l.bench.setWords("listening", "fatal: postgres://app:hunter2@db/chat is gone", strings.Repeat("ñ", 400))
		l.dies(Green, Incident{ExitCode: 3})
		n := l.one(NoticeDied)
		if n.Over || n.Colour != Green || n.Release.Commit != "b" || n.Cause != "it exited with code 3" {
			l.t.Errorf("%+v", n)
		}
		if said := strings.Join(n.Output, "\n"); strings.Contains(said, "hunter2") || !strings.Contains(said, "db/chat is gone") || len(said) > 500 {
			l.t.Errorf("its last words are %q", said)
		}
		l.later(300 * time.Millisecond)
		if blue, green := l.bench.probes(Blue), l.bench.probes(Green); blue != 0 || green != 1 {
			l.t.Errorf("probed blue %d times, green %d times", blue, green)
		}
		if h := l.app.Status().Slots[Green].Health; h.Status != Healthy {
			l.t.Errorf("health = %+v by a death alone", h)
		}
	})
}

func TestAnEngineThatGoesAwayHasBothSlotsProbed(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.bench.probes(Blue)
		l.bench.probes(Green)
		l.bench.happens(Incident{Kind: IncidentEngine})
		l.later(300 * time.Millisecond)
		if blue, green := l.bench.probes(Blue), l.bench.probes(Green); blue != 1 || green != 1 {
			l.t.Errorf("probed blue %d times, green %d times", blue, green)
		}
	})
}

func TestRepeatedDeathsAreOneTroubleThatEndsWhenTheSlotHasBeenWell(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.noticed()
		for range 3 {
			l.dies(Blue, Incident{ExitCode: 137, OOM: true})
			l.later(10 * time.Second)
		}
		keys := map[NoticeKey]int{}
		told := l.noticed(NoticeDied)
		for _, n := range told {
			keys[n.Key()]++
		}
		if len(told) != 3 || len(keys) != 1 {
			l.t.Fatalf("%+v", told)
		}
		if want := "the kernel killed it for lack of memory (exit code 137); it has died 3 times in 20s"; told[2].Cause != want {
			l.t.Errorf("cause = %q, want %q", told[2].Cause, want)
		}
		l.later(40 * time.Second)
		if got := l.noticed(NoticeDied); len(got) != 0 {
			l.t.Errorf("over too soon: %+v", got)
		}
		l.later(time.Minute)
		if n := l.one(NoticeDied); !n.Over || n.Colour != Blue {
			l.t.Errorf("%+v", n)
		}
		l.dies(Blue, Incident{ExitCode: 1})
		if n := l.one(NoticeDied); n.Cause != "it exited with code 1" {
			l.t.Errorf("a new trouble counts anew: %q", n.Cause)
		}
	})
}

func TestADeathThatTheEdgeHasCausedIsNoIncident(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.bench.tellDeaths()
		l.noticed()
		l.must(l.app.Rollback("maria@host", RollbackRequest{})) // stops green
		l.later(time.Minute)
		l.must(l.app.Discard("maria@host"))
		l.deploy("c")
		l.must(l.app.Discard("maria@host"))
		l.deploy("d")
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Confirm("maria@host"))
		l.must(l.app.Cleanup("maria@host"))
		l.bench.dying["e"] = 1
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "e"})
		l.fails(CodeFailed, op, err)
		l.later(time.Minute)
		if got := l.noticed(NoticeDied); len(got) != 0 {
			l.t.Errorf("notices = %+v", got)
		}
	})
}

func TestAnInstanceThatComesBackIsKnownByItsStart(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		before := l.app.Status().Slots[Green].Running
		if before == nil {
			l.t.Fatal("nobody knows since when green runs")
		}
		l.dies(Green, Incident{ExitCode: 1})
		if now := l.app.Status().Slots[Green].Running; now != nil {
			l.t.Errorf("green has died and runs since %v", now)
		}
		l.later(time.Second)
		l.bench.happens(Incident{Kind: IncidentStarted, Instance: l.instance(Green)})
		if now := l.app.Status().Slots[Green].Running; now == nil || !now.After(*before) {
			l.t.Errorf("green runs since %v", now)
		}
	})
}

func TestAReloadThatBringsAnotherRuntimeIsWatchedToo(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.noticed()
		next := l.bench.clone()
		settings := l.settings()
		settings.Runtime = next
		l.app.Apply(settings)
		synctest.Wait()
		next.happens(Incident{Kind: IncidentDied, Instance: l.instance(Blue), ExitCode: 1})
		synctest.Wait()
		if n := l.one(NoticeDied); n.Colour != Blue {
			l.t.Errorf("%+v", n)
		}
	})
}

// tellDeaths has the bench tell deaths that come by Stop and Remove, as an
// engine does.
func (b *bench) tellDeaths() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.telling = true
}

func (b *bench) setWords(lines ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.words = lines
}
