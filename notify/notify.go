package notify

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// attemptTimeout is how long a service may take. An attempt that takes
	// longer is abandoned, for not all of them can be ended.
	attemptTimeout = 30 * time.Second
	// stopGrace is what a delivery under way may take when the edge stops. One
	// that is cut is repeated after the next start.
	stopGrace = time.Second
	// defaultRepeat is used for an app that does not say.
	defaultRepeat = 4 * time.Hour
	// maxTold is how many events are remembered, so that none is told twice.
	maxTold = 100
)

// Options make a Notifier.
type Options struct {
	Dir      string // where what is not delivered yet and open troubles are kept
	Settings Settings
	Logger   *slog.Logger // nil: nothing is logged
}

// Settings are what a configuration says of alerts.
type Settings struct {
	Language string // en or es; empty: en
	Apps     map[string]App
}

// App is what is told of an app, and to whom.
type App struct {
	Services []string      // URLs that Check takes
	Repeat   time.Duration // how often a trouble that lasts is told; 0: every 4 h
}

// Notifier tells the team.
type Notifier struct {
	log    *slog.Logger
	file   string
	server string         // what this machine is called
	zone   *time.Location // of the times that are told
	// saveAgain is the constant of that name, but in tests.
	saveAgain time.Duration
	send      func(*service, *message, Settings) error // delivers; may hang
	wake      chan struct{}                            // something is due
	dirty     chan struct{}                            // something is to be saved

	mu       sync.Mutex
	settings Settings
	troubles map[switcher.NoticeKey]*trouble
	services map[string]*service // by the identity of their URL
	order    []string            // their identities as configured
	told     []string            // events of operations, by operation and kind, the newest last
	unsaved  error               // why what is here is in memory only
	sending  sync.WaitGroup
}

// New returns a Notifier that goes on where the one before it ended. What it
// left cannot always be read; then it begins anew, and says so in the log.
func New(o Options) *Notifier {
	n := &Notifier{
		log: o.Logger, file: statePath(o.Dir), zone: time.Local,
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		troubles: map[switcher.NoticeKey]*trouble{}, services: map[string]*service{}, saveAgain: saveAgain,
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.server, _ = os.Hostname()
	n.send = n.deliver
	kept := n.load()
	n.configure(o.Settings, kept.Queues)
	n.restore(kept.Troubles)
	n.told = kept.Told
	return n
}

// Apply replaces the settings. What waits for a service that is gone is
// dropped, and so are the troubles of an app that is gone.
func (n *Notifier) Apply(s Settings) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.configure(s, nil)
	n.changed()
}

// Tell tells the team of a notice if it is news. It never blocks and may be
// called from anywhere. Over may be told of a trouble that nobody has heard of;
// it is then no news, so a watcher had better tell it once too often: after a
// restart, troubles of before it are still open.
func (n *Notifier) Tell(notice switcher.Notice) {
	if notice.Time.IsZero() {
		notice.Time = time.Now()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var news bool
	switch {
	case notice.Kind.Lasting() && notice.Over:
		news = n.end(notice)
	case notice.Kind.Lasting():
		news = n.begin(notice)
	case !n.known(notice):
		n.enqueue(message{Notice: notice, Stage: Event})
		news = true
	}
	if news { // watchers tell the same again and again, which must not reach the disk
		n.changed()
	}
}

// known reports whether an event was told before, as one of an operation may be
// that a restart has resumed. Called with n.mu held.
func (n *Notifier) known(event switcher.Notice) bool {
	if event.Operation == "" {
		return false
	}
	this := event.Operation + " " + string(event.Kind)
	if slices.Contains(n.told, this) {
		return true
	}
	n.told = append(n.told, this)
	n.told = n.told[max(0, len(n.told)-maxTold):]
	return false
}

// changed sees to what may be due now. Called with n.mu held.
func (n *Notifier) changed() {
	poke(n.wake)
	poke(n.dirty)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends. It may be called once.
func (n *Notifier) Run(ctx context.Context) error {
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		n.saveChanges(ctx)
	}()
	n.work(ctx)
	n.awaitSending(stopGrace)
	<-saved
	n.save()
	return nil
}

// work begins what is due, again and again.
func (n *Notifier) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-n.wake:
		}
		timer.Reset(n.step(time.Now()))
	}
}

// step begins what is due at now and returns when to look again.
func (n *Notifier) step(now time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := n.review(now)
	for _, id := range n.order {
		next = earlier(next, n.attend(n.services[id], now))
	}
	return max(next.Sub(now), time.Millisecond)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// awaitSending waits for deliveries under way, but not for long.
func (n *Notifier) awaitSending(patience time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.sending.Wait()
	}()
	select {
	case <-done:
	case <-time.After(patience):
	}
}
