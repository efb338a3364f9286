package switcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab runs one app on a bench runtime inside a synctest bubble: the clock is
// the bubble's, probes are answered by the bench.
type lab struct {
	t     *testing.T
	dir   string
	bench *bench
	named Colour // Options.FirstActive
	judge Judge
	app   *App
	stop  func()

	heard   sync.Mutex
	notices []Notice
}

// inLab runs a test in a bubble with an app that is up and has done its first
// recovery.
func inLab(t *testing.T, test func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, dir: t.TempDir(), bench: newBench()}
		l.start(nil)
		test(l)
		l.stop()
	})
}

func (l *lab) settings() Settings {
	return Settings{
		Hosts:   map[RouteName][]string{Production: {"app.test"}, Internal: {"internal.app.test"}},
		Image:   "registry.test/app",
		Runtime: l.bench,
		Ports:   map[Colour]int{Blue: 3001, Green: 3002},
		Health:  HealthSettings{Path: "/health", Interval: 30 * time.Second, Timeout: 5 * time.Second, Rise: 2, Fall: 3, Deadline: 2 * time.Minute},
		Drain:   DrainSettings{Timeout: 30 * time.Second, Websockets: 5 * time.Minute},
		Bake:    10 * time.Minute,
	}
}

// start opens the app as a new process would.
func (l *lab) start(failpoint func(string)) {
	l.t.Helper()
	app, err := Open(Options{App: "app", Dir: l.dir, FirstActive: l.named, Settings: l.settings(), Probes: l.probes(), Notify: l.hear, Judge: l.judge, Failpoint: failpoint, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.t.Fatalf("opening the app: %v", err)
	}
	l.app = app
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("running the app: %v", err)
		}
	}
	synctest.Wait()
}

func (l *lab) hear(n Notice) {
	l.heard.Lock()
	defer l.heard.Unlock()
	l.notices = append(l.notices, n)
}

// noticed returns the notices of some kinds since it was last asked for any.
func (l *lab) noticed(kinds ...NoticeKind) (found []Notice) {
	l.heard.Lock()
	defer l.heard.Unlock()
	for _, n := range l.notices {
		if slices.Contains(kinds, n.Kind) {
			found = append(found, n)
		}
	}
	l.notices = nil
	return found
}

// probes answer for whatever instance the bench runs on a port. The public
// listener is the app's own production route.
func (l *lab) probes() Probes {
	return Probes{
		Backend: func(ctx context.Context, b proxy.BackendOptions, _, _ string) error {
			return l.bench.probed(ctx, b.Address)
		},
		Public: func(context.Context, string, string) (string, error) {
			route := l.app.Service(Production).Route()
			if route.Backend == nil {
				return "", errors.New("answered 503")
			}
			return route.Label, l.bench.answer(route.Backend.Address())
		},
	}
}

// must runs an operation to its end and fails the test if it does not succeed.
func (l *lab) must(op *Operation, err error) *Operation {
	l.t.Helper()
	if err == nil {
		err = op.Wait(l.t.Context())
	}
	if err != nil {
		l.t.Fatalf("operation failed: %v", err)
	}
	return op
}

// fails runs an operation that is expected to end with code.
func (l *lab) fails(code Code, op *Operation, err error) error {
	l.t.Helper()
	if err == nil {
		err = op.Wait(l.t.Context())
	}
	if err == nil || CodeOf(err) != code {
		l.t.Fatalf("error = %v (%s), want one with code %s", err, CodeOf(err), code)
	}
	return err
}

func (l *lab) deploy(commit string) *Operation {
	l.t.Helper()
	return l.must(l.app.Deploy("maria@host", DeployRequest{Commit: commit}))
}

// shape is the part of a status that the table of the life of a release shows.
type shape struct {
	Phase                Phase
	Blue, Green          SlotState
	Production, Internal Colour
}

func (l *lab) shape() shape { return shapeOf(l.app.Status()) }

func shapeOf(s Status) shape {
	return shape{s.Phase, s.Slots[Blue].State, s.Slots[Green].State, s.Routes[Production].Slot, s.Routes[Internal].Slot}
}

