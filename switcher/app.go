package switcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/proxy"
)

// App runs the life of one app's releases. It owns the app's recorded state,
// its two routes and everything that changes them.
type App struct {
	name     string
	dir      string // where every app has a folder with its state
	named    Colour // what Options.FirstActive said
	first    Colour // slot of the very first deploy
	log      *slog.Logger
	probes   Probes
	origin   func(host string) string
	recorder func(RouteName, Colour, string) proxy.Recorder
	tracer   func(RouteName, Colour, string) proxy.Tracer
	logs     func(RouteName, Colour, string) slog.Handler
	notify   func(Notice)
	judge    Judge
	opened   time.Time
	fail     func(string)
	services map[RouteName]*proxy.Service

	state    atomic.Pointer[State]
	settings atomic.Pointer[Settings]

	mu         sync.Mutex // guards what follows and every change of state
	store      *store     // nil while the app is out of service
	broken     error      // why it is
	ctx        context.Context
	begun      chan struct{} // closed when Run begins
	op         *Operation
	held       bool         // no operation may begin
	ended      []*Operation // newest last, bounded
	backends   map[Colour]*proxy.Backend
	draining   *drain      // in the background
	emptying   *drain      // as part of an operation
	paused     *pause      // nil while production is not
	standstill *proxy.Hold // of both routes, for the database; nil: there is none
	frozen     bool        // both routes refuse what may write
	unsettled  bool        // nobody knows what an earlier process has left of the database
	unsettles  time.Time   // when that was last to be found out
	misfit     misfit
	unswept    bool      // the engine may hold what the state does not know
	judged     *judged   // nil before the first verdict
	late       time.Time // until then it may carry out a start that nobody waits for
	alert      string
	unrepaired string // why the edge's own recovery does not succeed
	alarmed    bool   // one of both was told to the team, perhaps by an earlier process
	sweepWake  chan struct{}
	background sync.WaitGroup
	usage      usages

	leaveRuntime context.CancelFunc // ends the watch over the runtime of now; nil: there is none

	outage outage // of the database

	telling  sync.Mutex // never held while another lock is taken
	lastTold told
	ill      map[NoticeKey]bool // what of the database was told to be

	healthMu sync.Mutex // never held while another lock is taken
	health   map[Colour]*tracker
	paces    map[Colour]*pace
}

const endedKept = 50

// Open takes possession of the app's state and points its routes at once to
// where the state says. Nothing is asked of the runtime yet. An app whose
// state cannot be read is returned in working order but out of service: its
// routes answer 503 and every operation is refused with the reason, until
// Recover finds a state that can be read.
func Open(o Options) (*App, error) {
	a := &App{
		name: o.App, dir: o.Dir, named: o.FirstActive, first: cmp.Or(o.FirstActive, Blue), probes: o.Probes,
		log: o.Logger, origin: o.Origin, recorder: o.Recorder, tracer: o.Tracer, logs: o.AccessLog, notify: o.Notify, fail: o.Failpoint,
		judge: o.Judge, opened: time.Now(),
		services: map[RouteName]*proxy.Service{},
		backends: map[Colour]*proxy.Backend{},
		health:   map[Colour]*tracker{Blue: firstTracker(), Green: firstTracker()},
		paces:    map[Colour]*pace{Blue: newPace(), Green: newPace()}, sweepWake: make(chan struct{}, 1),
		unswept: true, unsettled: true, alarmed: true, ill: map[NoticeKey]bool{}, begun: make(chan struct{}),
	}
	a.outage.told = unsure
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.log = a.log.With("app", a.name)
	if a.origin == nil {
		a.origin = func(host string) string { return "https://" + host }
	}
	if a.recorder == nil {
		a.recorder = func(RouteName, Colour, string) proxy.Recorder { return nil }
	}
	if a.tracer == nil {
		a.tracer = func(RouteName, Colour, string) proxy.Tracer { return nil }
	}
	if a.logs == nil {
		a.logs = func(RouteName, Colour, string) slog.Handler { return nil }
	}
	if a.notify == nil {
		a.notify = func(Notice) {}
	}
	if a.fail == nil {
		a.fail = func(string) {}
	}
	a.settings.Store(&o.Settings)

	a.state.Store(newState(o.App))
	if a.broken = a.load(); a.broken != nil && !errors.Is(a.broken, ErrUnreadable) {
		return nil, a.broken
	}
	for _, name := range []RouteName{Production, Internal} {
		a.services[name] = proxy.NewService(a.route(name))
	}
	return a, nil
}

// load takes possession of the state on disk and makes it the app's. One that
// cannot be read is left alone and nobody's, so that it can be restored beside
// a running edge.
func (a *App) load() error {
	store, err := openStore(a.dir, a.name, a.log)
	if err != nil {
		return err
	}
	state, err := store.load(a.name)
	if err != nil {
		store.close()
		return err
	}
	a.store = store
	a.state.Store(state)
	for _, c := range Colours() {
		// A failed slot is routed again when the other one turns out to be dead.
		if slot := state.Slots[c]; slot.warm() || slot.State == Failed {
			a.backends[c] = a.newBackend(slot.Port)
		}
	}
	return nil
}

// Name returns the app's name.
func (a *App) Name() string { return a.name }

// Service returns the proxy service of a route, for the host table.
func (a *App) Service(name RouteName) *proxy.Service { return a.services[name] }

