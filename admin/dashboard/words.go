package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sofiacall.com/bluegreen/language"
)

// words says things in one language.
type words struct {
	*language.Language
	text map[string]string
}

func catalogue(code string) words {
	if code == "es" {
		return words{language.Of("es"), spanish()}
	}
	return words{language.Of("en"), english()}
}

// speak chooses what the browser prefers of our languages, and otherwise the
// one that is configured.
func (s *Server) speak(r *http.Request) words {
	best, weight := cmp.Or(s.options.Language, "en"), 0.0
	for entry := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(entry), ";")
		code, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if value, given := strings.CutPrefix(strings.TrimSpace(parameter), "q="); given {
			q, _ = strconv.ParseFloat(value, 64)
		}
		if slices.Contains([]string{"en", "es"}, code) && q > weight {
			best, weight = code, q
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
	return w.t(key+".other", w.Whole(n))
}
