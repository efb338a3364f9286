package switcher

import (
	"context"
	"time"
)

// LostUnknown stands for a number of rows that nobody can tell.
const LostUnknown int64 = -1

// RestorePlan says what a restore would do and what it would lose, before
// anything is done. KindRestore does only what a plan has told, and whose number
// of lost rows was typed back.
type RestorePlan struct {
	ID       string    `json:"id"`
	Until    time.Time `json:"until"` // it can be confirmed
	Database string    `json:"database"`

	Backup      string        `json:"backup"`              // its id
	At          time.Time     `json:"at"`                  // what it holds is of that moment
	Verified    bool          `json:"verified"`            // it was restored once and compared
	BackupBytes int64         `json:"backup_bytes"`        // its size on disk
	Bytes       int64         `json:"bytes"`               // size of the live database, which the restored one needs beside it
	Free        int64         `json:"free"`                // bytes, where the server keeps its data; -1: unknown
	Expected    time.Duration `json:"expected"`            // nanoseconds until the swap; 0: unknown
	Swap        time.Duration `json:"swap,omitempty"`      // how long requests wait at most for the swap
	Command     []string      `json:"command,omitempty"`   // that restores in place of pg_restore
	KeptAs      string        `json:"kept_as,omitempty"`   // name of the live database afterwards
	Freezes     bool          `json:"freezes,omitempty"`   // writes are refused meanwhile
	Dropped     []string      `json:"dropped,omitempty"`   // databases kept from earlier restores that go afterwards
	Warnings    []string      `json:"warnings,omitempty"`  // what does not come back, or needs a hand
	Obstacles   []Obstacle    `json:"obstacles,omitempty"` // what stands in the way: it cannot be confirmed

	// Lost is the number of rows written since the backup, of whatever kind, as
	// CountedBy says it: to be typed back. LostUnknown: nobody can tell.
	Lost      int64       `json:"lost"`
	CountedBy string      `json:"counted_by"` // counters, or rows: at least so many
	Unknown   string      `json:"unknown,omitempty"`
	Tables    []TableLoss `json:"tables"` // with any, most first
}

// Obstacle is a reason why a restore cannot be done now, and what to do about it.
type Obstacle struct {
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// TableLoss is what a restore takes back in one table.
type TableLoss struct {
	Table    string   `json:"table"`          // empty: those in Gone together
	Gone     []string `json:"gone,omitempty"` // tables that are no longer there
	Inserted int64    `json:"inserted"`
	Updated  int64    `json:"updated"`
	Deleted  int64    `json:"deleted"`
}

// Total is the number of rows written.
func (l TableLoss) Total() int64 { return l.Inserted + l.Updated + l.Deleted }

// PlanRestore says what a restore of the backup in r would do. It changes
// nothing, and holds nothing that others wait for.
func (a *App) PlanRestore(ctx context.Context, r DatabaseRequest) (RestorePlan, error) {
	db := a.settings.Load().Database
	if db == nil {
		return RestorePlan{}, NoDatabase()
	}
	return db.PlanRestore(ctx, r)
}
