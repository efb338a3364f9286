package docker_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// numbered checks the lines of the test server, stream by stream.
type numbered struct {
	t      *testing.T
	cursor switcher.Cursor
	next   map[string]int
	parts  map[string][]byte
	lines  int
}

func newNumbered(t *testing.T) *numbered {
	return &numbered{
		t: t, cursor: switcher.Cursor{}, parts: map[string][]byte{},
		next: map[string]int{switcher.Stdout: 0, switcher.Stderr: 1},
	}
}

func (n *numbered) take(lines []switcher.Line) error {
	for _, l := range lines {
		n.cursor.Pass(l)
		if len(l.Text) > switcher.MaxLine {
			return fmt.Errorf("a line of %d bytes", len(l.Text))
		}
		text := append(n.parts[l.Stream], l.Text...)
		n.parts[l.Stream] = nil
		if l.Partial {
			n.parts[l.Stream] = text
			continue
		}
		if !bytes.HasPrefix(text, []byte("line ")) {
			continue
		}
		number := n.next[l.Stream]
		if want := wanted(number); string(text) != want {
			return fmt.Errorf("%s: %.40q (%d bytes), want %.40q (%d bytes)", l.Stream, text, len(text), want, len(want))
		}
		n.next[l.Stream] += 2
		n.lines++
	}
	return nil
}

// wanted is the line of a number, as the test server writes it.
func wanted(n int) string {
	text := fmt.Sprintf("line %d ", n) + strings.Repeat("x", n%400)
	switch {
	case n%4999 == 0:
		text += strings.Repeat("ñ", 20_000)
	case n == 777:
		text += strings.Repeat("é", 100_000)
	case n%499 == 0:
		text += "\xff\xfe"
	}
	return text
}

// Whoever follows may stop anywhere and go on from its cursor, while the engine
// rotates its files, breaks connections and hangs.
func TestFollowPassesOnEveryLineOnce(t *testing.T) {
	const lines = 105_000 // 23 MB, and the engine rotates at 20
	b := newBench(t, nil)
	gate := enginetest.NewGate(t, b.api)
	r := b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 10*time.Second })
	spec := b.spec(fmt.Sprintf("-lines=%d", lines))
	if err := r.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	n := newNumbered(t)
	enough := errors.New("enough for now")
	for round := 0; n.lines < lines; round++ {
		if round == 500 {
			t.Fatalf("after %d rounds: %d lines", round, n.lines)
		}
		batches := 1 + round*17%60
		err := r.Follow(t.Context(), spec.Instance, n.cursor, func(batch []switcher.Line) error {
			if err := n.take(batch); err != nil {
				return err
			}
			switch batches--; {
			case batches == 0 && n.lines < lines:
				return enough
			case n.lines == lines:
				return enough
			case round == 3 && batches == 5, round == 6 && batches == 1:
				gate.Cut()
			case round == 5 && batches == 2:
				gate.Pause()
				time.AfterFunc(1500*time.Millisecond, gate.Resume)
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	if err := r.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if err := r.Follow(t.Context(), spec.Instance, n.cursor, n.take); err != nil {
		t.Errorf("to the end: %v", err)
	}
	if n.lines != lines {
		t.Errorf("%d lines, want %d", n.lines, lines)
	}
}

// What a container says at its end is passed on before Follow ends, and a
// restart of it is not the end.
func TestFollowGoesOnOverRestartsToTheLastWords(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	if err := b.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := b.Keep(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	var said []string
	begun := make(chan struct{}, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- b.Follow(t.Context(), spec.Instance, nil, func(lines []switcher.Line) error {
			for _, l := range lines {
				said = append(said, string(l.Text))
				if strings.HasSuffix(string(l.Text), "begins") {
					begun <- struct{}{}
				}
			}
			return nil
		})
	}()
	<-begun
	eventually(t, "it listens", func() bool {
		_, err := webGet(spec.Port, "/", nil)
		return err == nil
	})
	_, _ = webGet(spec.Port, "/exit", url.Values{"code": {"3"}})
	<-begun
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(said, "|"); !strings.Contains(all, "exits with 3 as told") || !strings.HasSuffix(all, "received terminated") {
		t.Errorf("it said %q", said)
	}
}

// An engine that is killed and started again is no end, and what was passed on
// before is not passed on again.
func TestFollowGoesOnOverARestartOfTheEngine(t *testing.T) {
	daemon := enginetest.StartDaemon(t)
	api := daemon.Client(t)
	b := &bench{t: t, api: api, repo: enginetest.Repository(t, api), app: enginetest.App(t, api)}
	b.Runtime = b.runtime(func(o *docker.Options) { o.Host = daemon.Host() })
	spec := b.spec("-lines=3000", "-pace=10ms")
	if err := b.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	n := newNumbered(t)
	some, ended := make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(some) })
	go func() {
		ended <- b.Follow(t.Context(), spec.Instance, nil, func(lines []switcher.Line) error {
			err := n.take(lines)
			if n.lines >= 1000 {
				once()
			}
			return err
		})
	}()
	<-some
	daemon.Kill(t)
	daemon.Start(t)
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	seen := n.lines
	again := newNumbered(t)
	if err := b.Follow(t.Context(), spec.Instance, nil, again.take); err != nil || again.lines != seen {
		t.Errorf("%d lines were passed on, the log has %d (%v)", seen, again.lines, err)
	}
}