func (l *lab) want(want shape) {
	l.t.Helper()
	if got := l.shape(); got != want {
		l.t.Fatalf("status = %+v, want %+v", got, want)
	}
	for name, c := range map[RouteName]Colour{Production: want.Production, Internal: want.Internal} {
		if got := l.app.Service(name).Route().Label; got != string(c) {
			l.t.Fatalf("the %s route serves %q, the status says %q", name, got, c)
		}
	}
}

// later lets d pass in the bubble.
func (l *lab) later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bench is a Runtime in memory whose instances can be made to fail in ways
// that a real one cannot be brought to on demand.
type bench struct {
	mu        sync.Mutex
	instances map[string]*benchInstance
	sick      map[string]error // by commit: what its probes answer
	hung      map[string]bool  // by commit: they answer nothing
	asked     map[string]int   // by address: how often backends were probed
	dying     map[string]int   // by commit: exit code right after the start
	noStart   error
	tell      func(Incident) // while watched
	telling   bool           // also what Stop and Remove bring about
	words     []string       // last ones of every instance
	stuck     chan struct{}  // while not nil, calls wait for it or their context
	pruned    []string
	used      map[string]float64 // processor time by instance
}

type benchInstance struct {
	Instance
	port   int
	commit string
	kept   bool
	exited chan struct{}
}

func newBench() *bench {
	return &bench{instances: map[string]*benchInstance{}, sick: map[string]error{}, hung: map[string]bool{}, asked: map[string]int{}, dying: map[string]int{}, words: []string{"last words"}}
}

// clone is the bench as a process that starts after a crash finds it.
func (b *bench) clone() *bench {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := newBench()
	maps.Copy(c.sick, b.sick)
	for id, i := range b.instances {
		copied := *i
		copied.exited = make(chan struct{})
		if !i.Running {
			close(copied.exited)
		}
		c.instances[id] = &copied
	}
	return c
}

func (b *bench) wait(ctx context.Context) error {
	b.mu.Lock()
	stuck := b.stuck
	b.mu.Unlock()
	if stuck == nil {
		return nil
	}
	select {
	case <-stuck:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// probed is a probe of a backend, which counts.
func (b *bench) probed(ctx context.Context, address string) error {
	b.mu.Lock()
	b.asked[address]++
	i := b.at(address)
	hangs := i != nil && b.hung[i.commit]
	b.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return errors.New("no answer")
	}
	return b.answer(address)
}

// probes returns how often a slot was probed since it was last asked for.
func (b *bench) probes(c Colour) int {
	port := map[Colour]string{Blue: "127.0.0.1:3001", Green: "127.0.0.1:3002"}[c]
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.asked[port]
	b.asked[port] = 0
	return n
}

func (b *bench) answer(address string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.at(address); i != nil {
		return b.sick[i.commit]
	}
	return errors.New("connection refused")
}

// at returns what runs on an address. Called with b.mu held.
func (b *bench) at(address string) *benchInstance {
	for _, i := range b.instances {
		if fmt.Sprintf("127.0.0.1:%d", i.port) == address && i.Running {
			return i
		}
	}
	return nil
}

// setHung has the probes of a commit answered by nothing.
func (b *bench) setHung(commit string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hung[commit] = true
}

func (b *bench) setSick(commit string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sick[commit] = err
}

func (b *bench) setNoStart(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noStart = err
}

// running lists the ids of the running instances.
func (b *bench) running() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, i := range b.instances {
		if i.Running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (b *bench) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.instances))
}

func (b *bench) Fetch(ctx context.Context, image string, report func(Progress)) (Artifact, error) {
	if err := b.wait(ctx); err != nil {
		return Artifact{}, err
	}
	if filepath.Base(image) == "app:unknown" {
		return Artifact{}, &Error{Code: CodeFailed, What: "unknown image " + image}
	}
	report(Progress{Text: "pulling", Done: 1, Total: 2})
	return Artifact{ID: "sha256:" + image}, nil
}

