package process

import (
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

// The work is done by a child of the first process.
func TestUsageIsThatOfAllProcessesOfAnInstance(t *testing.T) {
	r := open(t, options(t.TempDir(), script("(while :; do :; done) & echo up; wait")))
	start(t, r, spec(t, "i1"))
	says(t, r, "i1", "up")
	var used switcher.Usage
	eventually(t, "its processor time is seen", func() bool {
		var err error
		if used, err = r.Usage(t.Context(), "i1"); err != nil {
			t.Fatal(err)
		}
		return used.CPUSeconds >= 0.1
	})
	if used.Memory < 100<<10 || used.Memory > 100<<20 || used.Restarts != 0 {
		t.Errorf("usage of two shells is %+v", used)
	}
}

func TestUsageTellsRestartsAndNothingOfWhatDoesNotRun(t *testing.T) {
	dir := t.TempDir()
	r := open(t, options(dir, script(serve)))
	start(t, r, spec(t, "i1"))
	if err := r.Keep(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	first := pidOf(t, r, "i1")
	syscall.Kill(first, syscall.SIGKILL)
	restarts := func(r *Runtime) int {
		used, err := r.Usage(t.Context(), "i1")
		if err != nil {
			return 0
		}
		return used.Restarts
	}
	eventually(t, "the restart is told", func() bool { return restarts(r) == 1 })
	r.Close()
	r = open(t, options(dir, script(serve)))
	if n := restarts(r); n != 1 {
		t.Errorf("the next edge tells %d restarts", n)
	}
	if err := r.Stop(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"i1", "unknown"} {
		if used, err := r.Usage(t.Context(), id); err == nil {
			t.Errorf("%s does not run and uses %+v", id, used)
		}
	}
}
