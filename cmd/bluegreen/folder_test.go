package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFolderShowsNothingOutsideOfIt(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "served")
	for path, text := range map[string]string{"secret": "secret", "served/in/a": "a"} {
		path = filepath.Join(outer, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"up": "../secret", "far": filepath.Join(outer, "secret"), "out": "..", "near": "in/a"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f := folder(dir)
	for _, name := range []string{"../secret", "up", "far", "out/secret", "in/../../secret", "/etc/passwd"} {
		if _, err := fs.ReadFile(f, name); err == nil {
			t.Errorf("%s was opened", name)
		}
		if _, err := fs.Stat(f, name); err == nil {
			t.Errorf("%s was found", name)
		}
	}
	for _, name := range []string{"in/a", "near"} {
		if text, err := fs.ReadFile(f, name); err != nil || string(text) != "a" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestFolderThatIsReplacedIsServedAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, release := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, release), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, release, "index.html"), []byte(release), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := folder(filepath.Join(dir, "current"))
	for _, release := range []string{"1", "2"} {
		if err := os.Symlink(release, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), string(f)); err != nil {
			t.Fatal(err)
		}
		if text, err := fs.ReadFile(f, "index.html"); err != nil || string(text) != release {
			t.Errorf("%q, %v, want %q", text, err, release)
		}
	}
}
