package backup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestABackupIsVerifiedByRestoringAndComparingIt(t *testing.T) {
	l := newLab(t)
	var progress []switcher.Progress
	m, err := l.store.Create(t.Context(), l.source(), func(p switcher.Progress) { progress = append(progress, p) })
	if err != nil {
		t.Fatal(told(err))
	}
	if !regexp.MustCompile(`^\d{8}T\d{6}Z-deploy-r12$`).MatchString(m.ID) || m.LSN == "" || m.At.IsZero() || m.Commit != "abc" {
		t.Errorf("manifest %+v", m)
	}
	for table, n := range map[string]int64{"public.users": 500, "public.posts": 500, `"Odd one"."a table"`: 2, "public.parts_2026": 40} {
		if rows := m.Tables[table].Rows; rows == nil || *rows != n {
			t.Errorf("table %s: %v rows counted, want %d", table, rows, n)
		}
	}
	if s := m.Sequences["public.posts_id_seq"]; s.Last == nil || *s.Last != 500 || m.Sequences["public.unused"].Last != nil {
		t.Errorf("sequences %v", m.Sequences)
	}
	if last := progress[len(progress)-1]; last.Total == 0 || last.Done != last.Total {
		t.Errorf("the last progress is %+v", last)
	}
	var done int64
	verified, err := l.verify(t.Context(), m.ID, func(p switcher.Progress) {
		if p.Total > 0 && (p.Done < done || p.Done > p.Total) {
			t.Errorf("progress %+v after %d bytes", p, done)
		}
		done = p.Done
	})
	if err != nil {
		t.Fatal(told(err))
	}
	if v := verified.Verified; v == nil || v.Counted != 4 || v.Left != 0 || !v.Schema || v.Took <= 0 {
		t.Errorf("verification %+v", v)
	}
	list, err := l.store.List()
	if err != nil || len(list) != 1 || !list[0].Verified() {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if left := l.databases(t); len(left) != 1 {
		t.Errorf("databases afterwards: %v", left)
	}
	_ = filepath.WalkDir(l.store.folder, func(path string, entry os.DirEntry, _ error) error {
		info, err := entry.Info()
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		return err
	})
}

// What a checksum cannot see: files that are as they were written, and are not
// what was in the database.
func TestABackupThatLacksRowsIsNotVerified(t *testing.T) {
	l := newLab(t)
	m := l.backup(t)
	more := *m.Tables["public.users"].Rows + 1
	users := m.Tables["public.users"]
	users.Rows = &more
	m.Tables["public.users"] = users
	m.Verified = &Verification{}
	if err := m.write(l.store.Folder(m.ID)); err != nil {
		t.Fatal(err)
	}
	_, err := l.verify(t.Context(), m.ID, nil)
	wants(t, err, "table public.users has 500 rows, not 501")
	list, err := l.store.List()
	if err != nil || list[0].Verified() || list[0].Manifest.Refuted == "" {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

// pg_restore --list accepts a truncated dump; so would a check of the list.
func TestADamagedBackupIsToldByFileAndNeverVerified(t *testing.T) {
	l := newLab(t)
	whole := l.backup(t)
	name := largest(whole)
	damages := []struct {
		said   string
		damage func(path string) error
	}{
		{"is truncated", func(path string) error { return os.Truncate(path, whole.Files[name].Bytes/2) }},
		{"checksum", func(path string) error { return flip(path, whole.Files[name].Bytes/2) }},
		{"is missing", os.Remove},
	}
	for _, d := range damages {
		t.Run(d.said, func(t *testing.T) {
			m := l.backup(t)
			if err := d.damage(filepath.Join(l.store.Folder(m.ID), largest(m))); err != nil {
				t.Fatal(err)
			}
			_, err := l.store.Check(t.Context(), m.ID)
			wants(t, err, largest(m), d.said)
			_, err = l.verify(t.Context(), m.ID, nil)
			wants(t, err, largest(m), d.said)
			_, err = l.store.Verify(t.Context(), m.ID, l.server, nil)
			wants(t, err, largest(m), d.said)
			list, err := l.store.List()
			if err != nil || list[0].ID != m.ID || list[0].Verified() {
				t.Errorf("the list is %+v, %v", list, err)
			}
		})
	}
	latest, err := l.store.Latest()
	if err != nil || latest.ID == "" {
		t.Errorf("the latest whole backup is %+v, %v", latest, err)
	}
}

// Somebody who copies a backup by hand may write a matching manifest of a
// truncated file.
func TestATruncatedDumpWithMatchingChecksumsIsNotVerified(t *testing.T) {
	l := newLab(t)
	m := l.backup(t)
	name := largest(m)
	if err := os.Truncate(filepath.Join(l.store.Folder(m.ID), name), m.Files[name].Bytes/2); err != nil {
		t.Fatal(err)
	}
	files, err := protect(t.Context(), l.store.Folder(m.ID))
	if err != nil {
		t.Fatal(err)
	}
	m.Files = files
	if err := m.write(l.store.Folder(m.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.Check(t.Context(), m.ID); err != nil {
		t.Fatalf("the checksums should match: %v", err)
	}
	_, err = l.verify(t.Context(), m.ID, nil)
	wants(t, err, "pg_restore")
	if list, _ := l.store.List(); list[0].Verified() {
		t.Error("a truncated dump is verified")
	}
	if left := l.databases(t); len(left) != 1 {
		t.Errorf("databases afterwards: %v", left)
	}
}

func TestAChangedManifestIsDamage(t *testing.T) {
	l := newLab(t)
	m := l.backup(t)
	path := filepath.Join(l.store.Folder(m.ID), manifestFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	plain["verified"] = map[string]any{"at": "2026-11-24T19:30:00Z"}
	data, _ = json.Marshal(plain)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = l.store.Check(t.Context(), m.ID)
	wants(t, err, manifestFile+" was changed")
}

// largest is the data file with the most in it.
func largest(m *Manifest) string {
	var names []string
	for name := range m.Files {
		if filepath.Ext(name) == ".gz" && filepath.Dir(name) == dataFolder {
			names = append(names, name)
		}
	}
	return slices.MaxFunc(names, func(a, b string) int { return int(m.Files[a].Bytes - m.Files[b].Bytes) })
}

func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 0x40
	_, err = f.WriteAt(b, at)
	return err
}
