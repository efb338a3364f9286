package switcher

import (
	"fmt"
	"time"
)

// databaseTroubles are what the team should know of a database that answers or
// not: a schema that was changed by hand, or that a release cannot live with,
// and backups that are late.
func (a *App) databaseTroubles(st DatabaseStatus) map[NoticeKey]Notice {
	found := map[NoticeKey]Notice{}
	add := func(n Notice, format string, args ...any) {
		n.Time, n.App, n.Cause = time.Now(), a.name, fmt.Sprintf(format, args...)
		found[n.Key()] = n
	}
	s := a.state.Load()
	if st.Drift != "" {
		add(Notice{Kind: NoticeSchema}, "the schema was changed by hand: %s", st.Drift)
	}
	if back := s.Slots[s.Active.Other()]; back.State == Previous {
		if _, stops := a.back(back.Release); stops != "" {
			add(a.about(NoticeSchema, s.Active.Other()), "production can no longer go back: %s", cannotReturn(back.Release, stops))
		}
	}
	if c, why := a.failing(); why != "" && c == s.Active {
		add(a.about(NoticeSchema, c), "%s", why)
	}
	if b := st.Backup; b != nil {
		switch {
		case b.Error != "":
			add(Notice{Kind: NoticeBackup}, "the last backup has failed: %s", b.Error)
		case b.Late && b.At == nil:
			add(Notice{Kind: NoticeBackup}, "there is no backup")
		case b.Late:
			add(Notice{Kind: NoticeBackup}, "the newest backup is %d hours old", int(time.Since(*b.At).Hours()))
		}
	}
	return found
}

// tellTroubles tells those that are new, and the end of those that are not any
// more; nobody knows which ones an earlier process has told.
func (a *App) tellTroubles(found map[NoticeKey]Notice) {
	keys := []NoticeKey{{Kind: NoticeBackup, App: a.name}, {Kind: NoticeSchema, App: a.name}}
	for _, c := range Colours() {
		keys = append(keys, NoticeKey{Kind: NoticeSchema, App: a.name, Colour: c})
	}
	a.telling.Lock()
	defer a.telling.Unlock()
	for _, key := range keys {
		n, ill := found[key]
		was, known := a.ill[key]
		a.ill[key] = ill
		switch {
		case known && was == ill:
		case ill:
			a.notify(n)
		default:
			a.notify(Notice{Kind: key.Kind, Time: time.Now(), App: a.name, Colour: key.Colour, Cause: "it is as it should be", Over: true})
		}
	}
}

// misfit is an active release that has failed on a new schema.
type misfit struct {
	colour  Colour
	release string
	why     string
}

// tellSchema tells that the active release fails on a new schema.
func (a *App) tellSchema(c Colour, why string) {
	a.mu.Lock()
	a.misfit = misfit{c, a.state.Load().Slots[c].Release.ID, why}
	a.mu.Unlock()
	a.lookAtDatabase()
}

// failing says which slot holds an active release that has failed on a new
// schema and has not been well since; without a reason none does.
func (a *App) failing() (Colour, string) {
	a.mu.Lock()
	m := a.misfit
	a.mu.Unlock()
	if m.why == "" {
		return "", ""
	}
	r, h := a.state.Load().Slots[m.colour].Release, a.healthOf(m.colour)
	over := h.Failures == 0 && h.FailedAt != nil && time.Since(*h.FailedAt) > calm
	if r == nil || r.ID != m.release || over {
		a.mu.Lock()
		if a.misfit == m {
			a.misfit = misfit{}
		}
		a.mu.Unlock()
		return "", ""
	}
	return m.colour, m.why
}
