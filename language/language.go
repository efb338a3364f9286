package language

import (
	"regexp"
	"strconv"
	"strings"
)

// Language is one in which the edge can be read.
type Language struct {
	code      string
	point     string // of decimals
	thousands string // what keeps them apart
	together  int64  // below this they are written without
	units     units
	phrases   []phrase
}

// Of is a language by its code, en or es; English for any other.
func Of(code string) *Language {
	if code == "es" {
		return spanish()
	}
	return english()
}

// Code is en or es.
func (l *Language) Code() string { return l.code }

// phrase is a sentence of the edge, and the same in another language, in which
// {1} is the first group as it is, [1] that group in the language, and <1> the
// number or the length of time that it is.
type phrase struct {
	english *regexp.Regexp
	said    string
}

// Say is a sentence of the edge in the language. What is not known there is
// left as it is, each part of a list by itself.
func (l *Language) Say(text string) string {
	if len(l.phrases) == 0 || text == "" {
		return text
	}
	// The longest that fits says the most.
	var best phrase
	for _, p := range l.phrases {
		if (best.english == nil || len(p.english.String()) > len(best.english.String())) && p.english.MatchString(text) {
			best = p
		}
	}
	if best.english != nil {
		return l.fill(best, text)
	}
	if first, rest, list := strings.Cut(text, "; "); list {
		return l.Say(first) + "; " + l.Say(rest)
	}
	return text
}

func (l *Language) fill(p phrase, text string) string {
	var filled []string
	for i, group := range p.english.FindStringSubmatch(text)[1:] {
		n := strconv.Itoa(i + 1)
		filled = append(filled, "{"+n+"}", group)
		if strings.Contains(p.said, "["+n+"]") {
			filled = append(filled, "["+n+"]", l.Say(group))
		}
		if strings.Contains(p.said, "<"+n+">") {
			filled = append(filled, "<"+n+">", l.value(group))
		}
	}
	return strings.NewReplacer(filled...).Replace(p.said)
}
