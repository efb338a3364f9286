package switcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// answerTimeout bounds the question whether the database answers.
const answerTimeout = 2 * time.Second

// outage is what is known of a database that does not answer.
type outage struct {
	mu    sync.Mutex // never held while another lock of the app is taken
	asked time.Time  // when that was last found out
	since time.Time  // it does not; zero: it does
	ended time.Time  // the last time that it did not
	told  knowledge  // of the team, perhaps by an earlier process

	bake time.Time     // beginning of the bake that the last one fell into
	lost time.Duration // of that
}

// askDatabase asks now whether the database does what it should; without one
// nothing is at fault.
func (a *App) askDatabase(ctx context.Context) error {
	db := a.settings.Load().Database
	if db == nil {
		return nil
	}
	within, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %v", answerTimeout))
	defer cancel()
	err := db.Answers(within)
	if ctx.Err() == nil && !misconfigured(err) { // a caller who leaves says nothing about the database
		a.noteAnswer(time.Now(), err)
	}
	return err
}

// misconfigured reports whether it is the configuration that keeps the database
// from being asked.
func misconfigured(err error) bool { return err != nil && CodeOf(err) == CodeUsage }

// noteAnswer takes in whether the database answered at a moment, and tells the
// team when that has changed.
func (a *App) noteAnswer(at time.Time, err error) {
	bake := a.state.Load().Bake
	o := &a.outage
	o.mu.Lock()
	if !at.After(o.asked) {
		o.mu.Unlock()
		return
	}
	o.asked = at
	ended := false
	switch out := !o.since.IsZero(); {
	case err != nil && !out:
		o.since = at
	case err == nil && out:
		ended = true
		if bake != nil {
			if !o.bake.Equal(bake.Began) {
				o.bake, o.lost = bake.Began, 0
			}
			o.lost += at.Sub(later(o.since, bake.Began))
		}
		o.since, o.ended = time.Time{}, at
	}
	now := knownWell
	if err != nil {
		now = knownSick
	}
	if o.told != now {
		o.told = now
		a.tellAnswer(at, err) // before anybody else finds out something newer
	}
	o.mu.Unlock()
	if ended {
		a.judgeAnew()
	}
}

// tellAnswer tells the team whether the database answers.
func (a *App) tellAnswer(at time.Time, err error) {
	n := Notice{Kind: NoticeDatabase, Time: at, App: a.name, Cause: "it answers again", Over: err == nil}
	if err != nil {
		n.Cause = err.Error()
		a.log.Warn("the database does not answer", "error", err)
	}
	a.notify(n)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// forgetOutage begins anew, for an app that has no database any more.
func (a *App) forgetOutage() {
	o := &a.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	told := o.told
	o.told, o.since = knownWell, time.Time{}
	if told != knownWell {
		a.notify(Notice{Kind: NoticeDatabase, Time: time.Now(), App: a.name, Cause: "the app has no database any more", Over: true})
	}
}

// out reports whether the database did not answer when it was last asked.
func (a *App) out() bool {
	a.outage.mu.Lock()
	defer a.outage.mu.Unlock()
	return !a.outage.since.IsZero()
}

// lastOutage is when the database last began to answer again; zero: it always
// has.
func (a *App) lastOutage() time.Time {
	a.outage.mu.Lock()
	defer a.outage.mu.Unlock()
	return a.outage.ended
}

// atFault reports whether what the active release does wrong now may be the
// database's fault: it does not answer, asked now, or has answered again for so
// short a time that the release could not show whether it is well.
func (a *App) atFault(ctx context.Context) bool {
	settings := a.settings.Load()
	if settings.Database == nil {
		return false
	}
	if err := a.askDatabase(ctx); err != nil {
		return !misconfigured(err)
	}
	h := settings.Health
	grace := time.Duration(h.Fall+h.Rise)*min(h.Interval, rushInterval) + h.Timeout
	return time.Since(a.lastOutage()) < grace
}

// bakeUntil is the end of a bake. The time in which the database did not answer
// does not count, for it showed nothing; a restart of the edge forgets it.
func (a *App) bakeUntil(b *Bake) time.Time {
	o := &a.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bake.Equal(b.Began) {
		return b.Until.Add(o.lost)
	}
	return b.Until
}

// judgeAnew makes nothing of what has happened in the bake so far: its figures
// begin at the end of the outage.
func (a *App) judgeAnew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.judged != nil {
		a.judged = &judged{a.judged.began, a.deaths(), a.judged.verdict}
	}
}

// databaseEvery is how often it is looked at what was last found of the
// database.
const databaseEvery = 5 * time.Second

// watchDatabase tells the team what is found of the database, until ctx ends.
func (a *App) watchDatabase(ctx context.Context) error {
	tick := time.NewTicker(databaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.lookAtDatabase()
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *App) lookAtDatabase() {
	db := a.settings.Load().Database
	if db == nil {
		a.forgetOutage()
		a.tellTroubles(nil)
		return
	}
	st := db.Status()
	if st.CheckedAt == nil {
		return
	}
	var err error
	if !st.OK {
		err = errors.New(cmp.Or(st.Error, "it does not answer"))
	}
	if !a.restores() { // which lets nobody in for a moment
		a.noteAnswer(*st.CheckedAt, err)
	}
	a.tellTroubles(a.databaseTroubles(st))
	if err == nil {
		a.retryRecovery()
	}
}

func (a *App) restores() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.op != nil && a.op.Kind == KindRestore
}
