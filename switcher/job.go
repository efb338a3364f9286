package switcher

import "context"

// Jobs runs one-off commands of releases beside the slots. A Runtime is one.
type Jobs interface {
	// Once runs a job to its end and returns its exit code; take is told each
	// line that it writes. The job gets what an instance of the app gets
	// (environment, volumes, networks, user) but no port, and is never restarted.
	// A job of that id which exists already is not run again: Once attaches to it,
	// tells its lines from the first on, and waits for it. When ctx ends the job
	// goes on; Remove ends it. One that has ended is removed with its output once
	// both were told. An end of which nobody can tell the exit code is an error,
	// never a 0.
	Once(ctx context.Context, job Job, take func(Line)) (exitCode int, err error)

	// Jobs returns the ids of the app's jobs that exist, also of ended ones whose
	// end nobody has waited for. List does not tell them.
	Jobs(ctx context.Context) ([]string, error)

	// Remove ends a job, gently first, and removes it. An unknown one is no error.
	Remove(ctx context.Context, id string) error
}

// Job is a command of a release that runs once.
type Job struct {
	ID          string
	Release     Release
	Command     []string          // in place of the instance's; empty: attach to one that exists, or fail
	Environment map[string]string // in addition to the instance's, over which it wins
}
