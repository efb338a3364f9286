package postgres

import (
	"log/slog"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Options make a Database.
type Options struct {
	App   string
	Owner string // id of the edge's state directory: it removes only its own scratch databases
	Dir   string // for what is kept; made with mode 0700

	// AppURL returns what the app connects with, read anew each time. Its errors
	// are shown, and name no value.
	AppURL func() (string, error)
	// URLEnv is the variable that an instance gets it in, and a migration too.
	URLEnv string
	// AdminURL is of the owner of the database, who may create databases. Only
	// the edge connects to its host.
	AdminURL string
	// AdminURLEnv is the variable that it comes from, for error texts.
	AdminURLEnv string

	Jobs switcher.Jobs

	// Commands of a release. All empty, and no MigrationsDir: the schema is
	// changed by others, and releases are only compared with it.
	Expand, Contract, Down []string
	// MigrationsDir holds SQL files for goose, in place of commands; those of the
	// contract phase are in its folder contract.
	MigrationsDir string

	LockTimeout      time.Duration // for which a migration may wait for a lock, and others behind it
	StatementTimeout time.Duration // 0: none
	LockRetries      int           // after a lock timeout
	Rehearsal        Rehearsal
	Gate             Gate
	Backup           Backup
	Restore          Restore

	// Start begins an operation on this database by the edge itself, such as the
	// nightly backup; nil: there are none.
	Start func(kind switcher.Kind) error
	// Logger; nil: nothing is logged.
	Logger *slog.Logger
	// Failpoint is called after each step that was noted durably, with its name,
	// so that a test can end the process there. nil in production.
	Failpoint func(name string)
}

// RehearsalMode says what of the database a rehearsal has.
type RehearsalMode string

const (
	RehearsalAuto   RehearsalMode = "auto"   // full while that is quick, or else the schema
	RehearsalFull   RehearsalMode = "full"   // the rows too
	RehearsalSchema RehearsalMode = "schema" // no rows but those of migration bookkeeping
	RehearsalOff    RehearsalMode = "off"    // none: nothing is known before the live migration
)

// Rehearsal says how a migration is rehearsed.
type Rehearsal struct {
	Mode   RehearsalMode
	Tables []string // whose rows a rehearsal of the schema has as well, qualified
	Small  int64    // bytes up to which auto is full; 0: 2 GiB
}

// GateMode says what follows from findings.
type GateMode string

const (
	GateEnforce GateMode = "enforce" // what blocks stops
	GateWarn    GateMode = "warn"    // it is told
	GateOff     GateMode = "off"     // nothing is compared
)

// Gate says what a change of the schema has to pass.
type Gate struct {
	Mode       GateMode
	LargeTable int64 // bytes from which on a lock of a table is long; 0: the packages' own default
}

// Backup says how backups are made and kept.
type Backup struct {
	Dir     string // empty: backups, in Options.Dir
	Keep    int
	Verify  bool          // restore each into a scratch database and compare
	At      time.Duration // after midnight, local time, of the nightly one; negative: none is made
	MaxAge  time.Duration // of the newest, before somebody is told; 0: never
	Command []string      // makes one in place of pg_dump
}

// Restore says how a backup comes back.
type Restore struct {
	KeepFailed int      // databases that were replaced, the newest of them; 0: 1
	Command    []string // does it in place of pg_restore
}
