package switcher

import (
	"slices"
	"sync"
	"time"
)

// tracker turns single probes into a verdict: rise successes in a row make a
// slot healthy, fall failures in a row unhealthy. The very first success is
// enough after a start of the edge, for nothing spoke against the slot yet.
type tracker struct {
	mu        sync.Mutex
	health    Health
	history   []HealthCheck
	seen      int // deaths, also those that were told to be over
	successes int
	failedAt  time.Time // of the last failure that counted
	troubled  time.Time // since when it fails, or recovers from that; zero: it does not
	running   time.Time // since when the instance does; zero: it does not, or nobody knows

	deaths                int // since it was well
	firstDeath, lastDeath time.Time

	// What the team was told and what is not over, perhaps by an earlier process.
	sick knowledge
	dead bool
}

// knowledge is what the team knows of a slot's health.
type knowledge string

const (
	knownWell knowledge = "" // or nothing was told of it
	knownSick knowledge = "unhealthy"
	unsure    knowledge = "unsure" // an earlier process may have told anything
)

// healthKept is how many checks of a slot are remembered.
const healthKept = 60

// firstTracker is a slot's after a start of the edge.
func firstTracker() *tracker { return &tracker{sick: unsure, dead: true, lastDeath: time.Now()} }

func (t *tracker) note(err error, took time.Duration, s HealthSettings) (from, to HealthStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	h := &t.health
	from = h.Status
	h.CheckedAt = &now
	h.LatencyMS = float64(took.Microseconds()) / 1000
	check := HealthCheck{Time: now, OK: err == nil, LatencyMS: h.LatencyMS}
	if err != nil {
		check.Error = err.Error()
		h.Error = check.Error
		h.FailedAt, h.LastError = &now, check.Error
		t.successes = 0
		// One hiccup seen by several probes at once is still one failure.
		if now.Sub(t.failedAt) >= min(s.Interval, rushInterval)/2 {
			t.failedAt = now
			h.Failures++
		}
		if h.Failures >= s.Fall {
			h.Status = Unhealthy
		}
		if t.troubled.IsZero() {
			t.troubled = now
		}
	} else {
		h.Failures, h.Error = 0, ""
		t.successes++
		if h.Status != Unhealthy || t.successes >= s.Rise {
			h.Status = Healthy
			t.troubled = time.Time{}
		}
	}
	if h.Status != from {
		h.Since = &now
	}
	t.history = append(t.history, check)
	if n := len(t.history) - healthKept; n > 0 {
		t.history = slices.Delete(t.history, 0, n)
	}
	return from, h.Status
}

// settle forgets the failures of a release that was only starting: that it did
// not answer yet is nothing that an operator should look into.
func (t *tracker) settle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.health.FailedAt, t.health.LastError = nil, ""
}

// interval is how long to wait between two probes. A slot that fails, or has
// failed and recovers, is probed fast for a minute, then less and less often:
// every hundredth minute of an outage need not be a probe a second.
func (t *tracker) interval(s HealthSettings) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	fast := min(s.Interval, rushInterval)
	switch {
	case t.troubled.IsZero():
		return s.Interval
	case t.health.Failures == 0:
		return fast
	}
	return min(s.Interval, max(fast, time.Since(t.troubled)/60))
}

// tell notes whether the team knows that the slot is unhealthy, and returns
// whether that is news. When nobody knows what an earlier process has told,
// either verdict is.
func (t *tracker) tell(unhealthy bool) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := knownWell
	if unhealthy {
		now = knownSick
	}
	news = t.sick != now
	t.sick = now
	return news
}

// forget makes nothing of what the team was told and returns what that was.
func (t *tracker) forget() (sick knowledge, dead bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sick, dead = t.sick, t.dead
	t.sick, t.dead = knownWell, false
	return sick, dead
}

func (t *tracker) read() Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.health
	if h.Status == "" {
		h.Status = Unknown
	}
	return h
}

// checks are the last ones, oldest first.
func (t *tracker) checks() []HealthCheck {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.history)
}
