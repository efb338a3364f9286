package switcher

import (
	"context"
	"time"
)

// Database is what the releases of an app share. The switcher knows that its
// schema must suit every release that production may be pointed at, and nothing
// of how that is found out.
//
// Do and Migrate are asked by the app's one operation. The other methods may be
// called at any time, and by many. All MUST return soon after their context has
// ended: when its cause is ErrDiscarded or ErrOvertaken somebody wants the work to
// end, and what runs is ended gently; otherwise the edge itself ends, and what
// runs is left to Recover.
type Database interface {
	// Migrate brings the database to what the release in work.Release needs,
	// before that is started, and records what the release needs. Nothing of the
	// live database changes before all of it has passed in a rehearsal. An *Error
	// with CodeRefused says what speaks against it.
	Migrate(ctx context.Context, work DatabaseWork) error

	// Do performs an operation of a database kind and returns one sentence for
	// the history.
	Do(ctx context.Context, kind Kind, work DatabaseWork) (string, error)

	// Fit compares what a release was recorded to need with the live schema now.
	// An error says that the database could not be asked.
	Fit(ctx context.Context, release string) (Fit, error)

	// Answers asks the database now, as the app does; nil: it does what it should.
	// An error with CodeUsage says that it cannot be asked as it is configured,
	// which tells nothing of the database.
	Answers(ctx context.Context) error

	// Recover ends what an earlier process has begun: it waits for a migration
	// that still runs, removes scratch databases and partial backups, and says in
	// one sentence what became of a migration; empty: there was none.
	Recover(ctx context.Context, t Teller) (string, error)

	// Status tells what was last found, without asking the database or the app. The
	// app tells the team of it: that the database does not answer, that its schema
	// was changed by hand or keeps production from going back, that a backup is
	// late or has failed.
	Status() DatabaseStatus

	// PlanRestore says what a restore would do and lose, for whoever has to
	// confirm it in r.Lost and r.Plan of a KindRestore. It changes nothing.
	PlanRestore(ctx context.Context, r DatabaseRequest) (RestorePlan, error)
}

// Teller is told what long work does, as it happens.
type Teller interface {
	// Enter begins a step; told says how it ended, with the time it took.
	Enter(step string) (told func(format string, args ...any))
	Say(format string, args ...any)
	Warn(format string, args ...any)
	Progress(p Progress)
	// Mark notes durably that a step begins, for the history after a crash.
	Mark(step string) error
}

// DatabaseWork is one piece of work on the database, and what the app lends for
// it.
type DatabaseWork struct {
	Teller
	Operation string   // its id
	Actor     Actor    // who asked for it
	Release   *Release // whose commands are run; nil: no release's
	Active    *Release // that production leads to; nil: none yet
	Previous  *Release // that is warm; nil: none
	Request   DatabaseRequest

	// Freeze has both routes answer requests that may write with 503 until it is
	// called with false.
	Freeze func(on bool)
	// Hold lets no new request through to the app until release is called, and
	// waits as long as ctx lasts for those in flight.
	Hold func(ctx context.Context) (release func())
}

// DatabaseRequest says what is wanted of a database operation, or of the
// database's part in a deploy. Which members count depends on the operation.
type DatabaseRequest struct {
	Commit         string   `json:"commit,omitempty"`          // of the release whose migrations are planned
	Image          string   `json:"image,omitempty"`           // the same, by its full reference
	SkipMigrations bool     `json:"skip_migrations,omitempty"` // deploy without running any
	Allow          []string `json:"allow,omitempty"`           // ids of findings that are accepted, see SchemaFinding.ID
	Reason         string   `json:"reason,omitempty"`          // why; required with Allow
	Backup         string   `json:"backup,omitempty"`          // id; empty: the newest
	Lost           *int64   `json:"lost,omitempty"`            // restore: rows that will be lost, as told and typed back, see RestorePlan
	Plan           string   `json:"plan,omitempty"`            // restore: the plan that told it
	FreezeWrites   bool     `json:"freeze_writes,omitempty"`   // restore: refuse writes at the edge meanwhile
}

