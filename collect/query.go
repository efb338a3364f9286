package collect

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"sofiacall.com/bluegreen/logfile"
)

// Query says which lines of log files are wanted.
type Query struct {
	Paths  []string  // of files whose lines are merged by time
	Lines  int       // at most so many, the newest; 0: all
	Since  time.Time // none that are older; zero: from the beginning
	Follow bool      // go on with what is written, until the context ends
}

// Answer takes the lines of a Query. A line, which has no end of its own, is
// Line's only until it returns. Idle is called when no further line is there
// for the moment. An error of either ends the query.
type Answer struct {
	Line func(line []byte) error
	Idle func() error
}

// followEvery is how often files are looked at for what was written.
const followEvery = 200 * time.Millisecond

// Read answers a query, oldest lines first. What was rotated out and compressed
// is read as well.
func Read(ctx context.Context, q Query, a Answer) error {
	var readers []*logfile.Reader
	defer func() {
		for _, r := range readers {
			r.Close()
		}
	}()
	for _, path := range q.Paths {
		r, err := logfile.Open(path)
		if err != nil {
			return err
		}
		readers = append(readers, r)
	}
	starts, err := begins(ctx, readers, q)
	if err != nil {
		return err
	}
	if err := merge(ctx, readers, starts, q.Since, a.Line); err != nil {
		return err
	}
	for {
		if err := a.Idle(); err != nil || !q.Follow {
			return err
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := more(ctx, readers, a.Line); err != nil {
			return err
		}
	}
}

// disorder is how far lines of a file may be from the order of their times.
const disorder = 5 * time.Second

// mark is a line that may be the first one wanted.
type mark struct {
	time int64
	at   logfile.Position
}

// begins returns where each reader has to begin.
func begins(ctx context.Context, readers []*logfile.Reader, q Query) ([]logfile.Position, error) {
	starts := make([]logfile.Position, len(readers))
	marks := make([][]mark, len(readers)) // newest first
	for i, r := range readers {
		if q.Lines == 0 && q.Since.IsZero() {
			starts[i] = r.Beginning()
			continue
		}
		starts[i] = r.End()
		last := time.Now()
		err := r.Backwards(q.Since, func(at logfile.Position, line []byte) bool {
			if t, ok := timeOf(line); ok {
				last = t
			}
			if last.Before(q.Since.Add(-disorder)) && !q.Since.IsZero() {
				return false
			}
			if q.Lines == 0 {
				starts[i] = at
			} else if !last.Before(q.Since) {
				marks[i] = append(marks[i], mark{last.UnixNano(), at})
			}
			return ctx.Err() == nil && (q.Lines == 0 || len(marks[i]) < q.Lines)
		})
		if err != nil {
			return nil, err
		}
	}
	for range q.Lines {
		newest := -1
		for i := range marks {
			if len(marks[i]) > 0 && (newest < 0 || marks[i][0].time > marks[newest][0].time) {
				newest = i
			}
		}
		if newest < 0 {
			break
		}
		starts[newest] = marks[newest][0].at
		marks[newest] = marks[newest][1:]
	}
	return starts, ctx.Err()
}

// merge tells the lines of all readers up to their ends, the older one first.
func merge(ctx context.Context, readers []*logfile.Reader, starts []logfile.Position, since time.Time, tell func([]byte) error) error {
	wanted := func(line []byte) bool {
		t, ok := timeOf(line)
		return !ok || !t.Before(since)
	}
	if len(readers) == 1 {
		return readers[0].Forwards(ctx, starts[0], func(line []byte) error {
			if !wanted(line) {
				return nil
			}
			return tell(line)
		})
	}
	heads := make([]*head, len(readers))
	for i, r := range readers {
		heads[i] = pull(ctx, r, starts[i])
		defer heads[i].stop()
	}
	for {
		var oldest *head
		for _, h := range heads {
			if h.ok && (oldest == nil || h.time.Before(oldest.time)) {
				oldest = h
			}
		}
		if oldest == nil {
			break
		}
		if wanted(oldest.line) {
			if err := tell(oldest.line); err != nil {
				return err
			}
		}
		oldest.advance()
	}
	for _, h := range heads {
		if h.err != nil {
			return h.err
		}
	}
	return nil
}

var errEnough = errors.New("nobody wants more lines")

// head is a reader and its next line.
type head struct {
	line []byte
	time time.Time
	ok   bool
	err  error
	next func() ([]byte, error, bool)
	stop func()
}

func pull(ctx context.Context, r *logfile.Reader, from logfile.Position) *head {
	h := &head{}
	h.next, h.stop = iter.Pull2(func(yield func([]byte, error) bool) {
		err := r.Forwards(ctx, from, func(line []byte) error {
			if !yield(line, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			yield(nil, err)
		}
	})
	h.advance()
	return h
}

func (h *head) advance() {
	line, err, ok := h.next()
	h.line, h.err, h.ok = line, err, ok && err == nil
	if t, known := timeOf(line); known {
		h.time = t
	}
}

// more tells what was written since, in the order of time as far as it was
// written between two looks.
func more(ctx context.Context, readers []*logfile.Reader, tell func([]byte) error) error {
	if len(readers) == 1 {
		return readers[0].More(ctx, tell)
	}
	const most = 4 << 20 // bytes that are put in order
	type waiting struct {
		time time.Time
		line []byte
	}
	var lines []waiting
	size := 0
	flush := func() error {
		slices.SortStableFunc(lines, func(a, b waiting) int { return a.time.Compare(b.time) })
		for _, l := range lines {
			if err := tell(l.line); err != nil {
				return err
			}
		}
		lines, size = lines[:0], 0
		return nil
	}
	for _, r := range readers {
		var last time.Time
		err := r.More(ctx, func(line []byte) error {
			if t, ok := timeOf(line); ok && t.After(last) { // a file keeps its own order
				last = t
			}
			lines = append(lines, waiting{last, slices.Clone(line)})
			if size += len(line); size > most {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return flush()
}
