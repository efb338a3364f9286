package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"sofiacall.com/bluegreen/switcher"
)

// terminal is standard output or standard error: a real terminal, or a file
// or pipe that gets neither colours, nor signs, nor lines drawn twice.
type terminal struct {
	io.Writer
	live   bool // lines can be redrawn
	colour bool
	size   func() int // columns
}

// plainColumns is the width for output that is not a terminal.
const plainColumns = 80

func newTerminal(w io.Writer, env func(string) string) *terminal {
	t := &terminal{Writer: w, size: func() int { return plainColumns }}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return t
	}
	t.live = env("TERM") != "dumb"
	t.colour = t.live && env("NO_COLOR") == ""
	t.size = func() int {
		columns, _, err := term.GetSize(int(file.Fd()))
		if err != nil || columns <= 0 {
			return plainColumns
		}
		return columns
	}
	return t
}

func (t *terminal) printf(format string, args ...any) { fmt.Fprintf(t, format, args...) }

func (t *terminal) bold(s string) string   { return t.paint("1", s) }
func (t *terminal) dim(s string) string    { return t.paint("2", s) }
func (t *terminal) red(s string) string    { return t.paint("31", s) }
func (t *terminal) green(s string) string  { return t.paint("32", s) }
func (t *terminal) yellow(s string) string { return t.paint("33", s) }
func (t *terminal) blue(s string) string   { return t.paint("34", s) }

func (t *terminal) paint(code, s string) string {
	if !t.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// name is a colour's name, painted in itself.
func (t *terminal) name(c switcher.Colour) string {
	if c == "" {
		return "nothing"
	}
	return t.in(c, string(c))
}

// in paints s in the colour of a slot.
func (t *terminal) in(c switcher.Colour, s string) string {
	if c == switcher.Blue {
		return t.blue(s)
	}
	return t.green(s)
}

// mark is the sign of what went well or did not; a word where signs may not
// be shown. Either is as wide as its opposite.
func (t *terminal) mark(ok bool) string {
	switch {
	case ok && t.live:
		return t.green("✓")
	case ok:
		return "ok"
	case t.live:
		return t.red("✗")
	}
	return "NO"
}

// visible counts the columns that s takes, without its colours.
func visible(s string) int {
	n := 0
	for len(s) > 0 {
		if size := escape(s); size > 0 {
			s = s[size:]
			continue
		}
		_, size := utf8.DecodeRuneInString(s)
		s, n = s[size:], n+1
	}
	return n
}

// escape returns the length of the colour sequence that s begins with, or 0.
func escape(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	return strings.IndexByte(s, 'm') + 1
}

// pad fills s with spaces up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-visible(s)))
}

// clip shortens s to width columns, and keeps its colours.
func clip(s string, width int) string {
	if visible(s) <= width {
		return s
	}
	var b strings.Builder
	coloured := false
	for room := width - 1; len(s) > 0; {
		if size := escape(s); size > 0 {
			b.WriteString(s[:size])
			s, coloured = s[size:], true
			continue
		}
		if room == 0 {
			break
		}
		_, size := utf8.DecodeRuneInString(s)
		b.WriteString(s[:size])
		s, room = s[size:], room-1
	}
	b.WriteString("…")
	if coloured {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}
