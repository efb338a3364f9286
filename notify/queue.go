package notify

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// maxQueue is what waits for one service.
	maxQueue = 200
	// maxHung is how many attempts that do not end may be left behind for one
	// service.
	maxHung = 3
	// giveUpAfter is how old a message may get.
	giveUpAfter = 24 * time.Hour

	firstPause = 2 * time.Second
	maxPause   = 10 * time.Minute
)

// Stage says what a message tells of a notice.
type Stage string

// The stages of a trouble, and of an event the only one.
const (
	Event Stage = "event"
	Began Stage = "began"
	Lasts Stage = "lasts"
	Ended Stage = "ended"
	Trial Stage = "test" // somebody asks whether messages arrive
)

// message is one thing to be told to one service.
type message struct {
	ID       string          `json:"id"`
	Notice   switcher.Notice `json:"notice"`
	Stage    Stage           `json:"stage"`
	Since    time.Time       `json:"since,omitzero"`    // when the trouble began
	Blinks   int             `json:"blinks,omitempty"`  // how often it came back meanwhile
	Returns  int             `json:"returns,omitempty"` // how often it came back after it was over
	Queued   time.Time       `json:"queued"`
	Attempts int             `json:"attempts,omitempty"`
	Lost     int             `json:"-"` // how many messages before it never arrived

	after time.Time // not to be sent before
}

// service is where messages go, with what waits for it.
type service struct {
	id     string // stands for the URL in files
	url    string
	name   string            // by the first app that names it
	places map[string]string // what it is called, by app

	queue    []*message
	lost     int // messages that were given up and not told yet
	failures int // in a row
	after    time.Time
	last     Failure
	now      *attempt // under way
	hung     int      // attempts that were abandoned and have not ended
}

// attempt is one try to deliver a message.
type attempt struct {
	message *message
	until   time.Time
}

// Failure is why a delivery failed last.
type Failure struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
}

// identity stands for a URL where it must not be written.
func identity(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:16])
}

// configure makes the services of the settings, with what is kept for them.
// Called with n.mu held, or before anybody else can.
func (n *Notifier) configure(s Settings, kept map[string]keptQueue) {
	n.settings = s
	before := n.services
	n.services, n.order = map[string]*service{}, nil
	for _, app := range sortedApps(s) {
		for i, listed := range s.Apps[app].Services {
			for name, url := range recipients(listed, serviceName(listed, i)) {
				n.place(app, name, url, before, kept)
			}
		}
	}
	for id, sv := range before {
		if n.services[id] == nil && len(sv.queue) > 0 {
			n.log.Warn("messages are dropped: the service is gone from the configuration", "service", sv.name, "messages", len(sv.queue))
		}
	}
	for id, queue := range kept {
		if n.services[id] == nil && len(queue.Messages) > 0 {
			n.log.Warn("messages are dropped: the service is gone from the configuration", "messages", len(queue.Messages))
		}
	}
	for key := range n.troubles {
		if !n.knows(key.App) {
			delete(n.troubles, key)
		}
	}
}

// place makes a URL a service of an app, under a name.
func (n *Notifier) place(app, name, url string, before map[string]*service, kept map[string]keptQueue) {
	id := identity(url)
	sv := n.services[id]
	if sv == nil {
		if sv = before[id]; sv == nil {
			sv = &service{id: id, url: url, queue: kept[id].Messages, lost: kept[id].Lost}
		}
		sv.name, sv.places = name, map[string]string{}
		n.services[id], n.order = sv, append(n.order, id)
	}
	if sv.places[app] == "" {
		sv.places[app] = name
	}
}

// serviceName is what a service is called where its URL must not be.
func serviceName(url string, index int) string {
	return fmt.Sprintf("%s #%d", schemeOf(url), index+1)
}

// enqueue puts a message into the queue of every service that is to tell it.
// Called with n.mu held.
func (n *Notifier) enqueue(m message) {
	m.ID, m.Queued = rand.Text(), time.Now()
	for _, id := range n.order {
		if sv := n.services[id]; sv.wants(m.Notice.App) {
			one := m
			n.put(sv, &one)
		}
	}
}

// wants reports whether a service tells what happens to an app, or, of the
// empty one, to the edge.
func (sv *service) wants(app string) bool { return app == "" || sv.places[app] != "" }

// put makes room for a message if there is none, at the cost of the oldest of
// the least important ones. Of a trouble that lasts only the newest reminder
// waits.
func (n *Notifier) put(sv *service, m *message) {
	if m.Stage == Lasts {
		sv.queue = slices.DeleteFunc(sv.queue, func(old *message) bool {
			return old.Stage == Lasts && old.Notice.Key() == m.Notice.Key() && !sv.sending(old)
		})
	}
	sv.queue = append(sv.queue, m)
	if len(sv.queue) <= maxQueue {
		return
	}
	least := -1
	for i, old := range sv.queue {
		if !sv.sending(old) && (least < 0 || old.weight() < sv.queue[least].weight()) {
			least = i
		}
	}
	if sv.lost == 0 {
		n.log.Warn("messages are dropped: too many wait for the service", "service", sv.name)
	}
	sv.queue = slices.Delete(sv.queue, least, least+1)
	sv.lost++
}

