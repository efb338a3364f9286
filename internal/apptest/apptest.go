// Package apptest runs a real switcher.App for tests of what stands before it,
// on backends that are HTTP servers of the test's own process.
//
// It must not know who asks the app for operations.
package apptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// Bench is one app with its backends. A commit can be made to fail health
// probes, and pulling an image to hang, at any moment.
type Bench struct {
	App *switcher.App
	*runtime
}

// Start runs an app until the test ends. Its intervals are short, so that a
// test need not wait; tune may change its settings.
func Start(t testing.TB, name string, tune ...func(*switcher.Settings)) *Bench {
	t.Helper()
	b := &Bench{runtime: newRuntime()}
	settings := switcher.Settings{
		Hosts: map[switcher.RouteName][]string{
			switcher.Production: {name + ".test"}, switcher.Internal: {"internal." + name + ".test"},
		},
		Policies: map[switcher.RouteName]proxy.Policy{switcher.Production: {Public: true}},
		Image:    "registry.test/" + name,
		Runtime:  b.runtime,
		Ports:    map[switcher.Colour]int{switcher.Blue: freePort(t), switcher.Green: freePort(t)},
		Health: switcher.HealthSettings{
			Path: "/health", Interval: 20 * time.Millisecond, Timeout: 5 * time.Second, Rise: 1, Fall: 2, Deadline: 10 * time.Second,
		},
		Drain: switcher.DrainSettings{Timeout: 5 * time.Second, Websockets: 5 * time.Second},
		Bake:  10 * time.Minute,
	}
	for _, change := range tune {
		change(&settings)
	}
	app, err := switcher.Open(switcher.Options{
		App: name, Dir: t.TempDir(), Settings: settings, Probes: switcher.Probes{Backend: ask, Public: b.askPublic},
	})
	if err != nil {
		t.Fatalf("opening app %s: %v", name, err)
	}
	b.App = app
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("running app %s: %v", name, err)
		}
		b.stopAll()
	})
	Eventually(t, "the app runs", func() bool { return !starting(app) })
	return b
}

// starting reports whether the app is not yet ready for operations: an
// operation that is always refused says which.
func starting(app *switcher.App) bool {
	_, err := app.Confirm("test@host")
	return switcher.CodeOf(err) == switcher.CodeUnreachable
}

// Deploy puts a release into the inactive slot.
func (b *Bench) Deploy(t testing.TB, commit string) {
	t.Helper()
	b.must(t)(b.App.Deploy("maria@host", switcher.DeployRequest{Commit: commit}))
}

// Switch moves production to it.
func (b *Bench) Switch(t testing.TB) {
	t.Helper()
	b.must(t)(b.App.Switch("maria@host", switcher.SwitchRequest{}))
}

func (b *Bench) must(t testing.TB) func(*switcher.Operation, error) {
	return func(op *switcher.Operation, err error) {
		t.Helper()
		if err == nil {
			err = op.Wait(t.Context())
		}
		if err != nil {
			t.Fatalf("preparing the app: %v", err)
		}
	}
}

// Occupy keeps one request in flight on the slot that production leads to, by
// way of a real proxy, until it is released or cut.
func (b *Bench) Occupy(t testing.TB) (release func()) {
	t.Helper()
	host := b.App.Status().Routes[switcher.Production].Hosts[0]
	table, err := proxy.NewTable(proxy.TableOptions{
		Services: map[string]*proxy.Service{host: b.App.Service(switcher.Production)},
	})
	if err != nil {
		t.Fatal(err)
	}
	already := b.holding.Load()
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }() // http.ErrAbortHandler, when it is cut
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+holdPath, nil)
		proxy.New(proxy.Options{Table: table}).ServeHTTP(httptest.NewRecorder(), request)
	}()
	release = func() { leave(); <-ended }
	t.Cleanup(release)
	Eventually(t, "the request is in flight", func() bool { return b.holding.Load() > already })
	return release
}

// Eventually polls until a condition holds, and fails the test after a while.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// ask probes a backend as the edge's prober would.
func ask(ctx context.Context, backend proxy.BackendOptions, host, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+backend.Address+path, nil)
	if err != nil {
		return err
	}
	request.Host, request.Close = host, true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return nil
}

// askPublic stands for the edge's listener: it follows the production route.
func (b *Bench) askPublic(ctx context.Context, host, path string) (string, error) {
	route := b.App.Service(switcher.Production).Route()
	if route.Backend == nil {
		return "", errors.New("answered 503")
	}
	return route.Label, ask(ctx, route.Backend.Options(), host, path)
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("looking for a free port: %v", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}
