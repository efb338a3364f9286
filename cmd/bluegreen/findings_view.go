package main

import (
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// drawFindings writes findings, the worst first as they come, each with a line
// of verdict, code and object, and below it the reasons, as wide as the terminal
// is. Those that stop are told with what accepts them; those that pass are only
// counted.
func drawFindings(t *terminal, indent string, findings []switcher.SchemaFinding, plan string) {
	passed := 0
	for _, f := range findings {
		if f.Verdict == switcher.SchemaPass {
			passed++
			continue
		}
		v := findingView{t, indent, max(40, t.size())}
		v.draw(f, plan)
	}
	if passed > 0 {
		t.printf("%s%s  %s\n", indent, t.green(pad(string(switcher.SchemaPass), verdictWidth)), count(int64(passed), "harmless change"))
	}
}

type findingView struct {
	*terminal
	indent string
	width  int
}

const (
	verdictWidth = len(switcher.SchemaBlock)
	findingLabel = len("safely ")
)

func (v findingView) draw(f switcher.SchemaFinding, plan string) {
	v.printf("%s%s  %s\n", v.indent, v.verdict(f), v.bold(printable(f.Code))+"  "+printable(f.Object))
	v.text("", f.What)
	v.text("why", f.Why)
	v.text("safely", f.Remedy)
	switch {
	case f.Allowed != "":
		v.text("accepted", f.Allowed)
	case f.Stops() && plan != "":
		// Never wrapped: it is copied.
		v.printf("%s%s%s\n", v.margin(), v.dim(pad("accept", findingLabel)), "--allow "+shellQuoted(printable(f.ID(plan))))
	}
}

func (v findingView) margin() string { return v.indent + strings.Repeat(" ", verdictWidth+2) }

// text writes a labelled paragraph with a hanging indent.
func (v findingView) text(label, text string) {
	if text == "" {
		return
	}
	if label != "" {
		label = pad(label, max(findingLabel, len(label)+1))
	}
	hang := len(label)
	for i, line := range wrapWords(printable(text), v.width-len(v.margin())-hang) {
		if i > 0 {
			label = strings.Repeat(" ", hang)
		}
		v.printf("%s%s%s\n", v.margin(), v.dim(label), line)
	}
}

// verdict is the word, painted by how bad it is.
func (v findingView) verdict(f switcher.SchemaFinding) string {
	word := pad(string(f.Verdict), verdictWidth)
	switch {
	case f.Stops():
		return v.red(word)
	case f.Verdict == switcher.SchemaData || f.Verdict == switcher.SchemaWarn:
		return v.yellow(word)
	}
	return word
}

// wrapWords breaks text between words into lines of at most width columns; a
// longer word has a line of its own.
func wrapWords(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case visible(line)+1+visible(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// shellQuoted is a word as a shell takes it.
func shellQuoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// paragraph writes text after its beginning; on a terminal it goes on below, between
// words, and indented by two.
func (t *terminal) paragraph(begin, text string) {
	if !t.live || visible(begin)+visible(text) <= t.size() {
		t.printf("%s%s\n", begin, text)
		return
	}
	const indent = "  "
	for i, line := range wrapWords(text, t.size()-max(len(indent), visible(begin))) {
		if i == 0 {
			t.printf("%s%s\n", begin, line)
			continue
		}
		t.printf("%s%s\n", indent, line)
	}
}
