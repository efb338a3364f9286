package main

import (
	"bytes"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// deployEvents are those of a deploy that takes a while.
func deployEvents() []switcher.Event {
	at := func(d time.Duration, e switcher.Event) switcher.Event {
		e.Time, e.Operation = noon.Add(d), "k3v9q2x7ab"
		return e
	}
	progress := func(text string, done, total int64) *switcher.Progress {
		return &switcher.Progress{Text: text, Done: done, Total: total}
	}
	return []switcher.Event{
		at(0, switcher.Event{Text: "sofia-chat r13 (b70e552) goes to green"}),
		at(0, switcher.Event{Step: "fetch", Progress: progress("pulling sofia-chat-backend:b70e552", 0, 0)}),
		at(1*time.Second, switcher.Event{Step: "fetch", Progress: progress("12 of 48 MB", 12, 48)}),
		at(2*time.Second, switcher.Event{Step: "fetch", Progress: progress("36 of 48 MB", 36, 48)}),
		at(3*time.Second, switcher.Event{Step: "fetch", Took: 3200 * time.Millisecond, Text: "pulled ghcr.io/sofiacall/sofia-chat-backend:b70e552"}),
		at(4*time.Second, switcher.Event{Step: "start", Took: 412 * time.Millisecond, Text: "backend_green runs on 127.0.0.1:3002"}),
		at(5*time.Second, switcher.Event{Step: "health", Progress: progress("waiting for /health: connection refused", 1, 120)}),
		at(6*time.Second, switcher.Event{Step: "health", Progress: progress("waiting for /health: connection refused", 2, 120)}),
		at(16*time.Second, switcher.Event{Step: "health", Progress: progress("waiting for /health", 12, 120)}),
		at(17*time.Second, switcher.Event{Step: "health", Took: 13 * time.Second, Text: "healthy after 13 probes"}),
		at(17*time.Second, switcher.Event{Step: "health", Warning: true, Text: "the log has 2 lines with \"deprecated\""}),
	}
}

func TestStepsOfAnOperation(t *testing.T) {
	ends := map[string]switcher.Event{
		"done": {Took: 17 * time.Second, Result: &switcher.Result{OK: true, Text: "b70e552 (r13) is in test on green: https://internal-dev-sofia-chat.sofiacall.com"}},
		"failed": {Took: 17 * time.Second, Result: &switcher.Result{
			Code: switcher.CodeUnhealthy, Text: "told on standard error", Hint: "and so is this",
		}},
	}
	for name, end := range ends {
		for kind, out := range map[string]*terminal{
			"plain":    {},
			"terminal": {live: true, size: func() int { return 80 }},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				var shown bytes.Buffer
				out.Writer = &shown
				s := &steps{out: out}
				for _, e := range append(deployEvents(), end) {
					s.show(e)
				}
				s.clear()
				golden(t, "steps-"+name+"-"+kind+".txt", shown.String())
			})
		}
	}
}
