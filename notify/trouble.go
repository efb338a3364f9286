package notify

import (
	"time"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// returning is how soon after its end a trouble that begins is the same one.
	returning = 10 * time.Minute
	// firstSettle is how long a trouble that has returned must stay away until
	// it is over; it doubles with every return.
	firstSettle = 5 * time.Minute
	maxSettle   = time.Hour
	// maxTroubles bounds what is kept; there are a few subjects an app.
	maxTroubles = 1000
)

// trouble is one that lasts, or has ended so lately that it may return.
type trouble struct {
	Notice  switcher.Notice `json:"notice"` // as it was told last
	Since   time.Time       `json:"since"`
	Told    time.Time       `json:"told"`              // when it was last told
	Ended   time.Time       `json:"ended,omitzero"`    // it is gone, but may return
	Closed  time.Time       `json:"closed,omitzero"`   // it was told to be over
	End     switcher.Notice `json:"end,omitzero"`      // what ended it
	Blinks  int             `json:"blinks,omitempty"`  // how often it came back untold
	Returns int             `json:"returns,omitempty"` // how often it came back after it was told to be over
}

// settle is how long it must be gone until it is over.
func (t *trouble) settle() time.Duration {
	if t.Returns == 0 {
		return 0
	}
	return min(firstSettle<<min(t.Returns-1, 10), maxSettle)
}

// forget is when it is no longer remembered.
func (t *trouble) forget() time.Time { return t.Closed.Add(max(returning, 2*t.settle())) }

// open reports whether the team believes that it lasts.
func (t *trouble) open() bool { return t.Closed.IsZero() }

// begin takes a trouble in and reports whether that changes anything but what
// is said of one that lasts. Called with n.mu held.
func (n *Notifier) begin(notice switcher.Notice) (news bool) {
	key := notice.Key()
	t := n.troubles[key]
	switch {
	case t != nil && t.open():
		t.Notice = notice
		if t.Ended.IsZero() {
			return false
		}
		t.Ended, t.Blinks = time.Time{}, t.Blinks+1 // it has come back before it was over
		return true
	case t != nil && notice.Time.Before(t.forget()):
		t.Returns++
		*t = trouble{Notice: notice, Since: notice.Time, Returns: t.Returns}
	default:
		t = &trouble{Notice: notice, Since: notice.Time}
		if len(n.troubles) >= maxTroubles {
			n.log.Error("too many troubles at once, this one is told but not followed", "kind", notice.Kind, "app", notice.App)
		} else {
			n.troubles[key] = t
		}
	}
	t.Told = notice.Time
	n.enqueue(message{Notice: notice, Stage: Began, Since: t.Since, Returns: t.Returns})
	return true
}

// end takes in that a trouble is gone and reports whether it was there. Called
// with n.mu held.
func (n *Notifier) end(notice switcher.Notice) (news bool) {
	t := n.troubles[notice.Key()]
	if t == nil || !t.open() || !t.Ended.IsZero() {
		return false
	}
	t.Ended, t.End = notice.Time, notice
	if t.settle() == 0 {
		n.close(t, notice.Time)
	}
	return true
}

// close tells that a trouble is over.
func (n *Notifier) close(t *trouble, now time.Time) {
	t.Closed = now
	notice := t.End
	if notice.Release == nil {
		notice.Release = t.Notice.Release
	}
	n.enqueue(message{Notice: notice, Stage: Ended, Since: t.Since, Blinks: t.Blinks, Returns: t.Returns})
}

// review tells what lasts, closes what has stayed away, forgets what is long
// over, and returns when to look again. Called with n.mu held.
func (n *Notifier) review(now time.Time) time.Time {
	next := now.Add(time.Hour)
	for key, t := range n.troubles {
		switch {
		case !t.open():
			if !now.Before(t.forget()) {
				delete(n.troubles, key)
				poke(n.dirty)
				continue
			}
			next = earlier(next, t.forget())
		case !t.Ended.IsZero():
			if over := t.Ended.Add(t.settle()); now.Before(over) {
				next = earlier(next, over)
			} else {
				n.close(t, now)
				poke(n.dirty)
			}
		default:
			repeat := n.repeat(t.Notice.App)
			if !now.Before(t.Told.Add(repeat)) {
				t.Told = now
				notice := t.Notice
				notice.Time = now
				n.enqueue(message{Notice: notice, Stage: Lasts, Since: t.Since, Blinks: t.Blinks, Returns: t.Returns})
				poke(n.dirty)
			}
			next = earlier(next, t.Told.Add(repeat))
		}
	}
	return next
}

// repeat is how often a trouble of an app is told; of the edge itself, as often
// as the app says that wants it most.
func (n *Notifier) repeat(app string) time.Duration {
	repeat := n.settings.Apps[app].Repeat
	if app == "" {
		for _, a := range n.settings.Apps {
			if a.Repeat > 0 && (repeat == 0 || a.Repeat < repeat) {
				repeat = a.Repeat
			}
		}
	}
	if repeat <= 0 {
		return defaultRepeat
	}
	return repeat
}

// restore takes in the troubles of before a restart.
func (n *Notifier) restore(kept []*trouble) {
	for _, t := range kept {
		if n.knows(t.Notice.App) && len(n.troubles) < maxTroubles {
			n.troubles[t.Notice.Key()] = t
		}
	}
}

// knows reports whether an app is configured; the empty one is the edge.
func (n *Notifier) knows(app string) bool {
	_, known := n.settings.Apps[app]
	return known || app == ""
}
