package switcher

import "context"

// Runtime runs the instances of one app. Implementations MUST be safe for
// concurrent use, MUST return when ctx ends, and MUST NOT touch an instance
// that does not carry this app's mark: a foreign one is an *Error with
// CodeRefused.
//
// Everything is keyed by the instance id, which the switcher chooses and
// records before Start, so that after a crash no instance is without an owner.
// Jobs have ids of the same kind, and no job is an instance: of the methods here
// only Remove knows them.
type Runtime interface {
	Jobs

	// Fetch makes what image names present on this machine, by pulling it or
	// by using what is there, and reports progress as it goes. The returned
	// artifact's ID is what Start starts.
	Fetch(ctx context.Context, image string, report func(Progress)) (Artifact, error)

	// Check reports what Start would refuse, without changing anything: a
	// foreign instance under the slot's name, a foreign process on its port.
	// What the app's own instances hold is not an obstacle.
	Check(ctx context.Context, spec Spec) error

	// Start brings the instance up, publishing it on 127.0.0.1:spec.Port. An
	// existing instance of that id is started again, a running one is left
	// alone. It returns once the instance runs, not when it is healthy.
	// On failure nothing that this call has created is left behind; an instance
	// that existed stays, stopped, with its output.
	Start(ctx context.Context, spec Spec) error

	// Keep marks an instance that has become healthy as one to be restarted
	// when it dies; until then a dying instance stays down.
	Keep(ctx context.Context, instance string) error

	// Stop ends the instance, gently first, and keeps its output. A stopped
	// or unknown instance is no error.
	Stop(ctx context.Context, instance string) error

	// Remove stops the instance if it still runs and removes it with its
	// output. An unknown instance is no error.
	Remove(ctx context.Context, instance string) error

	// List returns all instances of the app, stopped ones too.
	List(ctx context.Context) ([]Instance, error)

	// Wait blocks until the instance does not run and returns its exit code.
	// An unknown instance is an error.
	Wait(ctx context.Context, instance string) (exitCode int, err error)

	// Tail returns the last n lines that the instance wrote, oldest first.
	Tail(ctx context.Context, instance string, n int) ([]string, error)

	// Follow passes on what the instance writes, from after on, none of it left
	// out or told twice, and goes on over restarts of the instance and of what
	// runs it. It returns nil when the instance does not run and all of its
	// output was passed on, and what take returns when that is an error. The
	// lines are take's only until it returns.
	Follow(ctx context.Context, instance string, after Cursor, take func([]Line) error) error

	// Watch tells what happens to the app's instances, at once and in order,
	// until ctx ends, which is no error. It begins by telling what runs as
	// started. An engine that goes away and comes back does not end it: what
	// happened meanwhile is told then, and nothing twice. tell must not block.
	Watch(ctx context.Context, tell func(Incident)) error

	// Usage returns what a running instance uses. One that does not run is an
	// error.
	Usage(ctx context.Context, instance string) (Usage, error)

	// Prune removes artifacts of this app whose id is in drop. One that
	// something still uses is left.
	Prune(ctx context.Context, drop []string) error
}

// Spec says which release to run, where, under which instance id.
type Spec struct {
	Instance string
	Colour   Colour
	Release  Release
	Port     int // on 127.0.0.1
}

// Artifact is what Fetch found.
type Artifact struct {
	ID     string // content address on this machine
	Digest string // registry digest; empty when there is none
}

// Instance is what a runtime knows of one of the app's instances. What it was
// started from is needed only when the recorded state was lost.
type Instance struct {
	ID       string
	Colour   Colour
	Release  string // id of its release
	Running  bool
	ExitCode int // of an instance that does not run

	Commit, Image, ImageID string // of its release
	Port                   int    // of a running instance, on 127.0.0.1
}

// Progress is a step of long work. Total is 0 when it is not known.
type Progress struct {
	Text  string `json:"text,omitempty"`
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`

	Drain *DrainStatus `json:"drain,omitempty"` // what a drain still waits for
}
