package postgres

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// files are what an app's database leaves on this machine, but for its backups.
// Each is written beside the old one, synced and renamed.
type files struct{ dir string }

const (
	releasesDir   = "releases" // what each release needs
	scratchDir    = "scratch"  // names of scratch databases that may exist
	schemaSuffix  = ".json.gz"
	versionSuffix = ".version" // goose's, before the release's own migrations

	liveFile    = "live" + schemaSuffix  // as it was last recorded
	firstFile   = "first" + schemaSuffix // as it was at first sight
	beforeFile  = "migration-before" + schemaSuffix
	afterFile   = "migration-after" + schemaSuffix // as the rehearsal ended
	journalFile = "migration.json"

	releasesKept = 100
)

func openFiles(dir string) (files, error) {
	f := files{dir}
	for _, sub := range []string{"", releasesDir, scratchDir} {
		path := filepath.Join(dir, sub)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return f, err
		}
		if err := os.Chmod(path, 0o700); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

// write replaces a file whole. After the rename it goes forward, whatever the
// directory's sync says.
func (f files) write(name string, content []byte) error {
	path := f.path(name)
	file, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	f.sync(filepath.Dir(path))
	return nil
}

func (f files) sync(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

func (f files) remove(name string) error {
	err := os.Remove(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f.sync(filepath.Dir(f.path(name)))
	return err
}

// schema reads a snapshot; nil: there is none.
func (f files) schema(name string) (*catalog.Schema, error) {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s, err := catalog.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path(name), err)
	}
	return s, nil
}

func (f files) putSchema(name string, s *catalog.Schema) error {
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		return err
	}
	return f.write(name, b.Bytes())
}

func releaseFile(release string) string {
	return filepath.Join(releasesDir, filepath.Base(release)+schemaSuffix)
}

// need is the snapshot of what a release needs; nil: none was taken.
func (f files) need(release string) (*catalog.Schema, error) { return f.schema(releaseFile(release)) }

// releases lists those with a snapshot, the newest first.
func (f files) releases() []string {
	entries, _ := os.ReadDir(f.path(releasesDir))
	var ids []string
	for _, entry := range entries {
		if id, is := strings.CutSuffix(entry.Name(), schemaSuffix); is && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return number(b) - number(a) })
	return ids
}

// number is what the id of a release ends in, so that r10 is after r9.
func number(release string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(release, "abcdefghijklmnopqrstuvwxyz-"))
	return n
}

// prune forgets what the oldest releases needed, but for those that are kept.
func (f files) prune(keep ...string) {
	ids := f.releases()
	for _, id := range ids[min(releasesKept, len(ids)):] {
		if !slices.Contains(keep, id) {
			_ = f.remove(releaseFile(id))
			_ = f.remove(filepath.Join(releasesDir, id+versionSuffix))
		}
	}
}

// version is goose's version before a release's own migrations.
func (f files) version(release string) (int64, bool) {
	text, err := os.ReadFile(f.path(filepath.Join(releasesDir, filepath.Base(release)+versionSuffix)))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

func (f files) putVersion(release string, version int64) error {
	return f.write(filepath.Join(releasesDir, filepath.Base(release)+versionSuffix), []byte(strconv.FormatInt(version, 10)+"\n"))
}

// journal is a migration of the live database that has begun and whose end has
// not been told.
type journal struct {
	Operation string `json:"operation"`
	Release   string `json:"release"`
	Phase     phase  `json:"phase"`
	Job       string `json:"job,omitempty"` // the newest attempt; empty: it runs in the edge
	Plan      string `json:"plan,omitempty"`
	Backup    string `json:"backup,omitempty"` // made before it
	Began     string `json:"began"`
	Ended     bool   `json:"ended,omitempty"` // a run has ended well: all of them are applied
}

func (f files) journal() (*journal, error) {
	content, err := os.ReadFile(f.path(journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var j journal
	if err := json.Unmarshal(content, &j); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path(journalFile), err)
	}
	return &j, nil
}

func (f files) putJournal(j journal) error {
	content, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return f.write(journalFile, append(content, '\n'))
}

// scratches lists the scratch databases that may exist.
func (f files) scratches() []string {
	entries, _ := os.ReadDir(f.path(scratchDir))
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names
}
