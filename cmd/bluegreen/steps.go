package main

import (
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// steps shows an operation as it happens: a line for each finished step, and
// below it one line of progress that is redrawn on a terminal and told
// sparsely elsewhere.
type steps struct {
	out    *terminal
	drawn  bool      // a line of progress is on the terminal
	told   time.Time // when progress was last told in plain lines
	within string    // the step that it was about
}

// plainEvery keeps the log of a CI job readable during long work.
const plainEvery = 10 * time.Second

func (s *steps) show(e switcher.Event) {
	switch {
	case e.Progress != nil:
		s.progress(e)
	case e.Result != nil:
		s.clear()
		s.result(e)
	default:
		s.clear()
		s.finished(e)
	}
}

func (s *steps) finished(e switcher.Event) {
	text := printable(e.Text)
	switch {
	case e.Warning && s.out.live:
		s.line(s.out.yellow("!"), e.Step, e.Took, s.out.yellow(text))
	case e.Warning:
		s.line("", e.Step, e.Took, "warning: "+text)
	case e.Step == "" && e.Took == 0:
		s.out.printf("%s\n", s.out.bold(text)) // what this is about
	default:
		s.line(s.out.green("✓"), e.Step, e.Took, text)
	}
}

// result ends the list. Why something failed is told on standard error.
func (s *steps) result(e switcher.Event) {
	if e.Result.OK {
		s.line(s.out.green("✓"), "done", e.Took, s.out.bold(printable(e.Result.Text)))
		return
	}
	s.line(s.out.red("✗"), "failed", e.Took, "")
}

func (s *steps) progress(e switcher.Event) {
	p := *e.Progress
	if p.Drain != nil {
		p = drainProgress(*p.Drain, e.Time)
	}
	text := s.out.bar(p) + printable(p.Text)
	if s.out.live {
		row := s.row(s.out.dim("·"), e.Step, 0, text)
		s.out.printf("\r\x1b[2K%s", clip(row, s.out.size()-1))
		s.drawn = true
		return
	}
	if s.within == e.Step && e.Time.Sub(s.told) < plainEvery {
		return
	}
	s.within, s.told = e.Step, e.Time
	s.line("", e.Step, 0, text)
}

// clear takes the line of progress off the terminal.
func (s *steps) clear() {
	if s.drawn {
		s.out.printf("\r\x1b[2K")
		s.drawn = false
	}
}

// line writes a line of the list. On a terminal a long text goes on below
// itself; in a log it stays one line.
func (s *steps) line(mark, step string, d time.Duration, text string) {
	row := s.row(mark, step, d, text)
	if !s.out.live || visible(row) <= s.out.size() || s.out.size() < 2*textColumn {
		s.out.printf("%s\n", strings.TrimRight(row, " "))
		return
	}
	for i, part := range wrapWords(text, s.out.size()-textColumn) {
		if i == 0 {
			s.out.printf("%s\n", s.row(mark, step, d, part))
			continue
		}
		s.out.printf("%s%s\n", strings.Repeat(" ", textColumn), part)
	}
}

// textColumn is where the text of a line begins on a terminal: after sign, step
// and duration.
const textColumn = 2 + 12 + 1 + 9 + 2

// row aligns a line: sign (on a terminal), step, duration, text.
func (s *steps) row(mark, step string, d time.Duration, text string) string {
	figure := ""
	if d > 0 {
		figure = took(d)
	}
	row := fmt.Sprintf("%s %s  %s", pad(step, 12), s.out.dim(fmt.Sprintf("%9s", figure)), text)
	if s.out.live {
		return mark + " " + row
	}
	return row
}
