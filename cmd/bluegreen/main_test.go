package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// The test binary is bluegreen itself when it is called by that name, so that
// tests run the real program in a process of its own, and can kill it.
func TestMain(m *testing.M) {
	testscript.Main(withoutLeaks{pgtest.Tests(m)}, map[string]func(){"bluegreen": testedMain})
}

// Variables that make the tested program fail at a point of its choosing.
const (
	envFailAt   = "BLUEGREEN_TEST_FAIL_AT"   // name of the failpoint at which the process kills itself
	envFailFile = "BLUEGREEN_TEST_FAIL_FILE" // file that holds such a name, for a process that runs already
	envPoints   = "BLUEGREEN_TEST_POINTS"    // file to which the names of all passed failpoints are appended
)

// testedMain is main with failpoints.
func testedMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(runWith(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ(), failpoint))
}

func failpoint(name string) {
	if path := os.Getenv(envPoints); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, name)
		f.Close()
	}
	armed, _ := os.ReadFile(os.Getenv(envFailFile))
	if os.Getenv(envFailAt) == name || string(armed) == name {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

type withoutLeaks struct{ m pgtest.Suite }

func (w withoutLeaks) Run() int {
	code := w.m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
