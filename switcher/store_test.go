package switcher

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func openTestStore(t *testing.T, dir string) *store {
	t.Helper()
	s, err := openStore(dir, "app", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func saved(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openTestStore(t, dir)
	state := newState("app")
	for range 2 {
		state.Generation++
		if err := s.save(state, true); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	return dir
}

func TestAStateThatCannotBeTrustedIsARefusalWithTheFix(t *testing.T) {
	for name, content := range map[string]string{
		"empty":          "",
		"cut short":      `{"version":1,"app":"app","gen`,
		"future version": `{"version":2,"app":"app","slots":"a map no more"}`,
		"another app":    `{"version":1,"app":"other"}`,
		"no version":     `{"app":"app"}`,
		"a route to nowhere": `{"version":1,"app":"app","active":"blue","internal":"blue",
			"slots":{"blue":{"state":"empty"},"green":{"state":"empty"}}}`,
		"an unknown slot": `{"version":1,"app":"app","slots":{"red":{"state":"empty"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := saved(t)
			if err := os.WriteFile(filepath.Join(dir, "app", stateFile), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := openTestStore(t, dir).load("app")
			var e *Error
			if !errors.Is(err, ErrUnreadable) || !errors.As(err, &e) || !strings.Contains(e.Hint, "recover --offline") {
				t.Errorf("load = %v", err)
			}
		})
	}
	t.Run("gone while its copy is there", func(t *testing.T) {
		dir := saved(t)
		os.Remove(filepath.Join(dir, "app", stateFile))
		if _, err := openTestStore(t, dir).load("app"); !errors.Is(err, ErrUnreadable) {
			t.Errorf("load = %v", err)
		}
	})
}

func TestADamagedStateIsRestoredFromTheLastGoodCopy(t *testing.T) {
	dir := saved(t)
	file := filepath.Join(dir, "app", stateFile)
	if _, err := Restore(dir, "app"); CodeOf(err) != CodeRefused {
		t.Errorf("restoring a state in order: %v, want a refusal", err)
	}
	if err := os.Truncate(file, 10); err != nil {
		t.Fatal(err)
	}
	report, err := Inspect(dir, "app")
	if err != nil || report.Problem == "" || report.Good == nil || report.Good.Generation != 1 {
		t.Fatalf("Inspect = %+v, %v", report, err)
	}
	kept, err := Restore(dir, "app")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(kept); err != nil || info.Size() != 10 {
		t.Errorf("the damaged file was not kept: %v", err)
	}
	state, err := openTestStore(t, dir).load("app")
	if err != nil || state.Generation != 1 {
		t.Errorf("load = %+v, %v", state, err)
	}
}

func TestOneProcessOwnsTheState(t *testing.T) {
	dir := t.TempDir()
	openTestStore(t, dir)
	if _, err := openStore(dir, "app", slog.New(slog.DiscardHandler)); CodeOf(err) != CodeBusy {
		t.Errorf("second owner: %v, want busy", err)
	}
	if _, err := Inspect(dir, "app"); CodeOf(err) != CodeBusy {
		t.Errorf("looking at a state that an edge owns: %v, want busy", err)
	}
}

func TestTheStateIsPrivate(t *testing.T) {
	dir := saved(t)
	for name, want := range map[string]os.FileMode{"app": 0o700 | os.ModeDir, "app/" + stateFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// Invariant 6, the disk's half: with no space left the state is still
// recorded, for the reserve is given up.
func TestAFullDiskStillTakesTheStateOfARollback(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mounting a small file system: %v", err)
		}
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openTestStore(t, dir)
	state, err := s.load("app")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.save(state, true); err != nil {
		t.Fatal(err)
	}
	fill(t, filepath.Join(dir, "other data"))
	state.Generation++
	if err := s.save(state, false); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("saving what is not vital on a full disk: %v, want a refusal", err)
	}
	if _, err := os.Stat(s.path(reserveFile)); err != nil {
		t.Errorf("the reserve was given up for it: %v", err)
	}
	for range 20 {
		state.Generation++
		if err := s.save(state, true); err != nil {
			t.Fatalf("saving on a full disk: %v", err)
		}
	}
	if got, err := readState(s.path(stateFile), "app"); err != nil || got.Generation != state.Generation {
		t.Errorf("on disk: %+v, %v", got, err)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}

func TestAStateReadsBackAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	s := openTestStore(t, dir)
	rapid.Check(t, func(t *rapid.T) {
		state := newState("app")
		state.Generation = rapid.Uint64().Draw(t, "generation")
		state.Active = rapid.SampledFrom([]Colour{Blue, Green}).Draw(t, "active")
		state.Internal = state.Active
		other := rapid.SampledFrom([]SlotState{Empty, Starting, Testing, Previous, Failed}).Draw(t, "other")
		for c, kind := range map[Colour]SlotState{state.Active: Active, state.Active.Other(): other} {
			if kind != Empty {
				state.Slots[c] = Slot{State: kind, Release: &Release{ID: rapid.String().Draw(t, "release")}, Instance: "i", Port: 3001}
			}
		}
		if err := s.save(state, true); err != nil {
			t.Fatal(err)
		}
		got, err := readState(s.path(stateFile), "app")
		if err != nil {
			t.Fatal(err)
		}
		if got.Generation != state.Generation || got.Active != state.Active || got.Slots[state.Active.Other()].State != other {
			t.Fatalf("read %+v, wrote %+v", got, state)
		}
	})
}

func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"version":1,"app":"app","slots":{"blue":{"state":"empty"}}}`))
	f.Add([]byte(`{"version":1,"app":"app","active":"blue","slots":null}`))
	f.Add([]byte(`{"version":1,"app":"app","slots":null}`))
	path := filepath.Join(f.TempDir(), "state.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		state, err := readState(path, "app")
		if err != nil {
			return
		}
		if state.Active != "" && state.Slots[state.Active].Release == nil {
			t.Errorf("accepted a state whose active slot holds nothing: %s", data)
		}
	})
}