// Run probes the slots, watches a bake, repairs what a crash left behind, and
// carries operations until ctx ends. It then waits for what it started.
// Instances keep running.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	a.mu.Lock()
	a.ctx = ctx
	close(a.begun)
	if a.broken != nil {
		a.log.Error(a.broken.Error())
	}
	a.mu.Unlock()
	for _, c := range Colours() {
		if !a.state.Load().Slots[c].warm() {
			a.endTroubles(c)
		}
		group.Go(func() error { return a.watchHealth(ctx, c) })
	}
	group.Go(func() error { return a.watchFigures(ctx) })
	group.Go(func() error { return a.keepSwept(ctx) })
	group.Go(func() error { return a.watchDatabase(ctx) })
	group.Go(func() error { return a.watchUsage(ctx) })
	group.Go(func() error { return a.watchRuntime(ctx) })
	err := group.Wait()
	a.background.Wait()
	a.Close()
	return err
}

// Close gives up the app's state, for an app that is not to Run after all; Run
// itself ends with it.
func (a *App) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.letGo()
	if a.standstill != nil {
		a.standstill.Release()
	}
	for _, b := range a.backends {
		b.Close()
	}
	if a.store != nil {
		a.store.close()
	}
}

// Apply replaces the settings, as after a reload. Connections go on; what
// concerns a container applies from the next deploy on.
func (a *App) Apply(s Settings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaveRuntime != nil && a.settings.Load().Runtime != s.Runtime {
		a.leaveRuntime()
	}
	if s.Database != nil && s.Database != a.settings.Load().Database {
		a.unsettled, a.unswept = true, true
		a.wakeSweep()
	}
	a.settings.Store(&s)
	for name := range a.services {
		a.point(name)
	}
	a.hurry()
}

// Busy returns the refusal for what must not happen while an operation runs,
// or nil when none does.
func (a *App) Busy() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.op != nil && !a.op.ownRepair() {
		return busy(a.op)
	}
	return nil
}

// History returns what was done, oldest first.
func (a *App) History() []Record { return slices.Clone(a.state.Load().History) }

// step changes the state durably: the change is on disk when it returns nil,
// and nothing has changed when it does not. Steps are the points between which
// a crash can fall, so each has a name that is unique within its operation.
func (a *App) step(op *Operation, name string, change func(*State)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.state.Load().clone()
	a.interrupted(next, op)
	change(next)
	if next.Operation != nil && next.Operation.ID == op.ID {
		next.Operation.Step = name
	}
	next.Generation++
	point := string(op.Kind) + "/" + name
	a.fail(point + "/before")
	vital := op.vital() || name == "back" || name == "stay"
	if err := a.store.save(next, vital); err != nil {
		return err
	}
	a.fail(point + "/after")
	a.state.Store(next)
	return nil
}

// interrupted closes the record of an operation that an earlier process did
// not end, when another one takes its place. A recovery does not: it resumes
// that operation.
func (a *App) interrupted(s *State, op *Operation) {
	if j := s.Operation; j != nil && j.ID != op.ID && op.Kind != KindRecover {
		ok, text := j.reached()
		if a.concernsDatabase(j) {
			text += "; what became of the database is found out later"
		}
		a.tellReached(j, s, text)
		s.record(j.record(ok, text))
		s.Operation = nil
	}
}

func (j *Journal) record(ok bool, result string) Record {
	return Record{
		ID: j.ID, Kind: j.Kind, Actor: j.Actor, Reason: j.Reason, Began: j.Began, Took: time.Since(j.Began),
		Colour: j.Colour, Release: j.Release, Commit: j.Commit, OK: ok, Result: result, Allowed: j.Allowed,
	}
}

// point makes a route lead where the state says: one pointer store.
func (a *App) point(name RouteName) { a.services[name].Set(a.route(name)) }

func (a *App) route(name RouteName) *proxy.Route {
	state, settings := a.state.Load(), a.settings.Load()
	c := state.Active
	if name == Internal {
		c = state.Internal
	}
	release := ""
	if r := state.Slots[c].Release; r != nil {
		release = r.ID
	}
	r := &proxy.Route{
		Label: string(c), Backend: a.backends[c], Policy: settings.Policies[name],
		Recorder: a.recorder(name, c, release), Tracer: a.tracer(name, c, release), AccessLog: a.logs(name, c, release),
	}
	if c != "" {
		r.Recorder = &sentinel{a.paces[c], r.Recorder}
	}
	r.Hold, r.ReadOnly = a.standstill, a.frozen
	if name == Production && a.paused != nil {
		r.Hold = a.paused.hold
	}
	if m := state.Maintenance; name == Production && m != nil {
		r.Maintenance = &proxy.Maintenance{Message: m.Message}
	}
	return r
}

func (a *App) newBackend(port int) *proxy.Backend {
	return proxy.NewBackend(a.backendOptions(port))
}

func (a *App) backendOptions(port int) proxy.BackendOptions {
	o := a.settings.Load().Backend
	o.Address = address(port)
	return o
}

// backend returns the backend of a slot; nil when the slot is empty.
func (a *App) backend(c Colour) *proxy.Backend {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.backends[c]
}

func (a *App) repoint(names ...RouteName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		a.point(name)
	}
}

// setAlert says what needs a person now; an empty text says that nothing does.
func (a *App) setAlert(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.mu.Lock()
	defer a.mu.Unlock()
	if text != "" && a.alert != text {
		a.log.Error(text)
	}
	a.alarm(func() { a.alert = text })
}

// alarm changes what needs a person and tells the team. Called with a.mu held.
func (a *App) alarm(change func()) {
	before := cmp.Or(a.alert, a.unrepaired)
	change()
	now := cmp.Or(a.alert, a.unrepaired)
	if now == before && (now != "" || !a.alarmed) {
		return
	}
	s := a.state.Load()
	a.alarmed = now != ""
	a.notify(Notice{Kind: NoticeStuck, Time: time.Now(), App: a.name, Release: s.Slots[s.Active].Release, Cause: cmp.Or(now, before), Over: now == ""})
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
