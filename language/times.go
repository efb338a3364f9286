package language

import (
	"fmt"
	"time"
)

// units are the words for lengths of time.
type units struct {
	days, ago, now string
}

// Latency writes a short time.
func (l *Language) Latency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d >= 10*time.Second:
		return l.Decimal(d.Seconds(), 0) + "\u202fs"
	case d >= time.Second:
		return l.Decimal(d.Seconds(), 2) + "\u202fs"
	case ms >= 100:
		return l.Decimal(ms, 0) + "\u202fms"
	case ms >= 10:
		return l.Decimal(ms, 1) + "\u202fms"
	}
	return l.Decimal(ms, 2) + "\u202fms"
}

// Span writes how long something lasts, to the second.
func (l *Language) Span(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	h, m, s := int(d/time.Hour), int(d%time.Hour/time.Minute), int(d%time.Minute/time.Second)
	switch {
	case h >= 48:
		return fmt.Sprintf("%d %s", h/24, l.units.days)
	case h > 0:
		return two(h, "h", m, "min")
	case m > 0:
		return two(m, "min", s, "s")
	}
	return fmt.Sprintf("%d s", s)
}

func two(large int, unit string, small int, subunit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, subunit)
}

// About writes how long something lasts, roughly.
func (l *Language) About(d time.Duration) string {
	switch d = max(0, d); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d %s", d/(24*time.Hour), l.units.days)
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// Ago writes how long ago something was.
func (l *Language) Ago(now, then time.Time) string {
	if now.Sub(then) < 5*time.Second {
		return l.units.now
	}
	return fmt.Sprintf(l.units.ago, l.About(now.Sub(then)))
}

// Took writes how long a step took.
func (l *Language) Took(d time.Duration) string {
	if d < time.Minute && d%time.Second != 0 {
		return l.Latency(d)
	}
	return l.Span(d)
}
