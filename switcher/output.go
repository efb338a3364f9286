package switcher

import (
	"maps"
	"time"
	"unicode/utf8"
)

// Streams that an instance writes to.
const (
	Stdout = "stdout"
	Stderr = "stderr"
	Output = "output" // both, where a runtime cannot tell them apart
)

// MaxLine is how many bytes of text a Line has at most. A longer one is passed
// on in parts, cut at the same places every time it is read.
const MaxLine = 64 << 10

// Line is a line, or a part of a long one, that an instance wrote.
type Line struct {
	Time    time.Time // to the nanosecond, as its runtime has it
	Stream  string
	Text    []byte // without the line's end
	Partial bool   // the line goes on in the next one of its stream
	Offset  int64  // of what follows it, where output is told by offset; else 0
}

// Cursor says by stream how far the output of an instance was read. Only what
// the newest of the lines said is needed of it: a stream that wrote nothing for
// long may be missing. The zero value is the beginning.
type Cursor map[string]Position

// Position is where a stream was read to.
type Position struct {
	Time   time.Time // of the last line
	Count  int       // of lines with that time that were read
	Offset int64     // Line.Offset of the last line
}

// Pass moves the cursor behind a line.
func (c Cursor) Pass(l Line) {
	p := c[l.Stream]
	if !p.Time.Equal(l.Time) {
		p = Position{Time: l.Time}
	}
	p.Count++
	p.Offset = l.Offset
	c[l.Stream] = p
}

// Clone returns a copy that can be moved; never nil.
func (c Cursor) Clone() Cursor {
	if c == nil {
		return Cursor{}
	}
	return maps.Clone(c)
}

// Newest returns the time of the newest line that was read.
func (c Cursor) Newest() (newest time.Time) {
	for _, p := range c {
		if p.Time.After(newest) {
			newest = p.Time
		}
	}
	return newest
}

// CutLine returns where a text longer than MaxLine is cut: not within a rune.
func CutLine(text []byte) int {
	for cut := MaxLine; cut > MaxLine-utf8.UTFMax; cut-- {
		if utf8.RuneStart(text[cut]) {
			return cut
		}
	}
	return MaxLine
}
