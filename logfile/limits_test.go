package logfile

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// put makes a file of that size.
func put(t *testing.T, dir, name string, size int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), size), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func TestTheOldestGoFirstButNeverTheNewestOfALog(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	const old, young = "2026-10-01T00-00-00.000", "2026-11-20T00-00-00.000"
	files := map[string]int{
		"blue.log": 10, "blue-" + old + "-size.log.zst": 10, "blue-" + young + "-size.log.zst": 10, "blue-2026-11-21T00-00-00.000-age.log": 10,
		"green.log": 10, "green-" + old + "-size.log.zst": 10,
		"access-blue-2026-11-19T00-00-00.000-size.log.zst": 10, "access-blue-2026-11-22T00-00-00.000-size.log.zst": 10,
		"notes.txt": 1000, "blue-notes.log": 10,
	}
	for name, c := range map[string]struct {
		limits Limits
		gone   []string
	}{
		"nothing": {Limits{Age: 3000 * time.Hour, Total: 90}, nil},
		"too old": {Limits{Age: 720 * time.Hour, Total: 1000}, []string{"blue-" + old + "-size.log.zst"}},
		"too much": {Limits{Age: 3000 * time.Hour, Total: 75}, []string{
			"blue-" + old + "-size.log.zst", "access-blue-2026-11-19T00-00-00.000-size.log.zst",
		}},
		"all that may": {Limits{Age: 3000 * time.Hour, Total: 1}, []string{
			"blue-" + old + "-size.log.zst", "access-blue-2026-11-19T00-00-00.000-size.log.zst", "blue-" + young + "-size.log.zst",
		}},
	} {
		dir := t.TempDir()
		for file, size := range files {
			put(t, dir, file, size)
		}
		prune(dir, c.limits, now, slog.New(slog.DiscardHandler))
		left := names(t, dir)
		for file := range files {
			if slices.Contains(c.gone, file) == slices.Contains(left, file) {
				t.Errorf("%s: %s is there: %v", name, file, slices.Contains(left, file))
			}
		}
	}
}

// What a kill leaves of a compression is neither read twice nor in the way.
func TestAKillInTheMiddleOfCompressionHidesNoLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "blue.log")
	l := NewLog(path, Options{Limits: Limits{Size: 100, Age: time.Hour, Keep: 100, Total: 1 << 20}})
	for n := range 20 {
		if err := l.Append(t.Context(), fmt.Appendf(nil, "line %02d %s\n", n, strings.Repeat("x", 50))); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil { // all is compressed
		t.Fatal(err)
	}
	list, err := backups(path)
	if err != nil || len(list) != 19 {
		t.Fatalf("%d files were rotated out (%v)", len(list), err)
	}
	// One was about to be removed, another one was half-way.
	for i, suffix := range map[int]string{3: "", 7: ".zst.tmp"} {
		text := fmt.Sprintf("line %02d %s\n", i, strings.Repeat("x", 50))
		if err := os.WriteFile(filepath.Join(dir, list[i].base), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if suffix != "" {
			packed := filepath.Join(dir, list[i].base+compressed)
			if err := os.Rename(packed, packed+".tmp"); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := 19
	err = r.Backwards(time.Time{}, func(_ Position, line []byte) bool {
		if !bytes.HasPrefix(line, fmt.Appendf(nil, "line %02d ", next)) {
			t.Errorf("%q instead of line %d", line, next)
			return false
		}
		next--
		return true
	})
	if err != nil || next != -1 {
		t.Errorf("ended before line %d (%v)", next, err)
	}
}

func TestBackwardsReadsLinesOfAnyLength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blue.log")
	var text bytes.Buffer
	lengths := []int{0, 1, 300 << 10, 5, plainWindow - 1, plainWindow, plainWindow + 1, 3 << 20, 2}
	for i, n := range lengths {
		fmt.Fprintf(&text, "%d%s\n", i, strings.Repeat("x", n))
	}
	text.WriteString("torn")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	next := len(lengths) - 1
	err = r.Backwards(time.Time{}, func(at Position, line []byte) bool {
		if string(line) != fmt.Sprint(next)+strings.Repeat("x", lengths[next]) {
			t.Errorf("line %d has %d bytes: %.20q", next, len(line), line)
		}
		first := ""
		stop := fmt.Errorf("enough")
		if err := r.Forwards(t.Context(), at, func(line []byte) error { first = string(line); return stop }); err != stop || first != string(line) {
			t.Errorf("at the position of line %d begins %.20q (%v)", next, first, err)
		}
		next--
		return true
	})
	if err != nil || next != -1 {
		t.Errorf("ended before line %d (%v)", next, err)
	}
}
