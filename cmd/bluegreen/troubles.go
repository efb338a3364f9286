package main

import (
	"context"
	"fmt"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

const (
	// lookEvery is how often the edge looks for troubles of its own.
	lookEvery = 10 * time.Second
	// renewalPatience is how long a certificate may fail to be renewed until
	// that is a trouble. The first failures are often the CA's or the network's.
	renewalPatience = 10 * time.Minute
	// errorWindow is the time over which production's errors are counted.
	errorWindow = 5 * time.Minute
	// errorSamples is how many requests it takes to say anything of them.
	errorSamples = 100
)

// troubles looks for what no operation notices: certificates that are not
// renewed, disks that fill up, a production that fails.
type troubles struct {
	tell func(switcher.Notice)
	disk func(dir string) (diskUse, error)

	began   time.Time            // of the figures
	failing map[string]time.Time // since when a host's certificate cannot be renewed
	full    map[string]bool      // by folder
	ill     map[string]bool      // whether production fails, by app
}

func newTroubles(tell func(switcher.Notice)) *troubles {
	return &troubles{
		tell: tell, disk: useOfDisk, began: time.Now(),
		failing: map[string]time.Time{}, full: map[string]bool{}, ill: map[string]bool{},
	}
}

// watchTroubles looks until ctx ends. A disk that does not answer stops
// neither it nor the edge.
func (e *edge) watchTroubles(ctx context.Context) error {
	t, looked := newTroubles(e.alerts.Tell), make(chan struct{}, 1)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		go func() {
			e.lookForTroubles(t, time.Now())
			looked <- struct{}{}
		}()
		select {
		case <-looked:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *edge) lookForTroubles(t *troubles, now time.Time) {
	e.mu.Lock()
	c := e.config
	e.mu.Unlock()
	t.certificates(c, e.certs.Status(), now)
	t.disks(c, now)
	for _, app := range e.sortedApps() {
		if section := c.Apps[app.Name()]; section != nil {
			t.production(section, app.Status(), e.metrics, now)
		}
	}
}

// certificates tells of each host whose certificate nears its end, or could
// not be had or renewed for a while.
func (t *troubles) certificates(c *config.Config, all []edgetls.Status, now time.Time) {
	apps := appsOfHosts(c)
	for _, s := range all {
		if s.Error == "" {
			delete(t.failing, s.Host)
		} else if t.failing[s.Host].IsZero() {
			t.failing[s.Host] = now
		}
		failing := s.Error != "" && now.Sub(t.failing[s.Host]) >= renewalPatience
		if s.Error != "" && !failing && !s.Expiring {
			continue // nothing is known yet
		}
		n := switcher.Notice{Kind: switcher.NoticeCertificate, Time: now, App: apps[s.Host], Subject: s.Host, Over: !failing && !s.Expiring}
		if !n.Over {
			n.Cause = certificateCause(s, now)
		}
		t.tell(n)
	}
}

func appsOfHosts(c *config.Config) map[string]string {
	apps := map[string]string{}
	for name, app := range c.Apps {
		for _, hosts := range [][]string{app.Production, app.Internal} {
			for _, host := range hosts {
				apps[host] = name
			}
		}
	}
	return apps
}

func certificateCause(s edgetls.Status, now time.Time) string {
	var cause string
	day, days := s.NotAfter.Format(time.DateOnly), int(s.NotAfter.Sub(now).Hours()/24)
	switch {
	case s.NotAfter.IsZero():
		cause = "there is no certificate yet"
	case now.After(s.NotAfter):
		cause = "it expired on " + day
	default:
		cause = fmt.Sprintf("it expires on %s, in %d d, and was not renewed", day, days)
	}
	if s.Error != "" {
		cause += ": " + s.Error
	}
	return cause
}

// disks tells of each disk that is fuller than it should be, once for the
// folders that share it, until it is two points below that.
func (t *troubles) disks(c *config.Config, now time.Time) {
	warn := float64(c.Disk.Warn)
	seen := map[uint64]bool{}
	for _, dir := range []string{c.State.Dir, c.Logs.Dir} {
		use, err := t.disk(dir)
		if err != nil || warn == 0 || seen[use.device] {
			continue
		}
		seen[use.device] = true
		n := switcher.Notice{Kind: switcher.NoticeDisk, Time: now, Subject: dir}
		switch {
		case use.percent >= warn:
			t.full[dir] = true
		case use.percent < warn-2:
			t.full[dir] = false
		case !t.full[dir]:
			continue // between the two, and unknown from before a restart
		}
		if n.Over = !t.full[dir]; !n.Over {
			n.Cause = use.cause()
		}
		t.tell(n)
	}
}

// production tells when more of an app's requests fail than it may, until half
// of that do. Each release is judged by its own requests only.
func (t *troubles) production(app *config.App, st switcher.Status, m *metrics.Metrics, now time.Time) {
	limit := float64(app.Notify.ErrorRate)
	slot := st.Slots[st.Active]
	if st.Active == "" || slot.Release == nil {
		return
	}
	f := m.Figures(app.Name, string(switcher.Production), string(st.Active), slot.Release.ID, now.Add(-errorWindow), now)
	rate := 100 * float64(f.Errors) / max(float64(f.Requests), 1)
	switch {
	case limit == 0:
		t.ill[app.Name] = false
	case f.Requests >= errorSamples && rate > limit:
		t.ill[app.Name] = true
	case f.Requests >= errorSamples && rate <= limit/2, f.Errors == 0 && now.Sub(t.began) >= errorWindow:
		t.ill[app.Name] = false
	case !t.ill[app.Name]:
		return // too few requests, or something between
	}
	for _, c := range switcher.Colours() {
		n := switcher.Notice{Kind: switcher.NoticeErrorRate, Time: now, App: app.Name, Colour: c, Over: c != st.Active || !t.ill[app.Name]}
		if !n.Over {
			n.Release, n.Cause = slot.Release, errorCause(f, rate, limit)
		}
		t.tell(n)
	}
}

func errorCause(f metrics.Figures, rate, limit float64) string {
	return fmt.Sprintf("%d of %d requests (%s %%) have failed in %d minutes, the limit is %s %%",
		f.Errors, f.Requests, decimal(rate), int(errorWindow.Minutes()), decimal(limit))
}
