package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// Check reads a whole backup and compares it with its manifest. Every file that
// is missing, truncated or changed is told by name. It says nothing of what is
// in them: only Verify does.
func (s *Store) Check(ctx context.Context, id string) (*Manifest, error) {
	release, err := s.hold(id)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.check(ctx, id)
}

func (s *Store) check(ctx context.Context, id string) (*Manifest, error) {
	m, damage := s.inspect(ctx, id, true)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if damage != "" {
		return m, &switcher.Error{Code: switcher.CodeFailed, What: "backup " + id + " is damaged: " + damage,
			Hint: "use another one: `bluegreen db backups` lists them"}
	}
	return m, nil
}

// inspect compares the files of a backup with its manifest, by size and, if
// wanted, by content.
func (s *Store) inspect(ctx context.Context, id string, read bool) (*Manifest, string) {
	folder := s.Folder(id)
	m, err := readManifest(folder)
	if err != nil {
		return nil, err.Error()
	}
	var damage []string
	if m.ID != id {
		damage = append(damage, "its manifest is of "+m.ID)
	}
	present, err := stored(folder)
	if err != nil {
		damage = append(damage, err.Error())
	}
	for _, name := range present {
		if _, ok := m.Files[name]; !ok {
			damage = append(damage, name+" does not belong to it")
		}
	}
	for name, file := range m.Files {
		if what := compare(ctx, filepath.Join(folder, name), file, read); what != "" {
			damage = append(damage, name+" "+what)
		}
	}
	slices.Sort(damage)
	const told = 5
	if more := len(damage) - told; more > 0 {
		damage = append(damage[:told], fmt.Sprintf("and %d more", more))
	}
	return m, strings.Join(damage, "; ")
}

func compare(ctx context.Context, path string, want File, read bool) string {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing"
	case err != nil:
		return "cannot be read: " + err.Error()
	case !info.Mode().IsRegular():
		return "is no file"
	case info.Size() < want.Bytes:
		return fmt.Sprintf("is truncated: %d of %d bytes", info.Size(), want.Bytes)
	case info.Size() > want.Bytes:
		return fmt.Sprintf("was changed: %d bytes, not %d", info.Size(), want.Bytes)
	case !read:
		return ""
	}
	got, err := digest(ctx, path, false)
	switch {
	case err != nil:
		return "cannot be read: " + err.Error()
	case got.SHA256 != want.SHA256:
		return "was changed: its checksum is another one"
	}
	return ""
}