func (b *bench) Check(ctx context.Context, _ Spec) error { return b.wait(ctx) }

func (b *bench) Start(ctx context.Context, spec Spec) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noStart != nil {
		return b.noStart
	}
	i := b.instances[spec.Instance]
	if i != nil && i.Running {
		return nil
	}
	i = &benchInstance{
		Instance: Instance{
			ID: spec.Instance, Colour: spec.Colour, Release: spec.Release.ID, Running: true,
			Commit: spec.Release.Commit, Image: spec.Release.Image, ImageID: spec.Release.ImageID, Port: spec.Port,
		},
		port: spec.Port, commit: spec.Release.Commit, exited: make(chan struct{}),
	}
	b.instances[spec.Instance] = i
	if b.tell != nil {
		b.tell(Incident{Kind: IncidentStarted, Instance: spec.Instance, Time: time.Now()})
	}
	if code, ok := b.dying[spec.Release.Commit]; ok {
		i.Running, i.ExitCode = false, code
		close(i.exited)
		if b.telling {
			b.tell(Incident{Kind: IncidentDied, Instance: spec.Instance, Time: time.Now(), ExitCode: code})
		}
	}
	return nil
}

func (b *bench) Keep(ctx context.Context, instance string) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.instances[instance]; i != nil {
		i.kept = true
	}
	return nil
}

func (b *bench) Stop(ctx context.Context, instance string) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.instances[instance]; i != nil && i.Running {
		i.Running = false
		close(i.exited)
		if b.telling {
			b.tell(Incident{Kind: IncidentDied, Instance: instance, Time: time.Now()})
		}
	}
	return nil
}

func (b *bench) Remove(ctx context.Context, instance string) error {
	if err := b.Stop(ctx, instance); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.instances, instance)
	return nil
}

func (b *bench) List(ctx context.Context) ([]Instance, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Instance
	for _, i := range b.instances {
		all = append(all, i.Instance)
	}
	return all, nil
}

func (b *bench) Wait(ctx context.Context, instance string) (int, error) {
	b.mu.Lock()
	i := b.instances[instance]
	b.mu.Unlock()
	if i == nil {
		return 0, errors.New("unknown instance " + instance)
	}
	select {
	case <-i.exited:
		b.mu.Lock()
		defer b.mu.Unlock()
		return i.ExitCode, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (b *bench) Watch(ctx context.Context, tell func(Incident)) error {
	b.mu.Lock()
	b.tell = tell
	for _, i := range b.instances {
		if i.Running {
			tell(Incident{Kind: IncidentStarted, Instance: i.ID, Time: time.Now()})
		}
	}
	b.mu.Unlock()
	<-ctx.Done()
	return nil
}

// happens has an incident noticed.
func (b *bench) happens(i Incident) {
	b.mu.Lock()
	tell := b.tell
	b.mu.Unlock()
	i.Time = time.Now()
	tell(i)
}

func (b *bench) Tail(context.Context, string, int) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.words), nil
}

func (b *bench) Follow(ctx context.Context, instance string, _ Cursor, _ func([]Line) error) error {
	_, err := b.Wait(ctx, instance)
	return err
}

func (b *bench) Usage(ctx context.Context, instance string) (Usage, error) {
	if err := b.wait(ctx); err != nil {
		return Usage{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == nil {
		b.used = map[string]float64{}
	}
	b.used[instance] += 2.5 // each time it is asked
	return Usage{CPUSeconds: b.used[instance], Memory: 1 << 20, Restarts: 1}, nil
}

func (b *bench) Prune(_ context.Context, drop []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pruned = append(b.pruned, drop...)
	return nil
}

// failOn lets public probes of one slot fail.
func failOn(probe func(context.Context, string, string) (string, error), c Colour) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, host, path string) (string, error) {
		label, err := probe(ctx, host, path)
		if label == string(c) {
			return label, errors.New("answered 500")
		}
		return label, err
	}
}

func listenerDown(context.Context, string, string) (string, error) {
	return "", fmt.Errorf("%w: connection refused", ErrListener)
}
