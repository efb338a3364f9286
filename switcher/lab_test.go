package switcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	base  *base // the app's database; nil: none
	app   *App
	stop  func()

	heard   sync.Mutex
	notices []Notice
}

// inLab runs a test in a bubble with an app that is up and has done its first
// recovery.
func inLab(t *testing.T, test func(*lab)) {
	t.Helper()
	inLabWith(t, nil, test)
}

// inLabWith is inLab for an app with a database.
func inLabWith(t *testing.T, db *base, test func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, dir: t.TempDir(), bench: newBench(), base: db}
		l.start(nil)
		test(l)
		l.stop()
	})
}

func (l *lab) settings() Settings {
	s := Settings{
		Hosts:   map[RouteName][]string{Production: {"app.test"}, Internal: {"internal.app.test"}},
		Image:   "registry.test/app",
		Runtime: l.bench,
		Ports:   map[Colour]int{Blue: 3001, Green: 3002},
		Health:  HealthSettings{Path: "/health", Interval: 30 * time.Second, Timeout: 5 * time.Second, Rise: 2, Fall: 3, Deadline: 2 * time.Minute},
		Drain:   DrainSettings{Timeout: 30 * time.Second, Websockets: 5 * time.Minute},
		Bake:    10 * time.Minute,
	}
	if l.base != nil {
		s.Database = l.base
	}
	return s
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
