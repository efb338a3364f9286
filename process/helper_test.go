package process

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// script runs a shell script as the backend.
func script(text string) []string { return []string{"/bin/sh", "-c", text} }

// keeper is the name under which the test binary keeps a job.
const keeper = "keeper-of-jobs"

const serve = "echo ready; exec sleep 60"

func options(dir string, command []string) Options {
	return Options{App: "chat", Dir: dir, Command: command, StopGracePeriod: 5 * time.Second, Keeper: []string{keeper}}
}

func open(t *testing.T, o Options) *Runtime {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, in := range r.all() {
			if err := r.Remove(context.Background(), in.record().Instance); err != nil && !errors.Is(err, errClosed) {
				t.Error(err)
			}
		}
		r.Close()
	})
	return r
}

func spec(t *testing.T, id string) switcher.Spec {
	t.Helper()
	return switcher.Spec{
		Instance: id, Colour: switcher.Green, Port: freePort(t),
		Release: switcher.Release{ID: "r-" + id, Commit: "abc1234"},
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func start(t *testing.T, r *Runtime, s switcher.Spec) {
	t.Helper()
	if err := r.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func output(t *testing.T, r *Runtime, id string) string {
	t.Helper()
	lines, err := r.Tail(t.Context(), id, 100)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func says(t *testing.T, r *Runtime, id, text string) {
	t.Helper()
	eventually(t, id+" says "+text, func() bool { return strings.Contains(output(t, r, id), text) })
}

func pidOf(t *testing.T, r *Runtime, id string) int {
	t.Helper()
	in, err := r.known(id)
	if err != nil {
		t.Fatal(err)
	}
	life := in.running()
	if life == nil {
		t.Fatalf("%s does not run", id)
	}
	return life.pid
}

func listed(t *testing.T, r *Runtime, id string) switcher.Instance {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(in switcher.Instance) bool { return in.ID == id })
	if i < 0 {
		return switcher.Instance{}
	}
	return list[i]
}

func wantCode(t *testing.T, err error, code switcher.Code) {
	t.Helper()
	if err == nil || switcher.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want code %s", err, switcher.CodeOf(err), code)
	}
}
