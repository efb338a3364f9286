package switcher

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Causes with which the context of an operation ends that somebody wants to
// end. When it ends with another one the edge itself does, and what it has begun
// is left to the next start.
var (
	ErrOvertaken = errors.New("another request came first")
	ErrDiscarded = errors.New("discarded while it was being deployed")
)

// job is what an operation does: it returns one sentence for the history.
type job func(ctx context.Context, op *Operation) (string, error)

// permit looks at the state that an operation would begin from. It refuses
// the operation, or returns what the history will say it is about.
type permit func(*State) (Journal, error)

// start runs a job as the app's one operation. What would be refused anyway
// disturbs nothing that runs.
func (a *App) start(kind Kind, actor Actor, allow permit, do job) (*Operation, error) {
	a.awaitBegin()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.op != nil && a.op.makesRoom(kind) != never {
		if _, err := allow(a.state.Load()); err != nil {
			return nil, err
		}
	}
	if err := a.free(kind); err != nil {
		return nil, err
	}
	about, err := allow(a.state.Load())
	if err != nil {
		return nil, err
	}
	op := newOperation(a.ctx, newID(), a.name, kind, actor)
	op.about = about
	a.op = op
	a.hurry()
	a.background.Go(func() {
		text, err := do(op.ctx, op)
		op.dropVigil()
		a.conclude(op, text, err)
	})
	return op, nil
}

// Hold keeps operations from beginning until release is called, as while a
// configuration is being applied. It ends the edge's own recovery, which is
// done again afterwards, and is refused while an operator's operation runs.
func (a *App) Hold() (release func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken == nil && a.up() {
		if err := a.free(""); err != nil {
			return nil, err
		}
	}
	a.held = true
	return func() {
		a.mu.Lock()
		a.held = false
		a.mu.Unlock()
		a.wakeSweep()
	}, nil
}

// newID is unique enough for one app's history, and short enough to be typed.
func newID() string { return strings.ToLower(rand.Text()[:10]) }

// patience is how long an operation waits for the edge's own recovery, which is
// over in a moment unless containers have to be started.
const patience = 10 * time.Second

// free returns nil once nothing stands in the way of an operation of this kind,
// or why it may not begin. Called with a.mu held, which it gives up while it
// waits.
func (a *App) free(kind Kind) error {
	waited := time.NewTimer(patience)
	defer waited.Stop()
	for {
		switch {
		case a.broken != nil:
			return a.broken
		case !a.up():
			return errNotUp()
		case a.held:
			return &Error{Code: CodeBusy, What: "a new configuration is being applied", Hint: "try again in a moment"}
		case a.op == nil:
			return nil
		}
		op, room := a.op, a.op.makesRoom(kind)
		if room == never {
			return busy(op)
		}
		if room == atOnce {
			op.cancel(ErrOvertaken)
		}
		a.mu.Unlock()
		over := false
		select {
		case <-op.ended:
		case <-waited.C:
			over = room == soon
			if !over {
				<-op.ended // it was told to end
			}
		}
		a.mu.Lock()
		if over {
			return busy(op)
		}
	}
}

// room says when an operation lets another one begin.
type room int

const (
	never room = iota
	soon
	atOnce
)

// makesRoom says when this operation lets one of that kind begin; an empty kind
// is a new configuration. A drain is only a wait and ends for whatever comes, and
// so does what the edge does to the database by itself, for it is done again.
// What only looks at the database ends for a rollback. So does the edge's own
// recovery, for a rollback must not wait for an engine; anything else would delay
// the repair of production, and waits.
func (o *Operation) makesRoom(kind Kind) room {
	switch {
	case o.Kind == KindDrain && kind != "":
		return atOnce
	case o.looks() && (kind == KindRollback || o.Actor == Self):
		return atOnce
	case !o.ownRepair():
		return never
	case kind == KindRollback || kind == "":
		return atOnce
	}
	return soon
}

// looks reports whether the operation leaves the live database as it is, so
// that it can be ended at any moment.
func (o *Operation) looks() bool { return looks(o.Kind) }

