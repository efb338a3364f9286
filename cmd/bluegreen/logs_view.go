package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/collect"
	"sofiacall.com/bluegreen/switcher"
)

// logLine is a line of either log.
type logLine struct {
	collect.Line

	Route    string `json:"route"`
	Method   string `json:"method"`
	Host     string `json:"host"`
	Path     string `json:"path"`
	Status   int    `json:"status"`
	Duration int64  `json:"duration_us"`
	Client   string `json:"client"`
	Failure  string `json:"failure"`
}

// logView shows log lines: with colours and short times on a terminal, else
// with whole ones.
type logView struct {
	*terminal
	now func() time.Time
}

func (v logView) line(raw []byte) string {
	var l logLine
	if err := json.Unmarshal(raw, &l); err != nil || l.Time.IsZero() {
		return escaped(string(raw))
	}
	if l.Method != "" {
		return fmt.Sprintf("%s %s %s", v.when(l.Time), v.tag(l.Colour), v.request(l))
	}
	stream := pad(l.Stream, len(switcher.Stdout))
	if l.Stream == switcher.Stderr {
		stream = v.red(stream)
	} else {
		stream = v.dim(stream)
	}
	text := escaped(l.Message)
	if l.Partial {
		text += v.dim("…")
	}
	return fmt.Sprintf("%s %s %s %s", v.when(l.Time), v.tag(l.Colour), stream, text)
}

// when is short for what was today, as long as somebody looks at it.
func (v logView) when(t time.Time) string {
	if !v.live {
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	now, local := v.now(), t.In(v.now().Location())
	layout := "15:04:05.000"
	if local.YearDay() != now.YearDay() || local.Year() != now.Year() {
		layout = "Jan _2 15:04:05.000"
	}
	return v.dim(local.Format(layout))
}

func (v logView) tag(c switcher.Colour) string { return v.in(c, pad(string(c), len(switcher.Green))) }

func (v logView) request(l logLine) string {
	status := fmt.Sprint(l.Status)
	switch {
	case l.Status >= 500 || l.Status == 0:
		status = v.red(status)
	case l.Status >= 400:
		status = v.yellow(status)
	}
	took := (time.Duration(l.Duration) * time.Microsecond).Round(10 * time.Microsecond)
	said := fmt.Sprintf("%s %s %s%s %v %s %s", status, escaped(l.Method), escaped(l.Host), escaped(l.Path), took, escaped(l.Client), l.Route)
	if l.Failure != "" {
		said += " " + v.red(escaped(l.Failure))
	}
	return said
}

// escaped shows control characters instead of sending them to a terminal,
// which they could steer: C0, C1, and what turns the direction of text.
func escaped(text string) string {
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !steers(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func steers(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
