package switcher

import (
	"context"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

// freeze has both routes refuse what may write, or not. It lives in memory only:
// a restart of the edge ends it.
func (a *App) freeze(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.frozen == on {
		return
	}
	a.frozen = on
	a.point(Production)
	a.point(Internal)
}

// holdBoth holds the requests of both routes that begin from now on, and waits
// as long as ctx lasts for those in flight. Open WebSockets are not waited for.
// It lives in memory only.
func (a *App) holdBoth(ctx context.Context) (release func()) {
	const look = 5 * time.Millisecond
	a.mu.Lock()
	if a.standstill == nil {
		a.standstill = proxy.NewHold()
		a.point(Production)
		a.point(Internal)
	}
	a.mu.Unlock()
	for a.inFlight() > 0 && sleep(ctx, look) == nil {
	}
	return a.releaseBoth
}

// releaseBoth lets them go. The routes come first: what is let go looks at them
// again.
func (a *App) releaseBoth() {
	a.mu.Lock()
	defer a.mu.Unlock()
	hold := a.standstill
	if hold == nil {
		return
	}
	a.standstill = nil
	a.point(Production)
	a.point(Internal)
	hold.Release()
}

// inFlight counts the requests that the slots serve now.
func (a *App) inFlight() (n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.backends {
		n += b.InFlight()
	}
	return n
}
