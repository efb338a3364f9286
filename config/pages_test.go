package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPagesThatCannotBeShownAreListedWithTheirLine(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"none":        {func(string) error { return nil }, `there is no folder "pages": create it or correct the path`},
		"a file":      {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, `the folder "pages" cannot be read: name a folder`},
		"a bad name":  {page("50x.html", 10), `the file "50x.html" in it would never be shown: call it 503.html, 5xx.html, 503.es.html, maintenance.html or the like, or move it elsewhere`},
		"a large one": {page("503.html", maxPageBytes+1), `the file "503.html" in it is larger than 256 KiB, and pages are held in memory: make it smaller`},
		"a folder":    {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "4xx.html"), 0o700) }, `the file "4xx.html" in it is not a regular file`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(filepath.Join(dir, "pages")); err != nil {
				t.Fatal(err)
			}
			config := load(t, write(t, dir, "bluegreen.yaml", oneApp+"    pages: pages\n"), Options{})
			config.name = "bluegreen.yaml"
			want := "bluegreen.yaml:6: apps.a.pages: " + c.want + "\n1 problem in bluegreen.yaml"
			if err := config.CheckFiles(); fmt.Sprint(err) != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

func TestPagesThatCanBeShownAreAccepted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"503.html", "5xx.es.html", "404.pt-br.html", "maintenance.html", "README", "logo.svg"} {
		if err := page(name, 10)(filepath.Join(dir, "pages")); err != nil {
			t.Fatal(err)
		}
	}
	if err := load(t, write(t, dir, "bluegreen.yaml", oneApp+"    pages: pages\n"), Options{}).CheckFiles(); err != nil {
		t.Error(err)
	}
}

// page makes a page of a size in the folder.
func page(name string, size int) func(dir string) error {
	return func(dir string) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o600)
	}
}

func TestAFolderThatIsNotThereIsListedWithItsLine(t *testing.T) {
	dir := t.TempDir()
	c := load(t, write(t, dir, "bluegreen.yaml", oneApp+"    paths:\n      - { path: /a, static: . }\n      - { path: /b, static: gone }\n"), Options{})
	c.name = "bluegreen.yaml"
	want := "bluegreen.yaml:8: apps.a.paths[1].static: there is no folder \"gone\": create it or correct the path\n1 problem in bluegreen.yaml"
	if err := c.CheckFiles(); fmt.Sprint(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
