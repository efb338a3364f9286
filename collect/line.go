package collect

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"sofiacall.com/bluegreen/switcher"
)

// Line is a line of a slot's file. The message comes last.
type Line struct {
	Time     time.Time       `json:"time"`
	App      string          `json:"app"`
	Colour   switcher.Colour `json:"colour"`
	Release  string          `json:"release"`
	Commit   string          `json:"commit,omitempty"`
	Instance string          `json:"instance"`
	Stream   string          `json:"stream"`            // stdout, stderr, or output where they cannot be told apart
	Partial  bool            `json:"partial,omitempty"` // the message goes on in the next line of its stream
	Offset   int64           `json:"offset,omitempty"`  // of what follows, in the output of a process
	Message  string          `json:"message"`
}

// source is whose output it is.
type source struct {
	Instance string
	Colour   switcher.Colour
	Release  string
	Commit   string
}

// encoder writes lines of one source.
type encoder struct{ middle []byte }

func newEncoder(app string, s source) encoder {
	m := []byte(`","app":`)
	m = appendString(m, []byte(app))
	m = append(m, `,"colour":`...)
	m = appendString(m, []byte(s.Colour))
	m = append(m, `,"release":`...)
	m = appendString(m, []byte(s.Release))
	if s.Commit != "" {
		m = append(m, `,"commit":`...)
		m = appendString(m, []byte(s.Commit))
	}
	m = append(m, `,"instance":`...)
	m = appendString(m, []byte(s.Instance))
	m = append(m, `,"stream":"`...)
	return encoder{m}
}

func (e encoder) append(to []byte, l switcher.Line) []byte {
	to = append(to, `{"time":"`...)
	to = l.Time.UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, e.middle...)
	to = append(to, l.Stream...)
	to = append(to, '"')
	if l.Partial {
		to = append(to, `,"partial":true`...)
	}
	if l.Offset > 0 {
		to = append(to, `,"offset":`...)
		to = strconv.AppendInt(to, l.Offset, 10)
	}
	to = append(to, `,"message":`...)
	to = appendString(to, l.Text)
	return append(to, '}', '\n')
}

const hex = "0123456789abcdef"

// appendString writes text as a JSON string (RFC 8259 section 7). What is not
// UTF-8 becomes U+FFFD.
func appendString(to, text []byte) []byte {
	to = append(to, '"')
	begin := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				to = append(to, text[begin:i]...)
				to = append(to, `\ufffd`...)
				begin = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		to = append(to, text[begin:i]...)
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\t':
			to = append(to, '\\', 't')
		case '\r':
			to = append(to, '\\', 'r')
		case '\n':
			to = append(to, '\\', 'n')
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		begin = i
	}
	to = append(to, text[begin:]...)
	return append(to, '"')
}

// withoutMessage reads a line but for its message; false if it is none of ours.
func withoutMessage(line []byte) (l Line, ok bool) {
	before, _, found := bytes.Cut(line, []byte(`,"message":`))
	if !found {
		return l, false
	}
	err := json.Unmarshal(append(bytes.Clone(before), '}'), &l)
	return l, err == nil && !l.Time.IsZero()
}

// timeOf reads the time of a line of any of our log files, which begins with it.
func timeOf(line []byte) (time.Time, bool) {
	rest, found := bytes.CutPrefix(line, []byte(`{"time":"`))
	end := bytes.IndexByte(rest, '"')
	if !found || end < 0 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(rest[:end]))
	return t, err == nil
}
