package switcher

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Offline is what the disk says of an app that no edge owns at the moment.
type Offline struct {
	File    string    // the state file
	Problem string    // why it cannot be used; empty when it can
	State   *State    // nil when it cannot be used
	Good    *State    // the last good copy; nil when there is none
	GoodAt  time.Time // when the last good copy was current
}

// Inspect reads an app's state without an edge. It is refused while an edge
// owns the state.
func Inspect(dir, app string) (*Offline, error) {
	var report *Offline
	err := owning(dir, app, func(s *store) error {
		report = s.inspect(app)
		return nil
	})
	return report, err
}

// Restore makes the last good copy of an app's state the current one and keeps
// the unusable file, if there is one, beside it under the name it returns. A state that can be
// used is left as it is.
func Restore(dir, app string) (kept string, err error) {
	err = owning(dir, app, func(s *store) error {
		report := s.inspect(app)
		switch {
		case report.Problem == "":
			return refuse("start the edge; `bluegreen recover` then brings back what should run", "%s is in order: nothing to restore", report.File)
		case report.Good == nil:
			return &Error{Code: CodeFailed, What: "there is no last good copy of " + report.File,
				Hint: "restore the file from a backup; or move the whole directory away to begin anew with `bluegreen deploy`, and remove the app's old containers by hand"}
		}
		data, err := os.ReadFile(s.path(goodFile))
		if err != nil {
			return err
		}
		kept = s.path(stateFile + ".damaged-" + time.Now().UTC().Format("20060102-150405"))
		switch err := os.Rename(s.path(stateFile), kept); {
		case errors.Is(err, fs.ErrNotExist):
			kept = ""
		case err != nil:
			return fmt.Errorf("keeping the damaged file: %w", err)
		}
		return s.replace(data)
	})
	return kept, err
}

func owning(dir, app string, do func(*store) error) error {
	if _, err := os.Stat(filepath.Join(dir, app)); err != nil {
		return &Error{Code: CodeUsage, What: fmt.Sprintf("app %s has no state in %s", app, dir),
			Hint: "check `state.dir` in the configuration and the app's name", Err: err}
	}
	s, err := openStore(dir, app, slog.New(slog.DiscardHandler))
	var held *Error
	if errors.As(err, &held) && held.Code == CodeBusy {
		held.Hint = fmt.Sprintf("the state is in order and in use: `bluegreen recover --app %s` asks that edge", app)
	}
	if err != nil {
		return err
	}
	defer s.close()
	return do(s)
}

func (s *store) inspect(app string) *Offline {
	report := &Offline{File: s.path(stateFile)}
	var err error
	if report.State, err = readState(report.File, app); err != nil {
		report.State, report.Problem = nil, err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			report.Problem = "the file is gone"
		}
	}
	if good, err := readState(s.path(goodFile), app); err == nil {
		report.Good = good
		if info, err := os.Stat(s.path(goodFile)); err == nil {
			report.GoodAt = info.ModTime()
		}
	}
	return report
}
