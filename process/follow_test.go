package process

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// reader takes lines and puts the parts of long ones together.
type reader struct {
	cursor switcher.Cursor
	part   string
	lines  []string
}

func (r *reader) take(lines []switcher.Line) error {
	for _, l := range lines {
		r.cursor.Pass(l)
		r.part += string(l.Text)
		if len(l.Text) > switcher.MaxLine || l.Stream != switcher.Output || l.Time.IsZero() {
			return fmt.Errorf("line of %d bytes on %q at %v", len(l.Text), l.Stream, l.Time)
		}
		if !l.Partial {
			r.lines = append(r.lines, r.part)
			r.part = ""
		}
	}
	return nil
}

// Whoever follows may stop after any line, also over a new Runtime, and gets
// the rest, to the last words without an end.
func TestFollowGoesOnWhereItStopped(t *testing.T) {
	const text = `i=0; while [ $i -lt 300 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done
		head -c 200000 /dev/zero | tr '\0' x; echo; printf 'last words'`
	dir := t.TempDir()
	r := open(t, options(dir, script(text)))
	s := spec(t, "a")
	start(t, r, s)
	got := &reader{cursor: switcher.Cursor{}}
	enough := errors.New("enough")
	for round := range 20 {
		if round == 10 {
			r.Close()
			r = open(t, options(dir, script(text)))
		}
		err := r.Follow(t.Context(), "a", got.cursor, func(lines []switcher.Line) error {
			if err := got.take(lines[:min(len(lines), 1+round)]); err != nil {
				return err
			}
			return enough
		})
		if err != nil && !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	if err := r.Follow(t.Context(), "a", got.cursor, got.take); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("out %d", i), fmt.Sprintf("err %d", i))
	}
	want = append(want, strings.Repeat("x", 200_000), "last words")
	if len(got.lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(got.lines), len(want))
	}
	for i := range want {
		if got.lines[i] != want[i] {
			t.Fatalf("line %d is %.40q, want %.40q", i, got.lines[i], want[i])
		}
	}
}

func TestFollowEndsWithTheRuntimeThatIsClosed(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	start(t, r, spec(t, "a"))
	ended := make(chan error, 1)
	go func() {
		ended <- r.Follow(t.Context(), "a", nil, func([]switcher.Line) error {
			time.AfterFunc(0, func() { r.Close() })
			return nil
		})
	}()
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Errorf("ended with %v", err)
	}
}
