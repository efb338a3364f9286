package logfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are limits that no test reaches by accident.
func options(log io.Writer) Options {
	if log == nil {
		log = io.Discard
	}
	return Options{
		Limits: Limits{Size: 100 << 20, Age: 720 * time.Hour, Keep: 10, Total: 2 << 30},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// start runs f; the returned function ends it and waits.
func start(t *testing.T, f *File) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinesAreOnDiskWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app", "access.log")
		f := NewFile(path, options(nil))
		stop := start(t, f)
		defer stop()
		fmt.Fprintln(f, "one")
		time.Sleep(flushEvery + time.Millisecond)
		synctest.Wait()
		if got := read(t, path); got != "one\n" {
			t.Errorf("file %q", got)
		}
	})
}

func TestTheEndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f := NewFile(path, options(nil))
	stop := start(t, f)
	const writers, lines = 8, 2000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range lines {
				fmt.Fprintf(f, "%d %d %s\n", w, i, strings.Repeat("x", 40))
			}
		})
	}
	all.Wait()
	stop()
	got := strings.Split(strings.TrimSuffix(read(t, path), "\n"), "\n")
	if len(got) != writers*lines {
		t.Fatalf("%d lines, want %d", len(got), writers*lines)
	}
	next := make([]int, writers)
	for _, line := range got {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d", &w, &i); err != nil || i != next[w] || len(line) < 40 {
			t.Fatalf("line %q after %v: %v", line, next, err)
		}
		next[w]++
	}
}

// A writer that fails must neither block nor hold everything in memory, and
// what was lost is said.
func TestAFileThatCannotBeWrittenLosesLinesOnlyAndSaysHowMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		blocked := filepath.Join(dir, "app")
		if err := os.WriteFile(blocked, nil, 0o600); err != nil { // a file where the folder should be
			t.Fatal(err)
		}
		var log bytes.Buffer
		f := NewFile(filepath.Join(blocked, "access.log"), options(&log))
		stop := start(t, f)
		defer stop()
		for range 3 {
			fmt.Fprintln(f, "lost")
			time.Sleep(2 * flushEvery)
			synctest.Wait()
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "kept")
		time.Sleep(2 * flushEvery)
		synctest.Wait()
		if got := read(t, filepath.Join(blocked, "access.log")); got != "kept\n" {
			t.Errorf("file %q", got)
		}
		if !strings.Contains(log.String(), "lost_lines=3") || f.Lost() != 3 {
			t.Errorf("%d lines lost, log:\n%s", f.Lost(), log.String())
		}
	})
}

func TestADiskThatHangsCostsABoundedAmountOfMemory(t *testing.T) {
	var log bytes.Buffer
	f := NewFile(filepath.Join(t.TempDir(), "access.log"), options(&log))
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 2 * maxPending / len(line) { // nobody runs f
		if n, err := f.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(f.pending) > maxPending {
		t.Errorf("%d bytes are pending", len(f.pending))
	}
	start(t, f)()
	if want := fmt.Sprintf("lost_lines=%d", maxPending/len(line)); !strings.Contains(log.String(), want) || f.Lost() != int64(maxPending/len(line)) {
		t.Errorf("%d lines lost, log %q, want %s", f.Lost(), log.String(), want)
	}
}

// What is left of a line whose writer was killed must not spoil the next one.
func TestALineThatWasCutOffSpoilsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte("cut o"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFile(path, options(nil))
	stop := start(t, f)
	fmt.Fprintln(f, "whole")
	stop()
	if got := read(t, path); got != "whole\n" {
		t.Errorf("file %q", got)
	}
}

func TestTheFirstWriteTellsThatTheFileCanBeWritten(t *testing.T) {
	var told []error
	o := options(nil)
	o.Failed = func(err error) { told = append(told, err) }
	check := func(what string) {
		t.Helper()
		if len(told) != 1 || told[0] != nil {
			t.Errorf("%s told %v, want one nil", what, told)
		}
		told = nil
	}
	l := NewLog(filepath.Join(t.TempDir(), "blue.log"), o)
	for range 2 {
		if err := l.Append(t.Context(), []byte("line\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("a log")
	f := NewFile(filepath.Join(t.TempDir(), "access.log"), o)
	for range 2 {
		f.Write([]byte("line\n"))
		f.flush()
	}
	if err := f.file.close(); err != nil {
		t.Fatal(err)
	}
	check("a file")
}
