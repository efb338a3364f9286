package main

import (
	"fmt"

	"sofiacall.com/bluegreen/internal/load"
)

// demoFigures are the demo's result, also as --json.
type demoFigures struct {
	Seconds    float64                      `json:"seconds"` // of load
	Done       int64                        `json:"done"`    // requests and round trips
	Failed     int64                        `json:"failed"`
	Stale      int64                        `json:"stale"` // answered by the other release after the command had returned
	Switches   int                          `json:"switches"`
	SwitchMS   float64                      `json:"switch_ms"` // the slowest, gates and probe included
	Rollbacks  int                          `json:"rollbacks"`
	RollbackMS float64                      `json:"rollback_ms"` // the slowest, probe included
	FailbackMS float64                      `json:"failback_ms"` // from the switch to the faulty release until production was back
	Kinds      map[load.Kind]load.KindStats `json:"kinds"`
	Sockets    load.SocketStats             `json:"sockets"`
	Errors     []string                     `json:"errors,omitempty"`
}

func (f demoFigures) print(t *terminal) {
	t.printf("\n%s\n\n", t.bold("What was measured"))
	t.printf("  %s\n", t.dim(fmt.Sprintf("%-22s %8s %7s %9s %9s %9s", "traffic", "done", "failed", "p50", "p99", "max")))
	for _, kind := range load.Kinds() {
		k, ok := f.Kinds[kind]
		if !ok {
			continue
		}
		t.printf("  %-22s %8d %7s %9s %9s %9s\n", kind, k.Done, f.failures(t, k.Failed), took(k.P50), took(k.P99), took(k.Max))
	}
	t.printf("\n")
	row := func(what, format string, args ...any) { t.printf("  %-22s %s\n", what, fmt.Sprintf(format, args...)) }
	row("in all", "%d requests in %.0f s, %d a second", f.Done, f.Seconds, f.rate())
	row("switch", "%d, the slowest %.0f ms with gates and probe", f.Switches, f.SwitchMS)
	row("rollback", "%d, the slowest %.0f ms with its probe", f.Rollbacks, f.RollbackMS)
	if f.FailbackMS > 0 {
		row("faulty release", "live for %.1f s, then rolled back by the edge", f.FailbackMS/1000)
	}
	row("wrong release", "%d answers after a command had returned", f.Stale)
	row("WebSockets", "%d opened, %d asked to reconnect when their slot was drained, %d broken",
		f.Sockets.Opened, f.Sockets.ClosedByEdge, broken(f.Sockets))
	t.printf("\n  %s\n", t.verdict(f.Failed+f.Stale == 0, fmt.Sprintf("%d failed", f.Failed)))
}

func (f demoFigures) rate() int64 {
	if f.Seconds < 1 {
		return f.Done
	}
	return int64(float64(f.Done) / f.Seconds)
}

// failures is a column of its own width: colours would break the alignment.
func (f demoFigures) failures(t *terminal, n int64) string {
	text := fmt.Sprintf("%7d", n)
	if n > 0 {
		return t.red(text)
	}
	return text
}

func broken(s load.SocketStats) (n int64) {
	for _, k := range s.Broken {
		n += k
	}
	return n
}

func (t *terminal) verdict(good bool, text string) string {
	if good {
		return t.bold(t.green(text))
	}
	return t.bold(t.red(text))
}
