package docker

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// looks are the looks of one follower at a log that grows.
type looks struct {
	*follower
	text strings.Builder // of standard output
}

func newLooks(log io.Writer) *looks {
	r := &Runtime{options: Options{App: "chat", Logger: slog.New(slog.NewTextHandler(log, nil))}}
	return &looks{follower: &follower{runtime: r, id: "0123456789abcdef", cursor: switcher.Cursor{}}}
}

func (l *looks) look(t *testing.T, log []frame) {
	t.Helper()
	var since time.Time
	if newest := l.cursor.Newest(); !newest.IsZero() {
		since = l.since(t.Context(), newest)
	}
	a := &assembler{cursor: l.cursor, seen: make(map[string]*replay), take: func(lines []switcher.Line) error {
		for _, line := range lines {
			if line.Stream == switcher.Stdout {
				l.text.Write(line.Text)
			}
		}
		return nil
	}}
	for _, f := range log {
		if f.time.Before(since) {
			continue
		}
		if err := a.add(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.end(false); err != nil {
		t.Fatal(err)
	}
	l.open = a.oldestOpen()
}

func TestALineThatIsWrittenSlowlyIsPassedOnWhole(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	long := bytes.Repeat([]byte("x"), 16<<10)
	log := []frame{{switcher.Stdout, begun, long}}
	l := newLooks(io.Discard)
	for second := range 5 {
		log = append(log, frame{switcher.Stderr, begun.Add(time.Duration(second) * time.Second), []byte("tick\n")})
		l.look(t, log)
	}
	log = append(log, frame{switcher.Stdout, begun, []byte(" END\n")})
	l.look(t, log)
	if want := string(long) + " END"; l.text.String() != want {
		t.Errorf("%d bytes were passed on, want %d", l.text.Len(), len(want))
	}
	if !l.open.IsZero() {
		t.Error("the line is still taken for open")
	}
}

func TestALineThatNeverEndsIsNotWaitedForAndTold(t *testing.T) {
	var told bytes.Buffer
	l := newLooks(&told)
	newest := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l.open = newest.Add(-2 * mostOpen)
	for range 2 {
		if got := l.since(t.Context(), newest); !got.Equal(newest.Add(-disorder)) {
			t.Errorf("looked through from %v", got)
		}
	}
	if strings.Count(told.String(), "has not ended") != 1 {
		t.Errorf("told: %s", told.String())
	}
}

func TestAClockThatWentBackIsToldOnce(t *testing.T) {
	var told bytes.Buffer
	l := newLooks(&told)
	now := time.Now()
	l.backwards(t.Context(), now, now.Add(-time.Hour))
	l.backwards(t.Context(), now, now.Add(-time.Hour))
	if strings.Count(told.String(), "clock went back") != 1 {
		t.Errorf("told: %s", told.String())
	}
}

func TestTailMasksBeforeItCuts(t *testing.T) {
	secret := strings.Repeat("s", 40)
	var l lines
	l.mask = switcher.NewMask([]string{"TOKEN=" + secret})
	l.out.into = &l
	l.out.Write([]byte(strings.Repeat("x", maxLine-10) + secret + "\n"))
	if strings.Contains(l.complete[0], "ss") {
		t.Errorf("a part of the value is left: %q", l.complete[0][maxLine-20:])
	}
}
