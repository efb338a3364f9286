package backup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// put makes a backup of nothing at a time.
func put(t *testing.T, s *Store, at time.Time, verified bool) string {
	t.Helper()
	m := &Manifest{Format: format, ID: s.newID(at, "nightly"), At: at}
	if verified {
		m.Verified = &Verification{At: at}
	}
	folder := s.Folder(m.ID)
	if err := os.MkdirAll(filepath.Join(folder, dataFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, dataFolder, "toc.dat"), []byte("toc"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.Files, err = protect(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	if err := m.write(folder); err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func ids(t *testing.T, s *Store) []string {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, b := range list {
		found = append(found, b.ID)
	}
	return found
}

func TestPruneKeepsTheNewestTheNewestVerifiedAndWhatIsInUse(t *testing.T) {
	s := open(t, Options{Folder: t.TempDir(), App: "shop"})
	start := time.Date(2026, 11, 24, 19, 30, 0, 0, time.UTC)
	var all []string // newest first
	for i := range 7 {
		all = append(all, put(t, s, start.Add(-time.Duration(i)*time.Hour), i == 3 || i == 5))
	}
	if got := ids(t, s); !slices.Equal(got, all) {
		t.Fatalf("listed %v, want %v", got, all)
	}
	// The newest does not count, and does not go either.
	if err := os.Remove(filepath.Join(s.Folder(all[0]), dataFolder, "toc.dat")); err != nil {
		t.Fatal(err)
	}
	release, err := s.hold(all[6])
	if err != nil {
		t.Fatal(err)
	}
	removed, err := s.Prune(2)
	if want := []string{all[4], all[5]}; err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %v, %v, want %v", removed, err, want)
	}
	release()
	if removed, err = s.Prune(2); err != nil || !slices.Equal(removed, all[6:]) {
		t.Errorf("removed %v, %v, want what was in use", removed, err)
	}
	if got := ids(t, s); !slices.Equal(got, all[:4]) {
		t.Errorf("left are %v", got)
	}
	if latest, err := s.Latest(); err != nil || latest.ID != all[1] {
		t.Errorf("the latest whole one is %+v, %v", latest, err)
	}
}

func TestIDsAreUniqueAndSafe(t *testing.T) {
	s := open(t, Options{Folder: t.TempDir(), App: "shop"})
	at := time.Date(2026, 11, 24, 19, 30, 0, 0, time.UTC)
	first := put(t, s, at, false)
	second := put(t, s, at, false)
	if first == second || !validID(second) || !strings.HasPrefix(second, first) {
		t.Errorf("ids %s and %s", first, second)
	}
	if id := s.newID(at, "../../etc", "Ä/b", strings.Repeat("x", 300)); !validID(id) || strings.ContainsAny(id, "/ ") || len(id) > 160 {
		t.Errorf("id %q", id)
	}
	for _, id := range []string{"", "..", "../" + first, first + partial, "/etc"} {
		if _, err := s.Check(t.Context(), id); err == nil {
			t.Errorf("%q is taken for a backup", id)
		}
	}
}
