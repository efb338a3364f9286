package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the file is, Parse returns a Config or problems that each have a line, and
// never shows the value of a variable.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/*/*.yaml", "../examples/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no files (%v)", glob, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(oneApp + "    container: { user: '${SECRET}', mem_limit: '${SECRET}', command: \"a ${SECRET}\" }\n"))
	f.Add([]byte("a: &a [*a]\nb: &b {<<: [*b, *b]}\n? {}\n: 1\n"))
	f.Add([]byte("apps:\n  ? a\x00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.yaml", data, Options{Env: testEnv})
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err == nil {
			return
		}
		var list *Error
		if !errors.As(err, &list) || len(list.Problems) == 0 {
			t.Fatalf("not a list of problems: %v", err)
		}
		if strings.Contains(err.Error(), "hunter2-hunter2") && !strings.Contains(string(data), "hunter2-hunter2") {
			t.Errorf("shows the value of a variable: %v", err)
		}
		if want := len(list.Problems); strings.Count(err.Error(), "\n") != want {
			t.Errorf("not one line a problem: %q", err)
		}
		for _, p := range list.Problems {
			if p.Line < 1 || p.Text == "" {
				t.Errorf("no line or no text: %+v", p)
			}
		}
	})
}
