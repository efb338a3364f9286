package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is the output of one instance, which a test writes and a Collector
// follows: a runtime as exact as a real one must be.
type tape struct {
	switcher.Runtime // what is not a tape's fails

	mu      sync.Mutex
	id      string
	lines   []switcher.Line
	running bool
	news    chan struct{}
	removed bool
}

func newTape(id string) *tape { return &tape{id: id, running: true, news: make(chan struct{}, 1)} }

// write adds lines, a few of each moment, on both streams.
func (t *tape) write(from, to int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	epoch := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := from; i < to; i++ {
		stream := switcher.Stdout
		if i%3 == 0 {
			stream = switcher.Stderr
		}
		at := epoch.Add(time.Duration(i/4) * time.Millisecond)
		t.lines = append(t.lines, switcher.Line{Time: at, Stream: stream, Text: fmt.Appendf(nil, "line %d", i)})
	}
	select {
	case t.news <- struct{}{}:
	default:
	}
}

func (t *tape) List(context.Context) ([]switcher.Instance, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.removed {
		return nil, nil
	}
	return []switcher.Instance{{ID: t.id, Colour: switcher.Blue, Release: "r1", Running: t.running, Commit: "abc"}}, nil
}

func (t *tape) Stop(context.Context, string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = false
	return nil
}

func (t *tape) Remove(context.Context, string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removed = true
	return nil
}

// Follow passes on all lines behind the cursor, in small batches.
func (t *tape) Follow(ctx context.Context, _ string, after switcher.Cursor, take func([]switcher.Line) error) error {
	cursor := after.Clone()
	for next := 0; ; {
		t.mu.Lock()
		lines, running := t.lines, t.running
		t.mu.Unlock()
		var batch []switcher.Line
		seen := switcher.Cursor{}
		for i, l := range lines {
			seen.Pass(l)
			p := cursor[l.Stream]
			old := l.Time.Before(cursor.Newest().Add(-time.Second)) || l.Time.Before(p.Time) ||
				l.Time.Equal(p.Time) && seen[l.Stream].Count <= p.Count
			if i >= next && !old {
				batch = append(batch, l)
			}
			if len(batch) == 7 || i == len(lines)-1 && len(batch) > 0 {
				if err := take(batch); err != nil {
					return err
				}
				for _, l := range batch {
					cursor.Pass(l)
				}
				batch, next = nil, i+1
			}
		}
		if !running {
			return nil
		}
		select {
		case <-t.news:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func limits(size int64) logfile.Limits {
	return logfile.Limits{Size: size, Age: 720 * time.Hour, Keep: 1000, Total: 2 << 30}
}

// collector is one on a folder of the test, with what it writes to.
func collector(t *testing.T, dir string, size int64, failed func(error)) *Collector {
	file := logfile.NewLog(filepath.Join(dir, "blue.log"), logfile.Options{Limits: limits(size), Failed: failed})
	t.Cleanup(func() { _ = file.Close() })
	c := New(Options{App: "chat", Files: map[switcher.Colour]*logfile.Log{switcher.Blue: file}})
	c.patience = time.Minute
	return c
}

// run runs a collector; the returned function ends it.
func run(t *testing.T, c *Collector) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return sync.OnceFunc(func() { cancel(); <-done })
}

// messages returns all that is in the files of a slot, oldest first.
func messages(t *testing.T, dir string) (texts []string) {
	t.Helper()
	err := Read(t.Context(), Query{Paths: []string{filepath.Join(dir, "blue.log")}}, Answer{
		Line: func(line []byte) error {
			var l Line
			if err := json.Unmarshal(line, &l); err != nil {
				return fmt.Errorf("line %q: %w", line, err)
			}
			texts = append(texts, l.Message)
			return nil
		},
		Idle: func() error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func wantLines(t *testing.T, dir string, n int) {
	t.Helper()
	got := messages(t, dir)
	for i, text := range got {
		if text != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d of %d says %q; around it: %s", i, len(got), text, strings.Join(got[max(0, i-3):min(len(got), i+4)], " | "))
		}
	}
	if len(got) != n {
		t.Fatalf("%d lines, want %d", len(got), n)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// truncate cuts n bytes off a file, as a kill in the middle of a write leaves it.
func truncate(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-n)
	}
	if err != nil {
		t.Fatal(err)
	}
}
