package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// words says things in one language.
type words struct {
	language string
	text     map[string]string
}

func catalogue(language string) words {
	if language == "es" {
		return words{"es", spanish()}
	}
	return words{"en", english()}
}

// speak chooses what the browser prefers of our languages, and otherwise the
// one that is configured.
func (s *Server) speak(r *http.Request) words {
	best, weight := cmp.Or(s.options.Language, "en"), 0.0
	for entry := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(entry), ";")
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if value, given := strings.CutPrefix(strings.TrimSpace(parameter), "q="); given {
			q, _ = strconv.ParseFloat(value, 64)
		}
		if slices.Contains([]string{"en", "es"}, language) && q > weight {
			best, weight = language, q
		}
	}
	return catalogue(best)
}

// t is the text of a key, with what it is about.
func (w words) t(key string, about ...any) string {
	text, known := w.text[key]
	if !known {
		return "[" + key + "]" // a test finds it
	}
	if len(about) == 0 {
		return text
	}
	return fmt.Sprintf(text, about...)
}

// or is the text of a key, and of one that is not known the fallback.
func (w words) or(key, fallback string) string {
	if text, known := w.text[key]; known {
		return text
	}
	return fallback
}

// n counts things: the text of key.one or key.other.
func (w words) n(key string, n int64) string {
	if n == 1 {
		return w.t(key + ".one")
	}
	return w.t(key+".other", w.whole(n))
}

// whole writes a whole number with its thousands apart; in Spanish one of four
// digits is written together.
func (w words) whole(n int64) string {
	digits, separator := strconv.FormatInt(n, 10), ","
	if w.language == "es" {
		separator = "\u202f"
	}
	if n < 1000 || n < 10000 && w.language == "es" {
		return digits
	}
	var parts []string
	for len(digits) > 3 {
		parts = append(parts, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	slices.Reverse(parts)
	return digits + separator + strings.Join(parts, separator)
}

// decimal writes a number with the language's decimal sign.
func (w words) decimal(v float64, places int) string {
	text := strconv.FormatFloat(v, 'f', places, 64)
	if w.language == "es" {
		return strings.Replace(text, ".", ",", 1)
	}
	return text
}

// figure writes a number with about three digits.
func (w words) figure(v float64) string {
	switch {
	case v >= 100:
		return w.whole(int64(v + 0.5))
	case v >= 10:
		return w.decimal(v, 1)
	case v == 0:
		return "0"
	case v < 0.01:
		return "<\u202f" + w.decimal(0.01, 2)
	}
	return w.decimal(v, 2)
}

// percent of a share between 0 and 1.
func (w words) percent(share float64) string {
	switch {
	case share == 0:
		return "0\u202f%"
	case share < 0.0001:
		return "<\u202f" + w.decimal(0.01, 2) + "\u202f%"
	case share >= 0.1:
		return w.decimal(100*share, 1) + "\u202f%"
	}
	return w.decimal(100*share, 2) + "\u202f%"
}

// latency writes a short time.
func (w words) latency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d >= 10*time.Second:
		return w.decimal(d.Seconds(), 0) + "\u202fs"
	case d >= time.Second:
		return w.decimal(d.Seconds(), 2) + "\u202fs"
	case ms >= 100:
		return w.decimal(ms, 0) + "\u202fms"
	case ms >= 10:
		return w.decimal(ms, 1) + "\u202fms"
	}
	return w.decimal(ms, 2) + "\u202fms"
}

// bytes writes an amount of memory.
func (w words) bytes(n int64) string {
	switch v := float64(n); {
	case n >= 1<<30:
		return w.decimal(v/(1<<30), 2) + "\u202fGiB"
	case n >= 1<<20:
		return w.decimal(v/(1<<20), 0) + "\u202fMiB"
	}
	return w.decimal(float64(n)/(1<<10), 0) + "\u202fKiB"
}

// span writes how long something lasts, to the second.
func (w words) span(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h >= 48:
		return w.t("span.days", h/24)
	case h > 0:
		return w.t("span.hours", h, m)
	case m > 0 && s == 0:
		return w.t("about.minutes", m)
	case m > 0:
		return w.t("span.minutes", m, s)
	}
	return w.t("span.seconds", s)
}

// about writes how long something lasts, roughly.
func (w words) about(d time.Duration) string {
	switch d = max(0, d); {
	case d >= 48*time.Hour:
		return w.t("span.days", int(d.Hours())/24)
	case d >= time.Hour:
		return w.t("about.hours", int(d.Hours()))
	case d >= time.Minute:
		return w.t("about.minutes", int(d.Minutes()))
	}
	return w.t("span.seconds", int(d.Seconds()))
}

// ago writes how long ago something was.
func (w words) ago(now, then time.Time) string {
	if now.Sub(then) < 5*time.Second {
		return w.t("ago.now")
	}
	return w.t("ago", w.about(now.Sub(then)))
}

// took writes how long a step took.
func (w words) took(d time.Duration) string {
	if d < time.Minute {
		return w.latency(d)
	}
	return w.span(d)
}
