package switcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// reserveSize is disk space held back so that a rollback can still be
// recorded when the disk is full; a state file is far smaller.
const reserveSize = 1 << 20

// store keeps one app's State in a file that is always whole: it is written
// beside the old one, synced, and renamed over it. One process owns it.
type store struct {
	dir   string
	log   *slog.Logger
	lock  *os.File
	freed bool // the reserve has been given up and not yet been regained
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

const (
	stateFile   = "state.json"
	goodFile    = "state.json.last-good"
	lockFile    = "lock"
	reserveFile = "reserve"
)

// ErrUnreadable marks a state file that cannot be trusted. The app it belongs
// to is refused until somebody has looked.
var ErrUnreadable = errors.New("the recorded state cannot be read")

// openStore takes the app's directory for this process.
func openStore(dir, app string, log *slog.Logger) (*store, error) {
	s := &store{dir: filepath.Join(dir, app), log: log}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the state directory: %w", err)
	}
	lock, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the state lock: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, &Error{Code: CodeBusy, What: "another bluegreen owns " + s.dir,
			Hint: "one edge per state directory: stop the other one, or give this one a `state.dir` of its own", Err: err}
	}
	s.lock = lock
	return s, nil
}

func (s *store) close() error { return s.lock.Close() }

// load reads the State; of an app that never had one, a new one.
func (s *store) load(app string) (*State, error) {
	state, err := readState(s.path(stateFile), app)
	switch {
	case err == nil:
		s.fillReserve()
		return state, nil
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(s.path(goodFile)); err == nil {
			return nil, unreadable(app, s.dir, errors.New(stateFile+" is gone while its last good copy is there"))
		}
		s.fillReserve()
		return newState(app), nil
	}
	return nil, unreadable(app, s.dir, err)
}

func unreadable(app, dir string, err error) *Error {
	return &Error{Code: CodeFailed,
		What: fmt.Sprintf("app %s is out of service: %s", app, filepath.Join(dir, stateFile)),
		Hint: unreadableHint(app, err),
		Err:  fmt.Errorf("%w: %w", ErrUnreadable, err)}
}

func unreadableHint(app string, err error) string {
	hint := fmt.Sprintf("`bluegreen recover --offline --app %s` shows the last good copy and restores it", app)
	if errors.Is(err, errFuture) {
		hint = "start that newer bluegreen again; or " + hint
	}
	return hint
}

// errFuture is in the chain when a newer program wrote the file.
var errFuture = errors.New("a newer bluegreen wrote it")

func readState(path, app string) (*State, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("the file is empty")
	}
	// A future version may have changed any other field: look at it first.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	state := new(State)
	if head.Version > stateVersion {
		return nil, fmt.Errorf("it has format version %d and this bluegreen knows up to %d: %w", head.Version, stateVersion, errFuture)
	}
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if err := state.check(app); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if state.Slots == nil {
		state.Slots = map[Colour]Slot{}
	}
	for _, c := range Colours() {
		if _, ok := state.Slots[c]; !ok {
			state.Slots[c] = Slot{State: Empty}
		}
	}
	return state, nil
}

// lendProcessor keeps requests going while the calling goroutine waits for a
// disk. Where the runtime has one processor only, it takes up to 10 ms to notice
// that a system call blocks it; a second one serves meanwhile.
func lendProcessor() (giveBack func()) {
	if runtime.GOMAXPROCS(0) > 1 {
		return func() {}
	}
	runtime.GOMAXPROCS(2)
	return func() { runtime.GOMAXPROCS(1) }
}

// save makes next the recorded State. When it returns an error the old one
// still is. On a full disk the reserve is given up for what is vital, and kept
// from everything else.
func (s *store) save(next *State, vital bool) error {
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	data = append(data, '\n')
	err = s.replace(data)
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	if full && vital {
		s.log.Error("disk full: giving up the reserve so that the state can be recorded", "dir", s.dir)
		os.Remove(s.path(reserveFile))
		s.freed = true
		err = s.replace(data)
	}
	if err != nil {
		e := &Error{Code: CodeFailed, What: "recording the state in " + s.dir, Err: err}
		if full {
			e.Hint = "the disk is full: make room on it; some is held back so that a rollback still works"
		}
		return e
	}
	if s.freed {
		s.fillReserve()
	}
	return nil
}

func (s *store) replace(data []byte) error {
	defer lendProcessor()()
	tmp := s.path(stateFile + ".tmp")
	if err := writeSynced(tmp, data); err != nil {
		os.Remove(tmp)
		return err
	}
	s.keepGood()
	if err := os.Rename(tmp, s.path(stateFile)); err != nil {
		return err
	}
	// The new state is in place: whatever the directory sync says, going back
	// would contradict what the next start may read.
	if err := syncDir(s.dir); err != nil {
		s.log.Error("syncing the state directory", "dir", s.dir, "error", err)
	}
	return nil
}

// keepGood makes the state that is about to be replaced the last good copy.
// Losing the copy must not stop an operation, so it only complains.
func (s *store) keepGood() {
	link := s.path(goodFile + ".tmp")
	os.Remove(link)
	err := os.Link(s.path(stateFile), link)
	if err == nil {
		err = os.Rename(link, s.path(goodFile))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("keeping the last good state", "dir", s.dir, "error", err)
	}
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fillReserve allocates the reserve if it is not there. Without space for it
// the edge still works; a rollback on a full disk then may not.
func (s *store) fillReserve() {
	if info, err := os.Stat(s.path(reserveFile)); err == nil && info.Size() == reserveSize {
		s.freed = false
		return
	}
	// Random content is not needed, but zeros written, not a hole: a hole
	// would reserve nothing.
	err := writeSynced(s.path(reserveFile), make([]byte, reserveSize))
	if err != nil {
		os.Remove(s.path(reserveFile))
		s.log.Warn("reserving disk space for a rollback", "dir", s.dir, "error", err)
	}
	s.freed = err != nil
}
