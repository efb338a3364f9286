package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestInstallationKeepsItsID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := owner(dir)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	if again, err := owner(dir); again != first || err != nil {
		t.Errorf("first %s, then %s, %v", first, again, err)
	}
	if other, err := owner(t.TempDir()); other == first || err != nil {
		t.Errorf("another installation has the same id, %v", err)
	}
	entries, _ := os.ReadDir(dir)
	info, err := os.Stat(filepath.Join(dir, "id"))
	if err != nil || info.Mode() != 0o600 || len(entries) != 1 {
		t.Errorf("mode %v, %v; %v", info.Mode(), err, entries)
	}
}

func TestIDThatAnOperatorWroteIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "id")
	for text, want := range map[string]string{"ABC\n": "ABC", "ABC": "ABC", " ABC \r\n": "ABC", "": "", "two words": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := owner(filepath.Dir(path))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || switcher.CodeOf(err) != switcher.CodeFailed) {
			t.Errorf("error %v", err)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%q became %q", text, left)
		}
	}
}
