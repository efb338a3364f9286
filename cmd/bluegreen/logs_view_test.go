package main

import (
	"testing"
	"time"
)

// What a container writes must not steer the terminal of whoever reads it.
func TestLogLinesCannotSteerATerminal(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC) }
	plain := logView{&terminal{}, now}
	painted := logView{&terminal{live: true, colour: true}, now}
	for name, c := range map[string]struct {
		view      logView
		raw, want string
	}{
		"plain": {plain,
			`{"time":"2026-11-24T14:49:10.123456789Z","colour":"blue","stream":"stdout","message":"a\tb\u001b[2J\u0007\u009b1m\u202e"}`,
			"2026-11-24T14:49:10.123Z blue  stdout a\tb" + `\x1b[2J\x07\x9b1m\u202e`},
		"painted": {painted,
			`{"time":"2026-11-24T14:49:10.123456789Z","colour":"green","stream":"stderr","message":"oh","partial":true}`,
			"\x1b[2m14:49:10.123\x1b[0m \x1b[32mgreen\x1b[0m \x1b[31mstderr\x1b[0m oh\x1b[2m…\x1b[0m"},
		"yesterday": {painted,
			`{"time":"2026-11-23T14:49:10.1Z","colour":"blue","stream":"output","message":"ñ"}`,
			"\x1b[2mNov 23 14:49:10.100\x1b[0m \x1b[34mblue \x1b[0m \x1b[2moutput\x1b[0m ñ"},
		"a request": {plain,
			`{"time":"2026-11-24T14:49:10Z","level":"INFO","msg":"request","app":"chat","route":"production","colour":"blue","method":"GET","host":"a.example.com","path":"/\u001b]0;x","status":502,"duration_us":1234,"client":"192.0.2.1","failure":"dial"}`,
			`2026-11-24T14:49:10.000Z blue  502 GET a.example.com/\x1b]0;x 1.23ms 192.0.2.1 production dial`},
		"no JSON": {plain, "cut \x1b[31m", `cut \x1b[31m`},
	} {
		if got := c.view.line([]byte(c.raw)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
