package process

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// follow collects what a Watch tells until the test ends.
func follow(t *testing.T, r *Runtime) (told func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- r.Watch(ctx, func(i switcher.Incident) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, fmt.Sprint(i.Instance, " ", i.Kind, " ", i.ExitCode))
			if age := time.Since(i.Time); age < -time.Second || age > time.Minute {
				t.Errorf("%+v is %v old", i, age)
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestWatchTellsDeathsAndStartsInOrder(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	start(t, r, spec(t, "i1"))
	told := follow(t, r)
	eventually(t, "what runs is told", func() bool { return len(told()) == 1 })
	if err := r.Keep(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pidOf(t, r, "i1"), syscall.SIGKILL)
	eventually(t, "its death and its revival are told", func() bool { return len(told()) == 3 })
	start(t, r, spec(t, "i2"))
	want := []string{"i1 started 0", "i1 died 137", "i1 started 0", "i2 started 0"}
	eventually(t, "another start is told", func() bool { return slices.Equal(told(), want) })
}

func TestAdoptedInstanceIsWatchedToo(t *testing.T) {
	dir := t.TempDir()
	crashedEdge(t, dir, script(serve))
	r := open(t, options(dir, script(serve)))
	told := follow(t, r)
	eventually(t, "what runs is told", func() bool { return len(told()) == 1 })
	syscall.Kill(pidOf(t, r, "i1"), syscall.SIGKILL)
	want := []string{"i1 started 0", fmt.Sprint("i1 died ", switcher.ExitUnknown)}
	eventually(t, "its death is told", func() bool { return slices.Equal(told(), want) })
}
