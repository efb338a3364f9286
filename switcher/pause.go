package switcher

import (
	"fmt"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

const (
	// PauseDefault is how long a pause lasts at most unless told otherwise.
	PauseDefault = 30 * time.Second
	// PauseLimit bounds what may be asked for: clients do not wait longer.
	PauseLimit = 10 * time.Minute
)

// PauseRequest asks for production's requests to be held.
type PauseRequest struct {
	Max time.Duration `json:"max,omitempty"` // nanoseconds, from now on; 0: PauseDefault
}

// PauseStatus is a pause that goes on.
type PauseStatus struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // it ends by itself
	By    Actor     `json:"by"`
	Held  int64     `json:"held"` // requests that wait
}

// Answer says what a request has done that is no operation: it holds nothing
// that others wait for, and is over at once.
type Answer struct {
	Changed     bool         `json:"changed"` // false: it was so already; its end may have moved
	Text        string       `json:"text"`    // one sentence
	Pause       *PauseStatus `json:"pause,omitempty"`
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	Links       []Link       `json:"links,omitempty"` // past the maintenance page
}

// pause holds production. It lives in memory only: a restart of the edge ends
// it, for the requests that it held are gone as well.
type pause struct {
	by    Actor
	since time.Time
	until time.Time
	hold  *proxy.Hold
	timer *time.Timer
}

// Pause holds the requests of production that begin from now on, until Resume
// or for r.Max. A second one moves the end. Internal hosts, probes and open
// WebSockets are not affected, nor is any operation.
func (a *App) Pause(actor Actor, r PauseRequest) (Answer, error) {
	if r.Max == 0 {
		r.Max = PauseDefault
	}
	if r.Max < 0 || r.Max > PauseLimit {
		return Answer{}, &Error{Code: CodeUsage, What: fmt.Sprintf("a pause of %v is out of range", r.Max),
			Hint: fmt.Sprintf("longer than 0s, at most %v", PauseLimit)}
	}
	a.awaitBegin()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.inService(); err != nil {
		return Answer{}, err
	}
	now := time.Now()
	if p := a.paused; p != nil {
		p.until = now.Add(r.Max)
		p.timer.Reset(r.Max)
		text := fmt.Sprintf("production is paused already, since %s by %s; it now ends by itself in %v", p.since.Format(time.TimeOnly), p.by, r.Max)
		a.keep(Record{ID: newID(), Kind: KindPause, Actor: actor, Began: now, OK: true, Result: text})
		return Answer{Text: text, Pause: p.status()}, nil
	}
	p := &pause{by: actor, since: now, until: now.Add(r.Max), hold: proxy.NewHold()}
	a.paused = p
	a.point(Production)
	p.timer = time.AfterFunc(r.Max, func() { a.endForgotten(p) })
	text := fmt.Sprintf("production is paused, for %v at most", r.Max)
	a.log.Info(text, "by", actor)
	a.keep(Record{ID: newID(), Kind: KindPause, Actor: actor, Began: now, OK: true, Result: text})
	return Answer{Changed: true, Text: text, Pause: p.status()}, nil
}

// Resume lets the held requests go to the slot that is active now.
func (a *App) Resume(actor Actor) (Answer, error) {
	a.awaitBegin()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.inService(); err != nil {
		return Answer{}, err
	}
	if a.paused == nil {
		return Answer{Text: "production is not paused"}, nil
	}
	return Answer{Changed: true, Text: a.resumePaused(actor, "production goes on")}, nil
}

// endForgotten is the end that a pause has by itself.
func (a *App) endForgotten(p *pause) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.paused != p || time.Now().Before(p.until) { // resumed, or moved, in this very moment
		return
	}
	a.resumePaused(Self, "the pause has run its time, production goes on")
}

// resumePaused ends the pause and records it. Called with a.mu held.
func (a *App) resumePaused(actor Actor, what string) string {
	p := a.paused
	a.letGo()
	text := fmt.Sprintf("%s after %v; held: %s", what, round(time.Since(p.since)), count(p.hold.Total(), "request"))
	if n := p.hold.TurnedAway(); n > 0 {
		text += fmt.Sprintf(", and %s turned away, for there was no place left", count(n, "more request"))
	}
	a.log.Info(text, "by", actor)
	a.keep(Record{ID: newID(), Kind: KindResume, Actor: actor, Began: time.Now(), OK: true, Result: text})
	return text
}

// letGo ends the pause, if there is one. The route comes first: what is let go
// looks at it again. Called with a.mu held.
func (a *App) letGo() {
	p := a.paused
	if p == nil {
		return
	}
	a.paused = nil
	p.timer.Stop()
	a.point(Production)
	p.hold.Release()
}

func (p *pause) status() *PauseStatus {
	return &PauseStatus{Since: p.since, Until: p.until, By: p.by, Held: p.hold.Waiting()}
}
