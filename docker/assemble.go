package docker

import (
	"bytes"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

const (
	batchLines = 512
	batchBytes = 256 << 10
)

// assembler makes lines of frames, leaves out those that were passed on before,
// and passes on the others in batches. What it makes of the same frames is
// always the same, so that counting the lines of one moment tells which they are.
type assembler struct {
	cursor switcher.Cursor // moves with what is passed on
	take   func([]switcher.Line) error
	passed int

	seen  map[string]*replay
	held  bool // nothing is passed on before the end
	batch []switcher.Line
	bytes int
}

// replay is one stream of the log that is being read.
type replay struct {
	open      bool // a line has begun
	time      time.Time
	text      []byte
	goal      switcher.Position // behind it is what was not passed on
	moment    time.Time         // of the last line
	count     int               // of the lines with that time
	caught    bool              // what comes now was never passed on
	reached   bool              // the last line that was passed on is still in the log
	delivered bool
}

func (a *assembler) stream(name string) *replay {
	s := a.seen[name]
	if s == nil {
		goal, known := a.cursor[name]
		s = &replay{goal: goal, caught: !known}
		a.seen[name] = s
	}
	return s
}

// add takes a frame.
func (a *assembler) add(f frame) error {
	s := a.stream(f.stream)
	if s.open && !f.time.Equal(s.time) { // its writer ended without ending it
		a.line(f.stream, s, len(s.text), false)
	}
	s.open, s.time = true, f.time
	text, ended := bytes.CutSuffix(f.text, []byte{'\n'})
	s.text = append(s.text, text...)
	for len(s.text) > switcher.MaxLine {
		a.line(f.stream, s, switcher.CutLine(s.text), true)
	}
	if ended {
		a.line(f.stream, s, len(s.text), false)
	}
	if !a.held && (len(a.batch) >= batchLines || a.bytes >= batchBytes) {
		return a.deliver()
	}
	return nil
}

// end passes on what is left; last says that nothing will ever end the lines
// that have begun.
func (a *assembler) end(last bool) error {
	for name, s := range a.seen {
		if last && s.open {
			a.line(name, s, len(s.text), false)
		}
	}
	if len(a.batch) == 0 {
		return nil
	}
	return a.deliver()
}

// line cuts a line, or a part of one, off what a stream has written.
func (a *assembler) line(stream string, s *replay, length int, partial bool) {
	text := s.text[:length]
	if !partial {
		text = bytes.TrimSuffix(text, []byte{'\r'})
		s.open = false
	}
	if a.fresh(s) {
		a.batch = append(a.batch, switcher.Line{Time: s.time, Stream: stream, Text: bytes.Clone(text), Partial: partial})
		a.bytes += len(text)
		s.delivered = true
	}
	s.text = s.text[:copy(s.text, s.text[length:])]
}

// fresh counts a line and reports whether it was not passed on before.
func (a *assembler) fresh(s *replay) bool {
	if !s.time.Equal(s.moment) {
		s.moment, s.count = s.time, 0
	}
	s.count++
	if s.caught {
		return true
	}
	at := s.time.Compare(s.goal.Time)
	s.reached = s.reached || at == 0
	s.caught = at > 0 || at == 0 && s.count > s.goal.Count
	return s.caught
}

func (a *assembler) deliver() error {
	if err := a.take(a.batch); err != nil {
		return err
	}
	for _, l := range a.batch {
		a.cursor.Pass(l)
	}
	a.passed += len(a.batch)
	a.batch, a.bytes = a.batch[:0], 0
	return nil
}

// oldestOpen returns the time of the oldest line that has not ended; zero: none.
func (a *assembler) oldestOpen() (oldest time.Time) {
	for _, s := range a.seen {
		if s.open && (oldest.IsZero() || s.time.Before(oldest)) {
			oldest = s.time
		}
	}
	return oldest
}

// gap reports whether lines came after the newest one that was passed on before,
// but that one is gone.
func (a *assembler) gap() bool {
	var newest *replay
	for _, s := range a.seen {
		if !s.goal.Time.IsZero() && (newest == nil || s.goal.Time.After(newest.goal.Time)) {
			newest = s
		}
	}
	return newest != nil && newest.delivered && !newest.reached
}
