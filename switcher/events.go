package switcher

import "time"

// Event is one line of an operation as it happens. The last event of an
// operation has a Result.
type Event struct {
	Time      time.Time     `json:"time"`
	Operation string        `json:"operation"`
	Step      string        `json:"step,omitempty"`     // name of the step it belongs to
	Text      string        `json:"text,omitempty"`     // a finished line
	Took      time.Duration `json:"took,omitempty"`     // nanoseconds, of a finished step
	Warning   bool          `json:"warning,omitempty"`  // something an operator should look at
	Progress  *Progress     `json:"progress,omitempty"` // of a step that is still going on
	Result    *Result       `json:"result,omitempty"`
}

// Result is how an operation ended.
type Result struct {
	OK     bool     `json:"ok"`
	Code   Code     `json:"code,omitempty"`
	Text   string   `json:"text"`
	Hint   string   `json:"hint,omitempty"`
	Output []string `json:"output,omitempty"`

	Findings []SchemaFinding `json:"findings,omitempty"` // of a schema, that speak against it
	Plan     string          `json:"plan,omitempty"`     // see SchemaFinding.ID

	Availability *Availability `json:"availability,omitempty"` // of production, while it was moved
}

// Record is one line of an app's history.
type Record struct {
	ID      string        `json:"id"` // of the operation
	Kind    Kind          `json:"kind"`
	Actor   Actor         `json:"actor"`
	Reason  string        `json:"reason,omitempty"`
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"took"` // nanoseconds
	Colour  Colour        `json:"colour,omitempty"`
	Release string        `json:"release,omitempty"`
	Commit  string        `json:"commit,omitempty"`
	OK      bool          `json:"ok"`
	Result  string        `json:"result"` // one sentence

	Availability *Availability `json:"availability,omitempty"` // of production, while it was moved
	Allowed      *Allowance    `json:"allowed,omitempty"`      // by Actor; nil: nothing was
}

// Allowance is what somebody has accepted of what speaks against a schema. It
// is never changed.
type Allowance struct {
	Findings []string `json:"findings"` // see SchemaFinding.ID
	Reason   string   `json:"reason"`
}