func looks(k Kind) bool { return k == KindBackup || k == KindVerify || k == KindPlan }

// awaitBegin waits for the app to run: the socket may be a moment ahead of it.
func (a *App) awaitBegin() {
	select {
	case <-a.begun:
	case <-time.After(patience):
	}
}

// inService returns why nothing can be asked of the app, or nil. Called with
// a.mu held.
func (a *App) inService() error {
	if a.broken != nil {
		return a.broken
	}
	if !a.up() {
		return errNotUp()
	}
	return nil
}

// up reports whether the app is being run. Called with a.mu held.
func (a *App) up() bool { return a.ctx != nil && a.ctx.Err() == nil }

func errNotUp() error {
	return &Error{Code: CodeUnreachable, What: "the edge is starting or stopping", Hint: "try again in a moment"}
}

// ownRepair reports whether this is a recovery that the edge does by itself.
func (o *Operation) ownRepair() bool { return o.Kind == KindRecover && o.Actor == Self }

func busy(op *Operation) *Error {
	return &Error{Code: CodeBusy,
		What: fmt.Sprintf("%s by %s is running since %s, in step %q", op.Kind, op.Actor, op.Began.Format(time.TimeOnly), op.Step()),
		Hint: "wait for it (`bluegreen status --watch` shows it); a running deploy ends with `bluegreen discard`"}
}

// conclude records how an operation ended and lets the next one begin. An
// operation that the end of the edge has interrupted stays in the journal:
// the next start resumes it.
func (a *App) conclude(op *Operation, text string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.op = nil
	a.ended = append(a.ended, op)
	if len(a.ended) > endedKept {
		a.ended = a.ended[1:]
	}
	if a.ctx.Err() == nil {
		a.close(op, text, err)
	}
	if errors.Is(err, ErrOvertaken) && op.ownRepair() {
		a.log.Debug("recovery gives way, and is done again", "id", op.ID)
	} else if err != nil {
		a.log.Warn("operation failed", "operation", op.Kind, "id", op.ID, "by", op.Actor, "error", err)
	} else if text != "" {
		a.log.Info(text, "operation", op.Kind, "id", op.ID, "by", op.Actor, "took", time.Since(op.Began).Round(time.Millisecond))
	}
	op.finish(text, err)
	close(op.ended)
	a.hurry()
	if !op.ownRepair() {
		a.wakeSweep()
	}
}

// close writes the last step. It holds nothing that a restart could not do
// without, so a disk that refuses it does not undo the operation: the state
// in memory runs ahead until the next step is written.
func (a *App) close(op *Operation, text string, err error) {
	next := a.state.Load().clone()
	j := next.Operation
	if j == nil || j.ID != op.ID {
		if text == "" && err == nil || op.silent {
			return // nothing was done and nothing journaled
		}
		a.interrupted(next, op)
		j = op.journal()
	}
	result := text
	if err != nil {
		result = err.Error()
	}
	r := j.record(err == nil, result)
	r.Availability = op.availability()
	next.record(r)
	if next.Operation != nil && next.Operation.ID == op.ID {
		next.Operation = nil
	}
	next.Generation++
	a.fail(string(op.Kind) + "/end/before")
	if err := a.store.save(next, op.vital()); err != nil {
		a.log.Error("recording the end of an operation", "operation", op.Kind, "id", op.ID, "error", err)
		op.warn("the end of this operation could not be recorded: %v", err)
	}
	a.fail(string(op.Kind) + "/end/after")
	a.state.Store(next)
}

// Operation returns an operation that runs, or one of the last that ended.
func (a *App) Operation(id string) (*Operation, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.op != nil && a.op.ID == id {
		return a.op, true
	}
	for _, op := range a.ended {
		if op.ID == id {
			return op, true
		}
	}
	return nil, false
}

// journal is the operation as the state records it.
func (o *Operation) journal() *Journal {
	j := o.about
	j.ID, j.Kind, j.Actor, j.Began, j.Step = o.ID, o.Kind, o.Actor, o.Began, o.Step()
	return &j
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// round makes a duration readable.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
