package config

import (
	"regexp"
	"time"
)

// Database is what the releases of an app share. Without it the edge knows of no database.
type Database struct {
	// URLEnv is the variable of the app that holds its database URL, as in container.environment, env_file or
	// process.environment; required.
	URLEnv string `yaml:"url_env" jsonschema:"required"`
	// AdminURLEnv is the variable of the edge's own environment that holds the URL of the owner of the database, who
	// may create databases; required.
	AdminURLEnv string `yaml:"admin_url_env" jsonschema:"required"`
	// Expand is the app's own command that migrates the database before a release is started; default none.
	Expand Command `yaml:"expand"`
	// Contract is the command that removes what only older releases need, run by `bluegreen db contract`; default none.
	Contract Command `yaml:"contract"`
	// Down is the command that undoes the newest migration, run by `bluegreen db down`; default none.
	Down Command `yaml:"down"`
	// MigrationsDir is a folder of goose migrations in SQL, instead of the three commands, with those of the contract
	// phase in its folder contract; relative to this file.
	MigrationsDir string `yaml:"migrations_dir"`
	// LockTimeout is how long a statement of a migration may wait for a lock, and with it the app behind it; default 2s.
	LockTimeout time.Duration `yaml:"lock_timeout"`
	// StatementTimeout is how long one may run; 0s sets no limit; default 15m.
	StatementTimeout time.Duration `yaml:"statement_timeout" zero:"off"`
	// LockRetries is how often a migration that got no lock is tried again, with growing pauses; default 10.
	LockRetries int `yaml:"lock_retries" jsonschema:"minimum=0"`
	// Rehearsal is the migration in a copy, before the database itself is touched.
	Rehearsal Rehearsal `yaml:"rehearsal"`
	// Gate says what becomes of a change that would break a release.
	Gate SchemaGate `yaml:"gate"`
	// Backup says where backups are kept, and how many.
	Backup Backup `yaml:"backup"`
	// Restore says how one is brought back.
	Restore Restore `yaml:"restore"`

	// AdminURL is what AdminURLEnv holds.
	AdminURL Secret `yaml:"-"`
}

// Configured reports whether the app has a database.
func (d Database) Configured() bool { return d.URLEnv != "" }

// The values of Rehearsal.Mode.
const (
	RehearsalAuto   = "auto"
	RehearsalFull   = "full"
	RehearsalSchema = "schema"
	RehearsalOff    = "off"
)

// Rehearsal is a migration in a copy of the database.
type Rehearsal struct {
	// Mode is auto (default: full while the database is small, else schema), full (a restored backup), schema (without
	// rows) or off.
	Mode string `yaml:"mode" jsonschema:"enum=auto,enum=full,enum=schema,enum=off"`
	// Tables are further tables whose rows a copy of the schema needs, besides those in which migration tools keep
	// their books; default none.
	Tables []string `yaml:"tables"`
}

// The values of SchemaGate.Mode.
const (
	GateEnforce = "enforce"
	GateWarn    = "warn"
	GateOff     = "off"
)

// SchemaGate says what becomes of a change that would break a release.
type SchemaGate struct {
	// Mode is enforce (default: it stops the deploy, switch or rollback), warn (it is told) or off.
	Mode string `yaml:"mode" jsonschema:"enum=enforce,enum=warn,enum=off"`
	// LargeTable is the size from which a long lock on a table stops a deploy; default 100MB.
	LargeTable Bytes `yaml:"large_table"`
}

// Never is the value of Backup.At that turns nightly backups off.
const Never = "never"

// Backup says where backups are kept, and how many.
type Backup struct {
	// Dir holds them; default databases/<app>/backups in state.dir.
	Dir string `yaml:"dir"`
	// Keep is how many are kept; default 14.
	Keep int `yaml:"keep" jsonschema:"minimum=1"`
	// Verify restores each backup made at night or by `bluegreen db backup` into a scratch database and compares; default
	// true.
	Verify bool `yaml:"verify"`
	// At is the time of day of the nightly backup, in the time zone of the machine, or never; default "03:00".
	At string `yaml:"at" jsonschema:"pattern=^(([01][0-9]|2[0-3]):[0-5][0-9]|never)$"`
	// MaxAge is the age of the newest one from which the team is told; default 26h.
	MaxAge time.Duration `yaml:"max_age"`
	// Command makes a backup by a tool of your own, instead of pg_dump; default none.
	Command Command `yaml:"command"`
}

// Restore says how a backup is brought back.
type Restore struct {
	// KeepFailed is how many databases that restores have replaced are kept, under other names; default 1.
	KeepFailed int `yaml:"keep_failed" jsonschema:"minimum=1"`
	// Command restores a backup that backup.command has made; default none.
	Command Command `yaml:"command"`
}

// Secret is a value that printing does not show.
type Secret string

// String hides the value.
func (Secret) String() string { return hidden }

// GoString hides the value.
func (Secret) GoString() string { return hidden }

// MarshalText hides the value.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// timeOfDay is what Backup.At may be, besides Never.
var timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// tableName is a table with its schema, without quotes.
var tableName = regexp.MustCompile(`^[^.\s"]+\.[^.\s"]+$`)
