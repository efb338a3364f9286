package switcher

import (
	"context"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"
)

// IncidentKind says what has happened to an instance.
type IncidentKind string

const (
	IncidentStarted   IncidentKind = "started"
	IncidentDied      IncidentKind = "died"      // for whatever reason, also because it was asked to
	IncidentOOM       IncidentKind = "oom"       // the kernel killed a process of it for lack of memory
	IncidentUnhealthy IncidentKind = "unhealthy" // by the health check of its image
	IncidentEngine    IncidentKind = "engine"    // of no instance: what runs them has gone away
)

// ExitUnknown is the exit code of an instance that nobody has seen end: whoever
// runs it was not there, or had not started it.
const ExitUnknown = -1

// Incident is something that has happened to an instance by itself.
type Incident struct {
	Kind     IncidentKind
	Instance string
	Time     time.Time
	ExitCode int  // of one that died
	OOM      bool // it died for lack of memory, as far as the runtime knows
}

// watchRuntime follows what happens to the instances. A reload may bring
// another runtime.
func (a *App) watchRuntime(ctx context.Context) error {
	const again = time.Second
	for ctx.Err() == nil {
		within, leave := context.WithCancel(ctx)
		a.mu.Lock()
		runtime := a.settings.Load().Runtime
		a.leaveRuntime = leave
		a.mu.Unlock()
		err := runtime.Watch(within, func(i Incident) { a.incident(ctx, i) })
		replaced := within.Err() != nil
		leave()
		if !replaced {
			a.log.Warn("watching the instances", "error", err)
			_ = sleep(ctx, again)
		}
	}
	return nil
}

// incident has a slot probed at once to whose instance something has happened.
// What is not meant to run may die: the edge itself has seen to that, or a
// deploy watches it.
func (a *App) incident(ctx context.Context, i Incident) {
	if i.Kind == IncidentEngine {
		a.log.Warn("the runtime has gone away: the slots are probed")
		for _, p := range a.paces {
			p.ask()
		}
		return
	}
	c, warm := a.slotOf(i.Instance)
	if c == "" {
		return
	}
	t := a.tracker(c)
	if i.Kind == IncidentStarted {
		t.started(i.Time)
	}
	if !warm {
		return
	}
	if i.Kind != IncidentStarted {
		a.log.Warn("an instance is in trouble", "instance", i.Instance, "colour", c, "trouble", i.Kind, "exit_code", i.ExitCode, "out_of_memory", i.OOM)
	}
	a.paces[c].ask()
	if i.Kind == IncidentDied {
		n := a.about(NoticeDied, c)
		n.Time, n.Cause = i.Time, t.died(i)
		a.background.Go(func() {
			n.Output = a.lastWords(ctx, i.Instance)
			if _, warm := a.slotOf(i.Instance); warm { // nobody has stopped it meanwhile
				a.notify(n)
			}
		})
	}
}

// slotOf returns the slot that holds an instance, empty if none does, and
// whether it is meant to be running there.
func (a *App) slotOf(instance string) (c Colour, warm bool) {
	s := a.state.Load()
	for _, c := range Colours() {
		if slot := s.Slots[c]; slot.Instance == instance {
			return c, slot.warm()
		}
	}
	return "", false
}

const (
	wordsTold = 10  // lines of an instance that died
	wordsLong = 300 // bytes of each
)

// credentials are what a URL says of its user, which a backend may have printed.
var credentials = regexp.MustCompile(`(://)[^/\s@]+@`)

// lastWords are the last lines of an instance that died, fit to be sent around.
func (a *App) lastWords(ctx context.Context, instance string) []string {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	lines, err := a.settings.Load().Runtime.Tail(ctx, instance, wordsTold)
	if err != nil {
		return nil
	}
	for i, line := range lines {
		line = credentials.ReplaceAllString(line, "${1}…@")
		if len(line) > wordsLong {
			cut := wordsLong
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			line = line[:cut] + "…"
		}
		lines[i] = line
	}
	return lines
}

// deathsSeen counts the deaths of what runs in the slot.
func (t *tracker) deathsSeen() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// calm is how long an instance has to be well for its deaths to be over.
const calm = time.Minute

// died notes a death and returns what is to be said of it.
func (t *tracker) died(i Incident) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead || t.deaths == 0 {
		t.deaths, t.firstDeath = 0, i.Time
	}
	t.dead = true
	t.deaths++
	t.seen++
	t.lastDeath = i.Time
	t.running = time.Time{}
	what := fmt.Sprintf("it exited with code %d", i.ExitCode)
	switch {
	case i.OOM:
		what = fmt.Sprintf("the kernel killed it for lack of memory (exit code %d)", i.ExitCode)
	case i.ExitCode == ExitUnknown:
		what = "it died, nobody knows with which exit code"
	}
	if t.deaths > 1 {
		what += fmt.Sprintf("; it has died %d times in %v", t.deaths, round(t.lastDeath.Sub(t.firstDeath)))
	}
	return what
}

// calmed reports, once, that an instance that had died is well again for good.
func (t *tracker) calmed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead || t.health.Status != Healthy || t.health.Failures > 0 || time.Since(t.lastDeath) < calm {
		return false
	}
	t.dead, t.deaths = false, 0
	return true
}

// started notes since when the instance runs.
func (t *tracker) started(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = at
}

// runs returns since when the instance runs; nil: it does not, or nobody knows.
func (t *tracker) runs() *time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running.IsZero() {
		return nil
	}
	since := t.running
	return &since
}
