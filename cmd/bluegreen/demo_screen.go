package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// demoScreen shows the story as it goes on and, on a terminal, below it a few
// lines that live: both slots and the load.
type demoScreen struct {
	out   *terminal
	stage *demoStage
	stop  context.CancelFunc
	done  chan struct{}

	mu    sync.Mutex // guards the terminal and what follows
	steps steps
	drawn int // live lines on the screen
	live  []string
	seen  int64 // requests at the last look
	at    time.Time
	rate  float64
}

const demoRefresh = 250 * time.Millisecond

func newDemoScreen(out *terminal, stage *demoStage) *demoScreen {
	ctx, stop := context.WithCancel(context.Background())
	d := &demoScreen{out: out, stage: stage, stop: stop, done: make(chan struct{}), steps: steps{out: out}, at: time.Now()}
	go func() {
		defer close(d.done)
		for d.out.live && ctx.Err() == nil {
			d.refresh(ctx)
			select {
			case <-time.After(demoRefresh):
			case <-ctx.Done():
			}
		}
	}()
	return d
}

// close takes the live lines off the screen.
func (d *demoScreen) close() {
	d.stop()
	<-d.done
	d.above(func() {})
	d.live = nil
}

// above writes where the story is, over the live lines.
func (d *demoScreen) above(write func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	write()
	d.draw()
}

func (d *demoScreen) erase() {
	d.steps.clear()
	if d.drawn > 0 {
		d.out.printf("\x1b[%dA\r\x1b[J", d.drawn)
		d.drawn = 0
	}
}

func (d *demoScreen) draw() {
	for _, line := range d.live {
		d.out.printf("%s\n", clip(line, d.out.size()-1))
	}
	d.drawn = len(d.live)
}

func (d *demoScreen) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	st, err := d.stage.look(ctx)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if span := time.Since(d.at); span >= time.Second {
		d.rate = float64(st.done-d.seen) / span.Seconds()
		d.seen, d.at = st.done, time.Now()
	}
	d.erase()
	d.live = d.lines(st)
	d.draw()
}

// lines are the live part: a slot each, and the load.
func (d *demoScreen) lines(st demoStatus) []string {
	t := d.out
	lines := []string{t.dim(strings.Repeat("─", min(72, t.size()-1)))}
	for _, c := range switcher.Colours() {
		slot := st.Slots[c]
		if slot.State == switcher.Empty {
			lines = append(lines, fmt.Sprintf(" %s %s", pad(t.in(c, string(c)), 6), t.dim("empty")))
			continue
		}
		role := t.dim(string(slot.State))
		if slot.State == switcher.Active {
			role = t.bold("LIVE")
		}
		release := slot.Release.Commit
		lines = append(lines, fmt.Sprintf(" %s %s %s %s  %s", pad(t.in(c, string(c)), 6), pad(t.in(c, release), 4), pad(role, 9),
			pad(demoHealth(t, slot), 10), t.dim(flying(slot.InFlight, slot.Upgraded))))
	}
	bad := st.failed + st.stale
	lost := t.green("0 failed")
	if bad > 0 {
		lost = t.red(fmt.Sprintf("%d failed", bad))
	}
	return append(lines, fmt.Sprintf(" %s %5.0f/s  %d done  %s", pad("load", 6), d.rate, st.done, lost))
}

func demoHealth(t *terminal, slot switcher.SlotStatus) string {
	switch slot.Health.Status {
	case switcher.Healthy:
		return t.green("healthy")
	case switcher.Unhealthy:
		return t.red("unhealthy")
	}
	return t.dim("-")
}

// event shows a step of an operation.
func (d *demoScreen) event(e switcher.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Progress != nil {
		return // the live lines tell as much
	}
	d.erase()
	d.steps.show(e)
	d.draw()
}

// say tells what no operation says.
func (d *demoScreen) say(format string, args ...any) {
	d.event(switcher.Event{Step: "see", Text: fmt.Sprintf(format, args...)})
}

func (d *demoScreen) title(n int, text string) {
	d.above(func() { d.out.printf("\n%s\n", d.out.bold(fmt.Sprintf("%d. %s", n, text))) })
}

func (d *demoScreen) intro() {
	d.above(func() {
		d.out.printf("%s\n", d.out.bold("bluegreen demo"))
		d.out.printf("  production  %s\n", d.stage.url(demoHost))
		d.out.printf("  internal    %s\n", d.stage.url(demoInternal))
		d.out.printf("  everything is in %s and goes when the demo ends\n", d.stage.dir)
	})
}

// last shows how the newest record in the history came about.
func (d *demoScreen) last(ctx context.Context) {
	history, err := d.stage.client.History(ctx, d.stage.app)
	if err != nil || len(history.History) == 0 {
		return
	}
	r := history.History[len(history.History)-1]
	for _, one := range history.History {
		if one.Kind == switcher.KindRollback {
			r = one
		}
	}
	d.event(switcher.Event{Step: string(r.Kind), Took: r.Took, Text: "by " + string(r.Actor) + ": " + r.Result})
}

func (d *demoScreen) invite() {
	d.above(func() {
		t := d.out
		t.printf("\n%s\n", t.bold("Now you. The load goes on until Ctrl-C."))
		t.printf("  open        %s   (a browser warns: the CA is the demo's own)\n", d.stage.url(demoHost))
		t.printf("  trust it    %s\n", d.stage.path("state/ca/root.pem"))
		t.printf("  try         export BLUEGREEN_SOCKET=%s\n", d.stage.path("admin.sock"))
		t.printf("              bluegreen dashboard\n")
		t.printf("              bluegreen status --watch\n")
		t.printf("              bluegreen deploy %s && bluegreen switch && bluegreen rollback\n\n", demoInvited)
	})
}
