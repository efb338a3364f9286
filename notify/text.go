package notify

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"sofiacall.com/bluegreen/language"
	"sofiacall.com/bluegreen/switcher"
)

const (
	maxCause   = 600 // runes of a cause
	maxValue   = 200 // runes of any other value
	maxFigures = 12  // findings
	maxOutput  = 5   // lines of an instance
)

// text is a message in the team's language. Nothing of it spans lines.
type text struct {
	title string
	lines []line
}

// line is one line of a message: what it is about, what there is to say, and
// what may be copied into a shell.
type line struct {
	label   string
	value   string
	command string
}

// facts is what the words of a language are made of. Its values are fit to be
// shown.
type facts struct {
	kind     switcher.NoticeKind
	stage    Stage
	returned bool   // it was over, and is back
	app      string // or the server, if it is about the edge
	colour   string
	release  string // what the team calls it: the commit, if there is one
	previous string // likewise
	other    string // slot
	subject  string
	outcome  switcher.Outcome
	person   string // who did it; empty: the edge itself
	flags    string // that make a command ask for the right app
}

// logs is the command that shows what the backend in a slot has written.
func (f facts) logs(colour string) string {
	if colour == "" {
		return "bluegreen logs -n 100" + f.flags
	}
	return "bluegreen logs " + colour + " -n 100" + f.flags
}

// loses reports whether what cannot be written is lost. The lines of a
// container wait where they are.
func (f facts) loses() bool { return strings.HasPrefix(filepath.Base(f.subject), "access-") }

// advice is something to do about it.
type advice struct {
	what    string
	command string
}

// words is a language.
type words struct {
	*language.Language
	title   func(facts) string
	advice  func(facts) []advice
	verdict map[switcher.Outcome]string

	slot, release, commit, image, previous, output, cause, by, next, figures, lost string

	self    string
	since   func(began, lasted string) string
	lasted  func(began, lasted string, returned int) string
	lostOf  func(int) string
	testing string // what a test message says
}

func wordsOf(code string) *words {
	if code == "es" {
		return spanish()
	}
	return english()
}

// wording puts a message into words.
func (n *Notifier) wording(m *message, code string) text {
	w, notice := wordsOf(code), m.Notice
	f := facts{
		kind: notice.Kind, stage: m.Stage, returned: m.Returns > 0, app: clean(notice.App, maxValue), colour: string(notice.Colour),
		subject: clean(notice.Subject, maxValue), release: calledBy(notice.Release), previous: calledBy(notice.Previous), other: string(notice.Colour.Other()),
	}
	if notice.App != "" {
		f.flags = " --app " + notice.App
	} else {
		f.app = clean(n.server, maxValue)
	}
	if notice.Actor != switcher.Self {
		f.person = clean(string(notice.Actor), maxValue)
	}
	if notice.Verdict != nil {
		f.outcome = notice.Verdict.Outcome
	}
	t := text{title: clean(w.title(f), maxValue)}
	say := func(label, value string) {
		if value != "" {
			t.lines = append(t.lines, line{label: label, value: value})
		}
	}
	if m.Stage == Trial {
		say("", w.testing)
		return t
	}
	say(w.slot, w.Say(string(notice.Colour)))
	if r := notice.Release; r != nil {
		say(w.release, clean(r.ID, maxValue))
		say(w.commit, clean(r.Commit, maxValue))
		if r.Image != r.Commit {
			say(w.image, clean(r.Image, maxValue))
		}
	}
	say(w.previous, f.previous)
	say(w.cause, clean(w.Say(notice.Cause), maxCause))
	if !notice.Kind.Lasting() {
		say(w.by, w.actor(notice.Actor))
	}
	began := m.Since.In(n.zone).Format("2006-01-02 15:04:05 MST")
	lasted := w.Span(notice.Time.Sub(m.Since))
	switch m.Stage {
	case Lasts:
		say("", w.since(began, lasted))
	case Ended:
		say("", w.lasted(began, lasted, m.Blinks))
	}
	if m.Stage != Ended {
		for _, a := range w.advice(f) {
			t.lines = append(t.lines, line{label: w.next, value: a.what, command: a.command})
		}
	}
	t.lines = append(t.lines, w.findings(notice.Verdict)...)
	for _, said := range notice.Output[max(0, len(notice.Output)-maxOutput):] {
		say(w.output, clean(said, maxValue))
	}
	if m.Lost > 0 {
		say(w.lost, w.lostOf(m.Lost))
	}
	return t
}

// actor is who did it.
func (w *words) actor(a switcher.Actor) string {
	if a == switcher.Self {
		return w.self
	}
	return clean(string(a), maxValue)
}

// findings are the figures of a verdict, those that decided it first.
func (w *words) findings(v *switcher.Verdict) (lines []line) {
	if v == nil {
		return nil
	}
	for _, decided := range []bool{true, false} {
		for _, f := range v.Findings {
			if (f.Outcome == v.Outcome) == decided && len(lines) < maxFigures {
				lines = append(lines, line{
					label: w.figures + " " + clean(f.Rule, maxValue),
					value: clean(w.Say(f.Text), maxValue) + " (" + w.verdict[f.Outcome] + ")",
				})
			}
		}
	}
	return lines
}

// calledBy is what the team knows a release by.
func calledBy(r *switcher.Release) string {
	switch {
	case r == nil:
		return ""
	case r.Commit != "":
		return clean(r.Commit, maxValue)
	}
	return clean(r.ID, maxValue)
}

// escapes colour what a terminal shows.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// clean makes one line of s that is fit to be shown, and not too long.
func clean(s string, limit int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(escapes.ReplaceAllString(s, ""), "\ufffd"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	return shortened(s, limit)
}

// shortened is s with at most limit runes, the last of which says that there
// were more.
func shortened(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return strings.TrimRight(string(runes[:max(limit-1, 0)]), " ") + "…"
	}
	return s
}

func advise(what, command string) advice { return advice{what, command} }
