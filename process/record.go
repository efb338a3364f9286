package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// record is what is kept on disk of an instance. It is written before the
// process exists, so that none exists without a record.
type record struct {
	App      string          `json:"app"`
	Instance string          `json:"instance"`
	Colour   switcher.Colour `json:"colour"`
	Release  string          `json:"release"`
	Commit   string          `json:"commit,omitempty"`
	Port     int             `json:"port"`
	State    state           `json:"state"`
	Process  identity        `json:"process"`            // meaningful while running
	Kept     bool            `json:"kept"`               // to be started again when it dies
	Restarts int             `json:"restarts,omitempty"` // how often it was
	ExitCode int             `json:"exit_code"`          // meaningful when stopped
	Job      bool            `json:"job,omitempty"`      // it runs once, and is no instance of a slot
}

type state string

const (
	starting state = "starting" // a process may exist; it carries the marker
	running  state = "running"
	stopped  state = "stopped"
	unborn   state = "" // of a job that was not started yet; never on disk
)

const recordSuffix = ".json"

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// checkID refuses ids that are no plain file name.
func checkID(id string) error {
	if validID.MatchString(id) {
		return nil
	}
	return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("%q is no instance id", id)}
}

func (r *Runtime) recordPath(id string) string { return filepath.Join(r.dir, id+recordSuffix) }
func (r *Runtime) outputPath(id string) string { return filepath.Join(r.dir, id+".log") }
func (r *Runtime) endPath(id string) string    { return filepath.Join(r.dir, id+".end") }

// write replaces the record on disk: after a crash it is the old or the new
// one, never a part of it.
func (r *Runtime) write(rec record) error {
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	path := r.recordPath(rec.Instance)
	if err := replaceFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("recording instance %s: %w", rec.Instance, err)
	}
	return nil
}

func replaceFile(path string, data []byte) (err error) {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync())
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		os.Remove(path + ".new")
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// damage is a record that cannot be read.
type damage struct {
	instance string
	err      error
}

// readRecords returns all records of dir, and what is no longer one.
func readRecords(dir string) (records []record, damaged []damage, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), recordSuffix)
		if !ok || checkID(id) != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, nil, err
		}
		var rec record
		err = json.Unmarshal(data, &rec)
		if err == nil && rec.Instance != id {
			err = fmt.Errorf("it is of instance %q", rec.Instance)
		}
		if err != nil {
			damaged = append(damaged, damage{id, err})
			continue
		}
		records = append(records, rec)
	}
	return records, damaged, nil
}
