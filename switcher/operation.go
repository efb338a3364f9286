package switcher

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// Operation is one run of a Kind on an app. It belongs to the app, not to
// whoever asked: a client that goes away does not stop it.
type Operation struct {
	ID    string
	App   string
	Kind  Kind
	Actor Actor
	Began time.Time

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when the app is free again
	about  Journal       // what the history will say of it
	silent bool          // leave no record: nothing was to be done

	resumes *Journal // operation of an earlier process that this recovery ends
	vigil   *vigil   // over production while it is moved; nil: it is not
	wayBack string   // plan of the fit of the release that a switch leaves; empty: not known

	mu         sync.Mutex
	step       string
	events     []Event
	changed    chan struct{} // closed and replaced at every event
	progressed time.Time     // when the last progress was told
	answered   *Availability
	done       bool
	err        error
}

func newOperation(ctx context.Context, id, app string, kind Kind, actor Actor) *Operation {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Operation{
		ID: id, App: app, Kind: kind, Actor: actor, Began: time.Now(),
		ctx: ctx, cancel: cancel, step: string(kind), changed: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Events yields the operation's events from its first on, waits for more, and
// ends after the one with the result, or when ctx ends.
func (o *Operation) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for next := 0; ; {
			o.mu.Lock()
			batch, changed, done := o.events[next:], o.changed, o.done
			o.mu.Unlock()
			for _, e := range batch {
				if !yield(e) {
					return
				}
			}
			next += len(batch)
			if done {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Wait blocks until the operation has ended and returns its error, or the
// cause of ctx's end.
func (o *Operation) Wait(ctx context.Context) error {
	for range o.Events(ctx) {
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done {
		return context.Cause(ctx)
	}
	return o.err
}

// Step returns the name of the step that the operation is in.
func (o *Operation) Step() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.step
}

// enter begins a step and returns a function that tells how it ended.
func (o *Operation) enter(step string) func(format string, args ...any) {
	o.mu.Lock()
	o.step = step
	o.mu.Unlock()
	began := time.Now()
	return func(format string, args ...any) {
		o.emit(Event{Step: step, Text: fmt.Sprintf(format, args...), Took: time.Since(began)})
	}
}

func (o *Operation) say(format string, args ...any) {
	o.emit(Event{Step: o.Step(), Text: fmt.Sprintf(format, args...)})
}

func (o *Operation) warn(format string, args ...any) {
	o.emit(Event{Step: o.Step(), Text: fmt.Sprintf(format, args...), Warning: true})
}

// progressEvery bounds how many progress events long work piles up.
const progressEvery = 500 * time.Millisecond

func (o *Operation) progress(p Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.progressed) < progressEvery {
		return
	}
	o.progressed = now
	o.events = append(o.events, Event{Time: now, Operation: o.ID, Step: o.step, Progress: &p})
	o.wake()
}

func (o *Operation) emit(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e.Time, e.Operation = time.Now(), o.ID
	o.events = append(o.events, e)
	o.wake()
}

// measured notes what production answered meanwhile.
func (o *Operation) measured(found Availability) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered = &found
}

func (o *Operation) availability() *Availability {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answered
}

// finish records how the operation ended and tells it as the last event.
func (o *Operation) finish(text string, err error) {
	r := &Result{OK: err == nil, Text: text}
	if err != nil {
		r.Code, r.Text = CodeOf(err), err.Error()
		var e *Error
		if errors.As(err, &e) {
			r.Hint, r.Output, r.Findings, r.Plan = e.Hint, e.Output, e.Findings, e.Plan
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	r.Availability = o.answered
	o.events = append(o.events, Event{Time: time.Now(), Operation: o.ID, Took: time.Since(o.Began), Result: r})
	o.done, o.err = true, err
	o.wake()
	o.cancel(nil)
}

func (o *Operation) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// vital reports whether the operation has to be possible on a full disk: it is
// a way back, or it makes room.
func (o *Operation) vital() bool {
	switch o.Kind {
	case KindRollback, KindRecover, KindDiscard, KindCleanup, KindRestore:
		return true
	}
	return false
}

func (o *Operation) status() *OperationStatus {
	return &OperationStatus{ID: o.ID, Kind: o.Kind, Actor: o.Actor, Since: o.Began, Step: o.Step()}
}
