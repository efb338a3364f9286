package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// Options make a Store.
type Options struct {
	Folder string // for the backups; made with mode 0700
	App    string
	Jobs   int // tables that are dumped or restored at once; 0: as many as there are cores, 8 at most

	// Command makes a backup in place of pg_dump, and RestoreCommand brings one
	// back in place of pg_restore. See hook.go for what they are told.
	Command, RestoreCommand []string

	// Tools are taken in place of those that FindTools finds, if it is not nil.
	Tools func(context.Context) (Tools, error)
}

// Store keeps the backups of one app in a folder. Its methods may be called at
// any time; one backup is made at a time, by one process.
type Store struct {
	Options
	folder string
}

// Open returns the store in a folder and removes what an interrupted backup has
// left there, unless another process is making one.
func Open(o Options) (*Store, error) {
	s := &Store{Options: o, folder: filepath.Clean(o.Folder)}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder for backups: %w", err)
	}
	release, err := s.lock()
	switch {
	case switcher.CodeOf(err) == switcher.CodeBusy:
		return s, nil
	case err != nil:
		return nil, err
	}
	defer release()
	return s, s.tidy()
}

// Folder is where a backup is kept.
func (s *Store) Folder(id string) string { return filepath.Join(s.folder, id) }

func (s *Store) jobs() int { return cmp.Or(s.Jobs, min(runtime.NumCPU(), 8)) }

// tools returns the programs for a server that can also read what was written by
// those of another version.
func (s *Store) tools(ctx context.Context, server int, written string) (Tools, error) {
	before, _, _ := strings.Cut(written, ".")
	major, _ := strconv.Atoi(before)
	server = max(server, major*10000)
	find := s.Tools
	if find == nil {
		find = func(ctx context.Context) (Tools, error) { return FindTools(ctx, server) }
	}
	found, err := find(ctx)
	if err == nil {
		err = found.Suit(server)
	}
	return found, err
}

// lock takes the store for a process that writes to it.
func (s *Store) lock() (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.folder, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the backups: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, &switcher.Error{Code: switcher.CodeBusy, What: "a backup is being written to " + s.folder + " already",
			Hint: "wait for it to end"}
	}
	return func() { _ = f.Close() }, nil
}

// hold keeps a backup from being removed while it is read.
func (s *Store) hold(id string) (release func(), err error) {
	if !validID(id) {
		return nil, unknown(id)
	}
	d, err := os.Open(s.Folder(id))
	if err != nil {
		return nil, unknown(id)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		_ = d.Close()
		return nil, unknown(id) // it is being removed
	}
	return func() { _ = d.Close() }, nil
}

func unknown(id string) error {
	return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("there is no backup %q", cut(id, 100)), Hint: "`bluegreen db backups` lists them"}
}

// stamp is how an id begins; ids sort by it.
const stamp = "20060102T150405Z"

var idForm = regexp.MustCompile(`^\d{8}T\d{6}Z(-[a-z0-9._-]+)?$`)

func validID(id string) bool { return idForm.MatchString(id) && !strings.HasSuffix(id, partial) }

var notInID = regexp.MustCompile(`[^a-z0-9._]+`)

// newID returns an id that no backup has.
func (s *Store) newID(at time.Time, words ...string) string {
	id := at.UTC().Format(stamp)
	for _, word := range words {
		if word = strings.Trim(notInID.ReplaceAllString(strings.ToLower(word), "-"), "-."); word != "" {
			id += "-" + word[:min(len(word), 60)]
		}
	}
	free := id
	for n := 2; ; n++ {
		if _, err := os.Lstat(s.Folder(free)); errors.Is(err, os.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-%d", id, n)
	}
}

// tidy removes partial backups. The lock is held.
func (s *Store) tidy() error {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return fmt.Errorf("reading the folder of the backups: %w", err)
	}
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), partial); ok && idForm.MatchString(id) {
			err = errors.Join(err, os.RemoveAll(s.Folder(entry.Name())))
		}
	}
	return err
}

// Backup is a backup in the list of a store.
type Backup struct {
	ID       string
	Manifest *Manifest // nil: it cannot be read
	Damage   string    // what is wrong with its files at first sight; empty: nothing
}

// Verified reports whether the backup was restored and compared, and looks as
// it did then.
func (b Backup) Verified() bool {
	return b.Damage == "" && b.Manifest != nil && b.Manifest.Verified != nil
}

// List returns all backups, the newest first, damaged ones too. Files are looked
// at, not read: Check does that.
func (s *Store) List() ([]Backup, error) {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, fmt.Errorf("reading the folder of the backups: %w", err)
	}
	var list []Backup
	for _, entry := range entries {
		if id := entry.Name(); entry.IsDir() && validID(id) {
			m, damage := s.inspect(context.Background(), id, false)
			list = append(list, Backup{ID: id, Manifest: m, Damage: damage})
		}
	}
	slices.SortFunc(list, func(a, b Backup) int { return strings.Compare(b.ID, a.ID) })
	return list, nil
}

// Latest returns the newest backup that is whole; nil: there is none.
func (s *Store) Latest() (*Manifest, error) {
	list, err := s.List()
	for _, b := range list {
		if b.Damage == "" {
			return b.Manifest, nil
		}
	}
	return nil, err
}

// Prune removes all but the newest whole backups, keep of them, and returns the
// ids of those removed. The newest verified one stays, and one that is in use.
func (s *Store) Prune(keep int) ([]string, error) {
	release, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	list, err := s.List()
	if err != nil {
		return nil, err
	}
	var removed []string
	var failed error
	whole, verified := 0, false
	for _, b := range list {
		stays := whole < max(keep, 1)
		if b.Damage == "" {
			whole++
		}
		if b.Verified() && !verified {
			verified, stays = true, true
		}
		if stays {
			continue
		}
		gone, err := s.remove(b.ID)
		failed = errors.Join(failed, err)
		if gone {
			removed = append(removed, b.ID)
		}
	}
	return removed, failed
}

// Remove removes a backup; one that is in use stays.
func (s *Store) Remove(id string) error {
	release, err := s.lock()
	if err != nil {
		return err
	}
	defer release()
	_, err = s.remove(id)
	return err
}

// remove removes a backup unless it is in use. A crash meanwhile leaves a
// partial one.
func (s *Store) remove(id string) (bool, error) {
	d, err := os.Open(s.Folder(id))
	if err != nil {
		return false, err
	}
	defer d.Close()
	if unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false, nil
	}
	if err := os.Rename(s.Folder(id), s.Folder(id+partial)); err != nil {
		return false, err
	}
	return true, os.RemoveAll(s.Folder(id + partial))
}