// SchemaVerdict says what a change of the schema means for a release that was
// made for the schema before.
type SchemaVerdict string

// From the worst to the best.
const (
	SchemaBlock SchemaVerdict = "block" // it breaks, or nobody can tell
	SchemaLock  SchemaVerdict = "lock"  // a large table is locked for long
	SchemaData  SchemaVerdict = "data"  // it breaks when new kinds of values appear: a rollback needs review
	SchemaWarn  SchemaVerdict = "warn"  // it works, with a difference worth knowing
	SchemaPass  SchemaVerdict = "pass"
)

// SchemaFinding is one change of the schema and what it means.
type SchemaFinding struct {
	Code    string        `json:"code"`   // kind of change, such as column_dropped
	Object  string        `json:"object"` // such as public.users.email
	Verdict SchemaVerdict `json:"verdict"`
	What    string        `json:"what"` // one sentence each
	Why     string        `json:"why,omitempty"`
	Remedy  string        `json:"remedy,omitempty"` // the safe way to do it

	// Allowed is why somebody has accepted it; empty: nobody has.
	Allowed string `json:"allowed,omitempty"`
}

// ID names the finding in a plan, so that accepting it accepts nothing else:
// the plan is a digest of the schemas before and after.
func (f SchemaFinding) ID(plan string) string { return f.Code + ":" + f.Object + "@" + plan }

// Stops reports whether the finding stands in the way until somebody accepts it.
func (f SchemaFinding) Stops() bool {
	return f.Allowed == "" && (f.Verdict == SchemaBlock || f.Verdict == SchemaLock)
}

// Fit says whether a release can live with the live schema.
type Fit struct {
	Release  string          `json:"release"`
	Checked  time.Time       `json:"checked"`
	Plan     string          `json:"plan"` // digest of what was compared
	Findings []SchemaFinding `json:"findings"`
	// Unknown is why nothing could be compared; empty: it was.
	Unknown string `json:"unknown,omitempty"`
}

// Verdict is the worst of the findings.
func (f Fit) Verdict() SchemaVerdict {
	if f.Unknown != "" {
		return SchemaBlock
	}
	rank := map[SchemaVerdict]int{SchemaPass: 0, SchemaWarn: 1, SchemaData: 2, SchemaLock: 3, SchemaBlock: 4}
	worst := SchemaPass
	for _, finding := range f.Findings {
		if finding.Allowed == "" && rank[finding.Verdict] > rank[worst] {
			worst = finding.Verdict
		}
	}
	return worst
}

// DatabaseStatus is what was last found of an app's database.
type DatabaseStatus struct {
	Name      string        `json:"name"`
	Server    string        `json:"server,omitempty"` // version
	OK        bool          `json:"ok"`               // it answers the app
	Since     *time.Time    `json:"since,omitempty"`  // it does, or does not
	CheckedAt *time.Time    `json:"checked_at"`
	Error     string        `json:"error,omitempty"`
	Drift     string        `json:"drift,omitempty"` // what was changed by hand since the last deploy; empty: nothing
	Fits      []Fit         `json:"fits"`            // of the releases on record, newest first
	Backup    *BackupStatus `json:"backup"`          // nil: none is made
}

// BackupStatus is how an app's backups stand.
type BackupStatus struct {
	Newest   string     `json:"newest,omitempty"` // id; empty: there is none
	At       *time.Time `json:"at,omitempty"`     // what it holds is of that moment
	Verified bool       `json:"verified"`         // it was restored and compared
	Next     *time.Time `json:"next,omitempty"`   // nightly one
	Late     bool       `json:"late"`             // the newest is older than it may be, or there should be one by now
	Error    string     `json:"error,omitempty"`  // of the last one, if it failed
}
