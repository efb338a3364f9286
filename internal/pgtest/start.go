package pgtest

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// shared is the cluster of a test binary, started by the first test that asks.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// Main runs the tests of a package, ends the cluster that they share, and looks
// for goroutines that were left: it is all that a TestMain has to do.
func Main(m *testing.M) { goleak.VerifyTestMain(Tests(m)) }

// Suite is the tests of a package: a *testing.M.
type Suite interface{ Run() int }

// Tests is m with the end of the shared cluster, for a TestMain that has more to
// do than Main.
func Tests(m Suite) Suite { return tests{m} }

type tests struct{ Suite }

func (t tests) Run() int {
	code := t.Suite.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.stop(syscall.SIGQUIT)
		shared.cluster.remove()
	}
	return code
}

// Start returns the cluster that all tests of the binary share; each takes a
// Database of its own. Without PostgreSQL the test is skipped, or fails when CI
// is set. The package's TestMain must call Main.
func Start(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = run(nil)
	}
	if shared.err != nil {
		unavailable(t, shared.err)
	}
	return shared.cluster
}

// StartOwn starts a cluster for one test, which may stop and pause it, with more
// settings in the form name=value. It takes about a second.
func StartOwn(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := run(settings)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		c.stop(syscall.SIGQUIT)
		c.remove()
	})
	return c
}

func run(settings []string) (*Cluster, error) {
	c, err := create(settings)
	if err != nil {
		return nil, err
	}
	if err := c.start(); err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Stop ends the server as an operator does: what runs is rolled back. Its
// address stays the same after Restart.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.stop(syscall.SIGINT)
}

// Crash ends the server at once; Restart finds it in need of recovery.
func (c *Cluster) Crash(t testing.TB) {
	t.Helper()
	c.stop(syscall.SIGQUIT)
}

// Restart starts the server again, if it runs after stopping it.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.stop(syscall.SIGINT)
	port := c.port
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	if c.port != port {
		t.Fatalf("port %d of PostgreSQL was taken by another process while it was stopped", port)
	}
}

// Pause has the server accept connections and answer nothing new until resume is
// called, or the test ends.
func (c *Cluster) Pause(t testing.TB) (resume func()) {
	t.Helper()
	pid := c.server()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatalf("pausing PostgreSQL: %v", err)
	}
	var once sync.Once
	resume = func() { once.Do(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) }
	t.Cleanup(resume)
	return resume
}
