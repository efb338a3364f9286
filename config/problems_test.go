package config

import (
	"strings"
	"testing"
)

// oneApp is a valid file of five lines; a case's app lines follow as line 6, at the
// app's level, and its top lines after them.
const oneApp = `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    image: example/a
`

// problemCase is a mistake and the text it is refused with, without the closing line.
type problemCase struct {
	name string
	file string // the whole file, if not made of oneApp
	app  string // added to the app of oneApp
	top  string // added at the top level
	opts Options
	want []string
}

func (c problemCase) source() string {
	if c.file != "" {
		return c.file
	}
	var b strings.Builder
	b.WriteString(oneApp)
	if c.app != "" {
		for line := range strings.SplitSeq(c.app, "\n") {
			b.WriteString("    " + line + "\n")
		}
	}
	return b.String() + c.top
}

func checkProblems(t *testing.T, cases []problemCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Env = testEnv
			_, err := Parse("bluegreen.yaml", []byte(c.source()), c.opts)
			if err == nil {
				t.Fatalf("accepted:\n%s", c.source())
			}
			lines := strings.Split(err.Error(), "\n")
			got := lines[:len(lines)-1]
			want := make([]string, len(c.want))
			for i, w := range c.want {
				want[i] = "bluegreen.yaml:" + w
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows the value of a variable")
			}
		})
	}
}
