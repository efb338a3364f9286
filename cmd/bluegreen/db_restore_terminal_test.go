package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// typed is a terminal at which somebody has typed a line.
func typed(t *testing.T, line string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	if _, err := master.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
	return terminal
}

func TestAtATerminalTheNumberOfLostRowsIsTyped(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	base.SetPlan(restorePlan())
	began := len(base.Asked())
	for _, line := range []string{"", "y", "yes", "4091", "04092x", "unknown", "-1"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"db", "restore"}, typed(t, line), &out, &errs, d.environ); code != 1 {
			t.Errorf("%q: exit code %d\n%s%s", line, code, &out, &errs)
		}
		d.says(out.String(), "Type 4092 to restore")
		d.says(errs.String(), "nothing was done")
	}
	if asked := base.Asked()[began:]; len(asked) > 0 {
		t.Fatalf("it was asked for %+v", asked)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"db", "restore"}, typed(t, " 4092 "), &out, &errs, d.environ); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, &out, &errs)
	}
	asked := base.Asked()[began:]
	if len(asked) != 1 || asked[0].Kind != switcher.KindRestore || asked[0].Request.Plan != "3f9a01c2" || *asked[0].Request.Lost != 4092 {
		t.Errorf("asked for was %+v", asked)
	}
}
