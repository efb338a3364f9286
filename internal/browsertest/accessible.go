package browsertest

import _ "embed"

//go:embed accessible.js
var accessible string

// Accessible fails the test for what keeps somebody from using the page: text
// without contrast (WCAG 2.2, 1.4.3), controls without a name, headings that
// skip a level, ids that are not unique, tables without a caption, landmarks
// that are missing, and content that is wider than the window.
func (p *Page) Accessible(where string) {
	p.t.Helper()
	for _, problem := range Eval[[]string](p, "("+accessible+")()") {
		p.t.Errorf("%s: %s", where, problem)
	}
}
