package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"testing"
)

// accessLine is what the tests look at in a line of the access log.
type accessLine struct {
	App, Route, Colour, Release, Path string
	Status                            int
	Trace                             string `json:"trace_id"`
	Span                              string `json:"span_id"`
}

func (e *testEdge) accessLines(colour string) (lines []accessLine) {
	e.t.Helper()
	file, err := os.Open(e.file("logs/" + e.App + "/access-" + colour + ".log"))
	if err != nil {
		return nil
	}
	defer file.Close()
	for d := json.NewDecoder(bufio.NewReader(file)); ; {
		var line accessLine
		if err := d.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			e.t.Fatalf("after %d lines: %v", len(lines), err)
		}
		lines = append(lines, line)
	}
}

// Each slot has a file of its own, what was written a second ago survives a
// kill, and an ordered end loses nothing.
func TestTheAccessLogTellsColourAndRelease(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	e.deploy("b")
	if got := e.release("app.localhost"); got != "a" {
		t.Fatalf("production shows %q", got)
	}
	e.await("the line is on disk", func() bool { return len(e.accessLines("blue")) == 1 })
	e.kill()
	e.start()
	if got := e.release("internal.app.localhost"); got != "b" {
		t.Fatalf("internal shows %q", got)
	}
	status := e.status()
	e.stop()
	for colour, route := range map[string]string{"blue": "production", "green": "internal"} {
		lines := e.accessLines(colour)
		if len(lines) != 1 {
			t.Fatalf("%s has %d lines, want 1: %v", colour, len(lines), lines)
		}
		l := lines[0]
		want := map[string]string{"blue": status.Slots["blue"].Release.ID, "green": status.Slots["green"].Release.ID}[colour]
		if l.App != e.App || l.Route != route || l.Colour != colour || l.Release != want || l.Status != 200 {
			t.Errorf("%s: line %+v, want release %s", colour, l, want)
		}
	}
}
