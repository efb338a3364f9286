package main

import (
	"strings"
	"testing"
	"time"
)

func TestALongLineGoesOnBelowItselfOnATerminalOnly(t *testing.T) {
	const text = "the live schema is the one of the rehearsal, and nothing is left to do after it"
	said := draw(func(t *terminal) { (&steps{out: t}).line("✓", "verify", 421*time.Millisecond, text) }, 80, true, false)
	lines := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[1], strings.Repeat(" ", textColumn)) || visible(lines[0]) > 80 {
		t.Errorf("on a terminal:\n%s", said)
	}
	if said := draw(func(t *terminal) { (&steps{out: t}).line("", "verify", 0, text) }, 80, false, false); strings.Count(said, "\n") != 1 {
		t.Errorf("in a log:\n%s", said)
	}
	long := draw(func(t *terminal) { t.paragraph("bluegreen: ", text+": "+text) }, 80, true, false)
	for line := range strings.Lines(long) {
		if visible(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("a paragraph:\n%s", long)
		}
	}
}
