package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

func TestNoLineIsLostOrDoubledOverRestartsAndRotations(t *testing.T) {
	dir, tape := t.TempDir(), newTape("chat-blue-r1")
	written := 0
	for round := range 12 {
		c := collector(t, dir, 4000, nil) // some 25 lines
		c.Through(tape)
		stop := run(t, c)
		tape.write(written, written+60)
		written += 60
		if round%3 > 0 { // else it ends wherever it is
			eventually(t, "all is collected", func() bool { return len(messages(t, dir)) == written })
		}
		stop()
		if path := filepath.Join(dir, "blue.log"); round%2 == 1 {
			truncate(t, path, rand.Int64N(500)) // nobody noticed what was written last
		}
	}
	c := collector(t, dir, 4000, nil)
	through := c.Through(tape)
	defer run(t, c)()
	if err := through.Remove(t.Context(), tape.id); err != nil {
		t.Fatal(err)
	}
	wantLines(t, dir, written)
}

// An instance is removed only when its last lines are in the file, also when
// nobody has followed it yet.
func TestARemovalWaitsForTheLastLines(t *testing.T) {
	dir, tape := t.TempDir(), newTape("chat-blue-r1")
	c := collector(t, dir, 1<<20, nil)
	through := c.Through(tape)
	tape.write(0, 1000)
	if err := through.Remove(t.Context(), tape.id); err != nil {
		t.Fatal(err)
	}
	if !tape.removed {
		t.Error("it was not removed")
	}
	wantLines(t, dir, 1000)
}

// A disk that takes nothing must not stop a deploy, and what is lost is told.
func TestARemovalGivesUpADiskThatTakesNothing(t *testing.T) {
	dir, tape := t.TempDir(), newTape("chat-blue-r1")
	if err := os.Mkdir(filepath.Join(dir, "blue.log"), 0o700); err != nil { // a folder where the file should be
		t.Fatal(err)
	}
	c := collector(t, dir, 1<<20, nil)
	c.patience = 100 * time.Millisecond
	through := c.Through(tape)
	tape.write(0, 10)
	if err := through.Remove(t.Context(), tape.id); err != nil || !tape.removed {
		t.Errorf("removed: %v, error %v", tape.removed, err)
	}
}

func TestLinesWaitForADiskAndNothingIsLost(t *testing.T) {
	dir, tape := t.TempDir(), newTape("chat-blue-r1")
	path := filepath.Join(dir, "blue.log")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 10)
	c := collector(t, dir, 1<<20, func(err error) { told <- err })
	c.Through(tape)
	defer run(t, c)()
	tape.write(0, 1000)
	if err := <-told; err == nil {
		t.Error("the trouble is not told")
	}
	tape.write(1000, 2000)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Errorf("its end is told as %v", err)
	}
	eventually(t, "all is collected", func() bool { return len(messages(t, dir)) >= 2000 })
	wantLines(t, dir, 2000)
}

func TestALineSaysWhoseItIs(t *testing.T) {
	e := newEncoder("chat", source{"chat-green-r7-abc", switcher.Green, "r7", `4f"2`})
	at := time.Date(2026, 11, 24, 14, 49, 10, 123456789, time.FixedZone("", 3600))
	got := string(e.append(nil, switcher.Line{Time: at, Stream: switcher.Stderr, Text: []byte("a \"b\"\x1b[31m\xffñ\t\\"), Partial: true}))
	want := `{"time":"2026-11-24T13:49:10.123456789Z","app":"chat","colour":"green","release":"r7","commit":"4f\"2",` +
		`"instance":"chat-green-r7-abc","stream":"stderr","partial":true,"message":"a \"b\"\u001b[31m\ufffdñ\t\\"}` + "\n"
	if got != want {
		t.Errorf("line\n%swant\n%s", got, want)
	}
	l, ok := withoutMessage([]byte(got))
	if !ok || !l.Time.Equal(at) || l.Instance != "chat-green-r7-abc" || l.Stream != switcher.Stderr {
		t.Errorf("read back as %+v, %v", l, ok)
	}
}

func FuzzStrings(f *testing.F) {
	f.Add([]byte("a\x00\xff\u2028\"\\é"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got string
		if err := json.Unmarshal(appendString(nil, text), &got); err != nil {
			t.Fatal(err)
		}
		want := strings.ToValidUTF8(string(text), "\uFFFD")
		if utf8.Valid(text) && got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if bytes.Count([]byte(got), []byte("\uFFFD")) < bytes.Count([]byte(want), []byte("\uFFFD")) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAQueryMergesColoursByTimeAndCountsTheNewest(t *testing.T) {
	dir := t.TempDir()
	epoch := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var paths []string
	for i, colour := range switcher.Colours() {
		path := filepath.Join(dir, string(colour)+".log")
		paths = append(paths, path)
		file := logfile.NewLog(path, logfile.Options{Limits: limits(3000)})
		e := newEncoder("chat", source{"x", colour, "r1", ""})
		for n := i; n < 200; n += 2 {
			line := e.append(nil, switcher.Line{Time: epoch.Add(time.Duration(n) * time.Second), Stream: "stdout", Text: fmt.Append(nil, n)})
			if err := file.Append(t.Context(), line); err != nil {
				t.Fatal(err)
			}
		}
		if err := file.Close(); err != nil { // waits until all is compressed
			t.Fatal(err)
		}
	}
	if packed, _ := filepath.Glob(filepath.Join(dir, "*.zst")); len(packed) < 4 {
		t.Fatalf("%d files are compressed", len(packed))
	}
	for name, c := range map[string]struct {
		query Query
		from  int
	}{
		"all":             {Query{Paths: paths}, 0},
		"the newest":      {Query{Paths: paths, Lines: 7}, 193},
		"more than there": {Query{Paths: paths, Lines: 900}, 0},
		"since":           {Query{Paths: paths, Since: epoch.Add(150 * time.Second)}, 150},
		"since, few":      {Query{Paths: paths, Since: epoch.Add(150 * time.Second), Lines: 60}, 150},
		"few of since":    {Query{Paths: paths, Since: epoch.Add(150 * time.Second), Lines: 20}, 180},
		"nothing":         {Query{Paths: paths, Since: epoch.Add(time.Hour)}, 200},
	} {
		next := c.from
		err := Read(t.Context(), c.query, Answer{
			Line: func(line []byte) error {
				if !bytes.Contains(line, fmt.Appendf(nil, `"message":"%d"`, next)) {
					return fmt.Errorf("%q instead of %d", line, next)
				}
				next++
				return nil
			},
			Idle: func() error { return nil },
		})
		if err != nil || next != 200 {
			t.Errorf("%s: ended before %d: %v", name, next, err)
		}
	}
}
