package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

const (
	// The output is asked for after a pause that grows while nothing comes.
	shortLook = 100 * time.Millisecond
	longLook  = time.Second

	// The two streams of a container are logged by two goroutines of the engine,
	// which may write a little out of order: lines so much older than the newest
	// one are looked at again.
	disorder = time.Second
	// mostOpen is how far behind the newest line one may have begun that has not
	// ended: each look begins with it, and some, such as a progress bar, never end.
	mostOpen = time.Minute

	fewFrames  = 100
	manyFrames = 1000 // are not looked through for the end of the log
	mostFrames = 1 << 20
)

// Follow reads the engine's log of the container again and again, each time
// from a little before the newest line that was passed on. A request that
// follows would be cheaper, but engines before version 23 lose whole files on
// it when they rotate while its reader is slow; what they answer to a request
// that does not follow is the log of one moment.
func (r *Runtime) Follow(ctx context.Context, instance string, after switcher.Cursor, take func([]switcher.Line) error) error {
	found, err := r.must(ctx, instance)
	if err != nil {
		return err
	}
	return r.read(ctx, found, after, take)
}

// read follows a container, as Follow does.
func (r *Runtime) read(ctx context.Context, found *container.Summary, after switcher.Cursor, take func([]switcher.Line) error) error {
	f := &follower{runtime: r, id: found.ID, take: take, cursor: after.Clone(), frames: fewFrames}
	for pause := shortLook; ; pause = min(2*pause, longLook) {
		running, err := f.running(ctx) // before the look, or its last words are missed
		passed := 0
		if err == nil {
			passed, err = f.look(ctx, !running)
		}
		var refused *takeError
		switch {
		case errors.As(err, &refused):
			return refused.err
		case ctx.Err() != nil:
			return fmt.Errorf("following %s: %w", describe(*found), context.Cause(ctx))
		case notFound(err):
			return err
		case err == nil && passed == 0 && !running:
			return nil
		case passed > 0:
			pause = shortLook
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// takeError is an error of whoever takes the lines, none of the engine.
type takeError struct{ err error }

func (e *takeError) Error() string { return e.err.Error() }

// follower is one reader of a container's log.
type follower struct {
	runtime  *Runtime
	id       string
	take     func([]switcher.Line) error
	cursor   switcher.Cursor // behind the last line that was passed on
	frames   int             // how many the next look asks for
	last     *frame          // of the log at the last look; nil before, and while it is empty
	final    bool            // that look knew that the container had ended
	open     time.Time       // of the oldest line that had not ended then; zero: none
	leftOut  bool            // it was told that an open line is not waited for
	wentBack bool            // it was told that the clock was set back
}

func (f *follower) running(ctx context.Context) (bool, error) {
	found, err := f.runtime.inspect(ctx, f.id)
	if err != nil {
		return false, err
	}
	return runs(found.State.Status), nil
}

// look passes on what the log holds behind the cursor and returns how many
// lines that were. It asks for the last frames first, which costs the engine
// little, and for all if these do not reach back far enough.
func (f *follower) look(ctx context.Context, ended bool) (passed int, err error) {
	if same, err := f.unchanged(ctx); err != nil || same && (f.final || !ended) {
		return 0, err
	}
	options := logOptions()
	var since time.Time
	if newest := f.cursor.Newest(); !newest.IsZero() {
		since = f.since(ctx, newest)
		for n := f.frames; n <= mostFrames; n *= 16 {
			options.Tail = strconv.Itoa(n)
			passed, err = f.read(ctx, options, since, ended)
			if !errors.Is(err, errTooFew) {
				return passed, err
			}
		}
		options.Tail = ""
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	return f.read(ctx, options, since, ended)
}

// since returns the time from which on the log is looked through. All pieces of a
// line have the time of the first, so it is none after that of an open line.
func (f *follower) since(ctx context.Context, newest time.Time) time.Time {
	since := newest.Add(-disorder)
	if f.open.IsZero() || !f.open.Before(since) {
		return since
	}
	if newest.Sub(f.open) <= mostOpen {
		return f.open
	}
	if !f.leftOut {
		f.leftOut = true
		f.runtime.options.Logger.WarnContext(ctx, "a line of a container has not ended for long: what is still to come of it is lost",
			"app", f.runtime.options.App, "container", short(f.id), "begun", f.open)
	}
	return since
}

func logOptions() client.ContainerLogsOptions {
	return client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true}
}

// unchanged reports whether the log still ends as it did at the last look,
// which may have been at many lines of the same moment.
func (f *follower) unchanged(ctx context.Context) (same bool, err error) {
	if f.last == nil {
		return false, nil
	}
	options := logOptions()
	options.Tail = "1"
	err = f.runtime.engine.call(ctx, "reading the output of container "+short(f.id), func(ctx context.Context) error {
		answer, err := f.runtime.engine.api.ContainerLogs(ctx, f.id, options)
		if err != nil {
			return err
		}
		defer answer.Close()
		last, err := newFrames(answer, func() {}).next()
		if err == io.EOF {
			return nil
		}
		same = err == nil && last.stream == f.last.stream && last.time.Equal(f.last.time) && bytes.Equal(last.text, f.last.text)
		return err
	})
	return same, err
}

// errTooFew says that the frames that were asked for begin too late.
var errTooFew = errors.New("the frames do not reach back far enough")

// read passes on the lines of one answer that are not older than since. If only
// the last frames were asked for, the first of them must be older, or they must
// be all that there is.
func (f *follower) read(ctx context.Context, options client.ContainerLogsOptions, since time.Time, ended bool) (passed int, err error) {
	e := f.runtime.engine
	watched, silence := newSilence(ctx, e.timeout)
	defer silence.stop()
	doing := "reading the output of container " + short(f.id)
	if err := e.negotiate(watched); err != nil {
		return 0, e.explain(watched, doing, err)
	}
	answer, err := e.api.ContainerLogs(watched, f.id, options)
	if err != nil {
		return 0, e.explain(watched, doing, err)
	}
	defer answer.Close()
	a := &assembler{cursor: f.cursor, seen: make(map[string]*replay), take: func(lines []switcher.Line) error {
		silence.pause() // the engine is not to blame for a disk that is full
		defer silence.reset()
		if err := f.take(lines); err != nil {
			return &takeError{err}
		}
		return nil
	}}
	frames := newFrames(answer, silence.reset)
	recent := 0
	var last frame
	times := make(map[string]time.Time)    // of the last frame of each stream
	asked, _ := strconv.Atoi(options.Tail) // 0: all
	for n := 0; ; n++ {
		next, err := frames.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			last = frame{next.stream, next.time, append(last.text[:0], next.text...)}
			if next.time.Before(times[next.stream]) {
				f.backwards(ctx, times[next.stream], next.time)
			}
			times[next.stream] = next.time
		}
		if err == nil && next.time.Before(since) {
			continue
		}
		if err == nil && n == 0 {
			a.held = asked > 0 // unless that is the whole log, something is missing
		}
		if a.held && (asked > manyFrames || n+1 >= asked || a.bytes > batchBytes) {
			return 0, errTooFew
		}
		recent++
		if err == nil {
			err = a.add(next)
		}
		if err != nil {
			return a.passed, e.explain(watched, doing, err)
		}
	}
	f.frames = fewFrames + 2*recent
	err = a.end(ended)
	if err == nil && last.stream != "" {
		f.last, f.final = &last, ended
		f.open = a.oldestOpen()
	}
	if a.gap() {
		f.runtime.options.Logger.WarnContext(ctx, "the engine has dropped lines of a container before they could be read: they are lost",
			"app", f.runtime.options.App, "container", short(f.id), "after", f.cursor.Newest())
	}
	return a.passed, err
}

// backwards tells once that lines may be lost: where a reader stopped is known
// by the time of a line.
func (f *follower) backwards(ctx context.Context, from, to time.Time) {
	if f.wentBack {
		return
	}
	f.wentBack = true
	f.runtime.options.Logger.WarnContext(ctx, "the clock went back in the log of a container: lines are lost until it has caught up",
		"app", f.runtime.options.App, "container", short(f.id), "from", from, "to", to)
}
