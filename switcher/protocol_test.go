package switcher

import (
	"context"
	"sync"
	"testing"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// A release that runs goes on being asked as it gets its requests; the next one
// is asked in the new protocol before it has any.
func TestReleaseIsProbedInTheProtocolOfItsRequests(t *testing.T) {
	inLab(t, func(l *lab) {
		var asked sync.Map // by address, whether over h2c
		h2c := func(port int) any {
			last, _ := asked.Load(address(port))
			return last
		}
		l.app.probes.Backend = func(_ context.Context, b proxy.BackendOptions, _, _ string) error {
			asked.Store(b.Address, b.H2C)
			return l.bench.answer(b.Address)
		}
		l.switched()
		l.must(l.app.Confirm("maria@host"))
		s := l.settings()
		s.Backend.H2C = true
		l.app.Apply(s)
		l.later(time.Minute)
		if blue, green := h2c(3001), h2c(3002); blue != false || green != false {
			t.Errorf("after the reload: blue h2c %v, green h2c %v", blue, green)
		}
		l.deploy("c") // over blue
		l.later(time.Minute)
		if blue, green := h2c(3001), h2c(3002); blue != true || green != false {
			t.Errorf("after the deploy: blue h2c %v, green h2c %v", blue, green)
		}
		if !l.app.backend(Blue).Options().H2C || l.app.backend(Green).Options().H2C {
			t.Error("requests are not sent as the probes are")
		}
	})
}
