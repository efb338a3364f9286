package switcher

import (
	"testing"
	"time"
)

func TestUsageOfBothSlotsIsSampled(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.later(2 * usageInterval)
		for _, c := range Colours() {
			u := l.app.Status().Slots[c].Usage
			if u == nil || u.Processors != 0.25 || u.Memory != 1<<20 || u.Restarts != 1 {
				t.Errorf("usage of %s is %+v", c, u)
			}
		}
	})
}

// A stuck engine neither delays who asks for the status nor has old figures
// taken for new ones.
func TestUsageOfAStuckEngineIsNotTold(t *testing.T) {
	inLab(t, func(l *lab) {
		l.atRest()
		l.later(usageInterval)
		stuck := make(chan struct{})
		l.bench.mu.Lock()
		l.bench.stuck = stuck
		l.bench.mu.Unlock()
		l.later(usageInterval)
		before := time.Now()
		if l.app.Status().Slots[Blue].Usage == nil {
			t.Error("one sample that is missing took the last away")
		}
		l.later(usageKept)
		if u := l.app.Status().Slots[Blue].Usage; u != nil {
			t.Errorf("usage is %+v while the engine is stuck", u)
		}
		if took := time.Since(before); took != usageKept {
			t.Errorf("asking took %v", took-usageKept)
		}
		l.bench.mu.Lock()
		l.bench.stuck = nil
		l.bench.mu.Unlock()
		close(stuck)
		l.later(usageInterval)
		if l.app.Status().Slots[Blue].Usage == nil {
			t.Error("the engine answers again, and its usage is not told")
		}
	})
}
