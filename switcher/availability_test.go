package switcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// asks replaces the probes through the public listener of an app that is at
// rest, which does not make any.
func (l *lab) asks(public func(ctx context.Context, slot string, err error) error) {
	real := l.app.probes.Public
	l.app.probes.Public = func(ctx context.Context, host, path string) (string, error) {
		label, err := real(ctx, host, path)
		return label, public(ctx, label, err)
	}
}

func lastRecord(a *App) Record {
	h := a.History()
	return h[len(h)-1]
}

func TestASwitchSaysWhatProductionAnsweredMeanwhile(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.deploy("b")
		l.asks(func(_ context.Context, _ string, err error) error {
			time.Sleep(4 * time.Millisecond)
			return err
		})
		op := l.must(l.app.Switch("maria@host", SwitchRequest{}))
		var result *Result
		var lines []string
		for e := range op.Events(l.t.Context()) {
			lines = append(lines, e.Text)
			if e.Result != nil {
				result = e.Result
			}
		}
		found := result.Availability
		if found == nil || found.Sent < vigilAfter || found.Lost != 0 || found.Worst != 4*time.Millisecond {
			l.t.Fatalf("availability = %+v", found)
		}
		if kept := lastRecord(l.app).Availability; kept == nil || *kept != *found {
			l.t.Errorf("the history says %+v", kept)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "probes during the switch, slowest 4ms") {
			l.t.Errorf("it says\n%s", text)
		}
		if took := time.Since(op.Began); took > vigilWait {
			l.t.Errorf("the switch took %v", took)
		}
	})
}

// moves is a move of production that takes a moment before it happens; said are
// the warnings in which it ends.
func (l *lab) moves(before time.Duration) (found *Availability, said string) {
	l.t.Helper()
	op := newOperation(l.t.Context(), "op", "app", KindRollback, "maria@host")
	l.app.beginVigil(op)
	l.later(before)
	l.app.Service(Production).Set(&proxy.Route{Label: string(Blue), Backend: l.app.backend(Blue)})
	op.vigil.move()
	began := time.Now()
	l.app.endVigil(op)
	if took := time.Since(began); took > vigilWait {
		l.t.Errorf("the end took %v", took)
	}
	op.finish("", nil)
	for e := range op.Events(l.t.Context()) {
		if e.Warning {
			said += e.Text
		}
	}
	return op.availability(), said
}

func TestALostProbeIsAWarningWithItsCause(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		n := 0
		l.asks(func(_ context.Context, _ string, err error) error {
			if n++; n == 3 {
				return errors.New("connection reset")
			}
			return err
		})
		found, said := l.moves(5 * time.Millisecond)
		if found.Lost != 1 || found.LostBefore != 0 || found.Error != "connection reset" {
			l.t.Errorf("availability = %+v", found)
		}
		if !strings.Contains(said, "lost 1: connection reset") {
			l.t.Errorf("it warns %q", said)
		}
	})
}

func TestWhatABrokenReleaseDoesNotAnswerIsNotTheMovesFault(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.bench.setSick("b", errors.New("answered 500"))
		found, said := l.moves(35 * time.Millisecond)
		if found.LostBefore != 4 || found.Lost != 4 || found.Sent < found.Lost+vigilAfter {
			l.t.Errorf("availability = %+v", found)
		}
		if !strings.Contains(said, "lost 4, all before it had moved: answered 500") {
			l.t.Errorf("it says %q", said)
		}
	})
}

func TestProductionThatHangsDoesNotHoldUpTheEndOfAMove(t *testing.T) {
	inLab(t, func(l *lab) {
		l.switched()
		l.asks(func(ctx context.Context, slot string, err error) error {
			if slot == string(Green) {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return err
		})
		if found, _ := l.moves(20 * time.Millisecond); found.Sent != 0 {
			l.t.Errorf("a probe of 120 ms counts: %+v", found)
		}
		l.app.Service(Production).Set(&proxy.Route{Label: string(Green), Backend: l.app.backend(Green)})
		if found, said := l.moves(2 * time.Second); found.Lost != 1 || !strings.Contains(said, "lost 1") {
			l.t.Errorf("a probe of two seconds does not count: %+v, %q", found, said)
		}
	})
}
