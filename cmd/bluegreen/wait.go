package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// waitEvery is how often the status is asked for.
const waitEvery = 500 * time.Millisecond

type operation = func(*admin.Client, string, tell) (switcher.Result, error)

// waitAfter makes an operation that moves production stay until drain and bake
// have ended: an error when production was moved again meanwhile, or when that
// takes longer than timeout; 0 is no limit.
func waitAfter(ctx context.Context, timeout time.Duration, do operation) operation {
	return func(client *admin.Client, app string, show tell) (switcher.Result, error) {
		before, err := client.Status(ctx, app)
		if err != nil {
			return switcher.Result{}, err
		}
		w := &waiting{client: client, app: app, moved: before.Inactive, show: show}
		result, err := do(client, app, func(e switcher.Event) {
			w.operation = e.Operation
			show(e)
		})
		if err != nil {
			return result, err
		}
		return result, w.run(ctx, timeout)
	}
}

// waiting is the time between a switch and the end of its bake.
type waiting struct {
	client    *admin.Client
	app       string
	moved     switcher.Colour // production was moved here
	operation string          // by this one
	show      tell
	last      admin.Status
}

func (w *waiting) run(ctx context.Context, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		now, err := w.client.Status(ctx, w.app)
		if ctx.Err() == nil && err != nil {
			return err
		}
		if err == nil {
			if over, err := w.look(ctx, now); over {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return w.tooLong(ctx, timeout)
		}
	}
}

// look tells what has changed and reports whether the waiting is over.
func (w *waiting) look(ctx context.Context, now admin.Status) (over bool, err error) {
	w.compare(ctx, now)
	w.last = now
	switch {
	case now.Active != w.moved && now.Operation == nil:
		return true, w.movedBack(ctx)
	case now.Active != w.moved:
		return false, nil // its record, which says why, comes with its end
	case now.Drain == nil && now.Bake == nil:
		return true, nil
	}
	return false, nil
}

// compare tells what has ended since the last look, and what goes on.
func (w *waiting) compare(ctx context.Context, now admin.Status) {
	if d := w.last.Drain; d != nil && now.Drain == nil {
		w.say(switcher.Event{Step: "drain", Took: time.Since(d.Began), Text: w.drainEnd(ctx, *d)})
	}
	if b := w.last.Bake; b != nil && now.Bake == nil && now.Active == w.moved {
		w.say(switcher.Event{Step: "bake", Took: time.Since(b.Began), Text: w.bakeEnded(*b)})
	}
	w.verdict(now)
	switch {
	case now.Drain != nil:
		w.say(switcher.Event{Step: "drain", Progress: &switcher.Progress{Drain: now.Drain}})
	case now.Bake != nil:
		left, whole := time.Until(now.Bake.Until), now.Bake.Until.Sub(now.Bake.Began)
		w.say(switcher.Event{Step: "bake", Progress: &switcher.Progress{
			Text: span(left) + " left" + soFar(now.Bake.Verdict), Done: int64(whole - left), Total: int64(whole),
		}})
	}
}

// drainEnd is what the history says of a drain: it has a record when something
// was cut.
func (w *waiting) drainEnd(ctx context.Context, d switcher.DrainStatus) string {
	history, err := w.client.History(ctx, w.app)
	if err != nil {
		return fmt.Sprintf("%s is drained", d.Slot)
	}
	for _, r := range history.History {
		if r.Kind == switcher.KindDrain && r.Began.Equal(d.Began) {
			return r.Result
		}
	}
	return fmt.Sprintf("%s is drained, nothing was cut", d.Slot)
}

func (w *waiting) say(e switcher.Event) {
	e.Time, e.Operation = time.Now(), w.operation
	w.show(e)
}

// movedBack explains, from the history, why production is elsewhere.
func (w *waiting) movedBack(ctx context.Context) error {
	e := &switcher.Error{
		Code: switcher.CodeUnhealthy, What: fmt.Sprintf("production went back from %s", w.moved),
		Hint: "bluegreen history tells more",
	}
	history, err := w.client.History(ctx, w.app)
	if err != nil {
		return e
	}
	for _, r := range slices.Backward(history.History) {
		if r.ID == w.operation {
			break
		}
		if r.Kind != switcher.KindRollback && r.Kind != switcher.KindSwitch {
			continue
		}
		why := r.Reason
		if why == "" {
			why = r.Result
		}
		if r.Actor == switcher.Self {
			e.What = fmt.Sprintf("production was rolled back to %s: %s", w.moved.Other(), why)
			return e
		}
		e.Code = switcher.CodeFailed
		e.What = fmt.Sprintf("production was moved back to %s by %s: %s", w.moved.Other(), r.Actor, why)
		return e
	}
	return e
}

func (w *waiting) tooLong(ctx context.Context, timeout time.Duration) error {
	if ctx.Err() != context.DeadlineExceeded {
		return &switcher.Error{Code: switcher.CodeFailed, What: "interrupted; production has moved, drain and bake go on"}
	}
	var still []string
	if w.last.Drain != nil {
		still = append(still, "the drain")
	}
	if w.last.Bake != nil {
		still = append(still, "the bake")
	}
	return &switcher.Error{
		Code: switcher.CodeTimeout,
		What: fmt.Sprintf("not finished after %s: %s; production has moved", span(timeout), and(still)),
		Hint: "they go on; bluegreen status shows them",
	}
}
