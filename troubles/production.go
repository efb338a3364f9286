package troubles

import (
	"fmt"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// errorWindow is the time over which production's errors are counted.
	errorWindow = 5 * time.Minute
	// errorSamples is how many requests it takes to say anything of them.
	errorSamples = 100
)

// App is an app whose production is looked at.
type App struct {
	Status switcher.Status
	Limit  float64 // how many per cent of production may fail; 0: that is never told
}

// production tells when more of an app's requests fail than it may, until half
// of that do. Each release is judged by its own requests only.
func (w *Watcher) production(app App, now time.Time) {
	name, active := app.Status.App, app.Status.Active
	release := app.Status.Slots[active].Release
	if active == "" || release == nil {
		return
	}
	requests, errors := w.options.Figures(name, active, release.ID, now.Add(-errorWindow), now)
	rate := 100 * float64(errors) / max(float64(requests), 1)
	known := true
	switch {
	case app.Limit == 0:
		w.ill[name] = false
	case requests >= errorSamples && rate > app.Limit:
		w.ill[name] = true
	case requests >= errorSamples && rate <= app.Limit/2, errors == 0 && now.Sub(w.began) >= errorWindow:
		w.ill[name] = false
	case !w.ill[name]:
		known = false // too few requests, or something between
	}
	for _, c := range switcher.Colours() {
		if c == active && !known {
			continue
		}
		n := switcher.Notice{Kind: switcher.NoticeErrorRate, Time: now, App: name, Colour: c, Over: c != active || !w.ill[name]}
		if !n.Over {
			n.Release = release
			n.Cause = fmt.Sprintf("%d of %d requests (%s %%) have failed in %d minutes, the limit is %s %%",
				errors, requests, decimal(rate), int(errorWindow.Minutes()), decimal(app.Limit))
		}
		w.options.Tell(n)
	}
}