func (sv *service) sending(m *message) bool { return sv.now != nil && sv.now.message == m }

// weight is how much it matters that a message arrives.
func (m *message) weight() int {
	switch {
	case m.Stage == Lasts:
		return 0
	case m.Stage == Ended:
		return 1
	}
	switch m.Notice.Kind {
	case switcher.NoticeReady, switcher.NoticeSwitched:
		return 1
	case switcher.NoticeRolledBack, switcher.NoticeStuck, switcher.NoticeUnhealthy, switcher.NoticeDied, switcher.NoticeErrorRate, switcher.NoticeDatabase:
		return 3
	}
	return 2
}

// attend begins the delivery to a service that is due, abandons one that takes
// too long, and returns when to look again. Called with n.mu held.
func (n *Notifier) attend(sv *service, now time.Time) time.Time {
	if sv.now != nil {
		if now.Before(sv.now.until) {
			return sv.now.until
		}
		sv.hung++
		m := sv.now.message
		sv.now = nil
		n.failed(sv, m, fmt.Sprintf("no answer within %v", attemptTimeout), now)
	}
	n.giveUp(sv, now)
	if now.Before(sv.after) {
		return sv.after
	}
	m, when := sv.next(now)
	if m == nil {
		return when
	}
	if sv.hung >= maxHung {
		n.failed(sv, m, fmt.Sprintf("%d earlier attempts have not ended yet", sv.hung), now)
		return sv.after
	}
	m.Attempts++
	a := &attempt{message: m, until: now.Add(attemptTimeout)}
	sv.now = a
	told := *m
	told.Lost = sv.lost
	settings := n.settings
	n.sending.Add(1)
	go func() {
		defer n.sending.Done()
		n.ended(sv, a, told.Lost, n.send(sv, &told, settings))
	}()
	return a.until
}

// next is the message whose turn it is, or when that will be. One that failed
// does not hold up others, but what follows on the same trouble.
func (sv *service) next(now time.Time) (*message, time.Time) {
	when := now.Add(time.Hour)
	held := map[switcher.NoticeKey]bool{}
	var first *message
	for _, m := range sv.queue {
		switch key := m.Notice.Key(); {
		case held[key]:
		case now.Before(m.after):
			held[key] = true
			when = earlier(when, m.after)
		case first == nil:
			first = m
		}
	}
	return first, when
}

// ended takes in how an attempt went, also one that was abandoned.
func (n *Notifier) ended(sv *service, a *attempt, lost int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	abandoned := sv.now != a
	if abandoned {
		sv.hung--
	} else {
		sv.now = nil
	}
	switch {
	case err == nil:
		sv.queue = slices.DeleteFunc(sv.queue, func(m *message) bool { return m == a.message })
		n.works(sv, lost)
	case !abandoned:
		n.failed(sv, a.message, err.Error(), now)
	}
	n.changed()
}

// works takes in that a service has taken a message, which told how many were
// lost. If it was away, what waits need not wait any longer; after one failure
// alone, the message may have been to blame.
func (n *Notifier) works(sv *service, told int) {
	if sv.failures > 0 {
		n.log.Info("messages are delivered again", "service", sv.name)
	}
	if sv.failures > 1 {
		for _, m := range sv.queue {
			m.after = time.Time{}
		}
	}
	sv.failures, sv.after, sv.lost = 0, time.Time{}, max(0, sv.lost-told)
}

// failed puts off the service and, for longer and longer, the message.
func (n *Notifier) failed(sv *service, m *message, why string, now time.Time) {
	if sv.failures == 0 {
		n.log.Warn("a message could not be delivered, it will be tried again", "service", sv.name, "error", why)
	}
	sv.failures++
	sv.last = Failure{Time: now, Error: why}
	sv.after = now.Add(pause(sv.failures))
	m.after = now.Add(pause(max(m.Attempts, 1)))
	poke(n.dirty)
}

// pause grows with every failure and differs each time, so that not everybody
// comes back to a service at the same moment.
func pause(failures int) time.Duration {
	full := min(firstPause<<min(failures-1, 20), maxPause)
	return full/2 + mathrand.N(full/2)
}

// giveUp drops what is too old to be news.
func (n *Notifier) giveUp(sv *service, now time.Time) {
	before := len(sv.queue)
	sv.queue = slices.DeleteFunc(sv.queue, func(m *message) bool {
		return !sv.sending(m) && now.Sub(m.Queued) > giveUpAfter
	})
	if gone := before - len(sv.queue); gone > 0 {
		sv.lost += gone
		n.log.Error("messages are given up: the service has not taken them for a day", "service", sv.name, "messages", gone, "error", sv.last.Error)
		poke(n.dirty)
	}
}
