package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// restoreFile tells the next start of a restore that was going on. The names and
// ids of the databases tell how far it had come.
const restoreFile = "restore.json"

// restoreJournal is what of a restore must survive a crash.
type restoreJournal struct {
	Operation string    `json:"operation"`
	Backup    string    `json:"backup"`
	Told      int64     `json:"told"` // rows that it was said to lose
	Began     time.Time `json:"began"`

	Live     string `json:"live"`
	LiveID   uint32 `json:"live_id"` // 0: there was none
	Restored string `json:"restored"`
	Failed   string `json:"failed"`

	// RestoredID is known from the swap on; before it nothing of the live
	// database has changed.
	RestoredID uint32 `json:"restored_id,omitempty"`
}

func (j restoreJournal) swapping() bool { return j.RestoredID != 0 }

func (f files) writeRestore(j restoreJournal) error {
	content, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return f.write(restoreFile, append(content, '\n'))
}

// restore reads the journal of a restore; nil: there was none going on.
func (f files) restore() (*restoreJournal, error) {
	content, err := os.ReadFile(f.path(restoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j := new(restoreJournal)
	if err == nil {
		err = json.Unmarshal(content, j)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path(restoreFile), err)
	}
	return j, nil
}
