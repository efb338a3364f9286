package switcher

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// Invariant 4, its second half: an unreadable state is a refusal with the
// reason and the fix, and the fix needs no restart of the edge.
func TestAnAppOutOfServiceIsRestoredBesideARunningEdge(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		want := l.app.Status()
		l.stop()
		if err := os.Truncate(filepath.Join(l.dir, "app", stateFile), 20); err != nil {
			l.t.Fatal(err)
		}
		l.start(nil)
		if st := l.app.Status(); st.Error == "" || l.app.Service(Production).Route().Backend != nil {
			l.t.Fatalf("an app without a readable state is in service: %+v", st)
		}
		if _, err := l.app.Recover("maria@host"); !errors.Is(err, ErrUnreadable) {
			l.t.Fatalf("recover without a restored state: %v, want the reason", err)
		}
		if got := l.bench.running(); len(got) != 2 {
			l.t.Fatalf("running = %v: an unreadable state has cost an instance", got)
		}
		if _, err := Restore(l.dir, "app"); err != nil {
			l.t.Fatalf("restoring beside the running edge: %v", err)
		}
		if st := l.app.Status(); st.Error == "" {
			l.t.Error("the app came back into service unasked")
		}
		l.must(l.app.Recover("maria@host"))
		synctest.Wait()
		if st := l.app.Status(); st.Error != "" || shapeOf(st) != shapeOf(want) {
			l.t.Errorf("status = %+v, want %+v", shapeOf(st), shapeOf(want))
		}
		if _, err := Inspect(l.dir, "app"); CodeOf(err) != CodeBusy {
			l.t.Errorf("looking at a state that is in service again: %v, want busy", err)
		}
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
	})
}

func TestAnAppOutOfServiceIsOwnedAgainOnlyByARunningEdge(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.stop()
		file := filepath.Join(l.dir, "app", stateFile)
		whole, err := os.ReadFile(file)
		if err != nil {
			l.t.Fatal(err)
		}
		os.Truncate(file, 0)
		l.start(nil)
		os.WriteFile(file, whole, 0o600)
		l.stop()
		if _, err := l.app.Recover("maria@host"); CodeOf(err) != CodeUnreachable {
			l.t.Errorf("recover after the end of the edge: %v, want a refusal", err)
		}
		l.start(nil)
	})
}

func TestWithoutAnyRecordedStateNothingIsRemovedUnasked(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.stop()
		for _, id := range l.bench.ids() {
			l.bench.Stop(l.t.Context(), id) // nothing runs that could be adopted
		}
		l.dir = l.t.TempDir() // the right one is not mounted
		l.start(nil)
		if got := l.bench.ids(); len(got) != 1 || l.app.Status().Alert == "" {
			l.t.Errorf("instances = %v, alert %q; want the one left alone and somebody told", got, l.app.Status().Alert)
		}
		l.must(l.app.Recover("maria@host"))
		if got := l.bench.ids(); len(got) != 0 {
			l.t.Errorf("instances = %v after an operator asked for the recorded state", got)
		}
	})
}
