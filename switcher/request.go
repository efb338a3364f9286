package switcher

import "time"

// Actor is who asked for an operation: "maria@host" over the socket, the
// name of a token over TCP, "bluegreen" for the edge itself.
type Actor string

// Self is the actor of what the edge does unasked.
const Self Actor = "bluegreen"

// DeployRequest asks for a release. Image is the full reference.
type DeployRequest struct {
	Image  string `json:"image,omitempty"`
	Commit string `json:"commit,omitempty"`

	SkipMigrations bool     `json:"skip_migrations,omitempty"` // leave the database as it is
	Allow          []string `json:"allow,omitempty"`           // ids of findings that are accepted, see SchemaFinding.ID
	Reason         string   `json:"reason,omitempty"`          // why; required with Allow

	// ForTests refuses the first release of an app, which would be active at
	// once. It is the caller's permission that sets it, never the caller.
	ForTests bool `json:"-"`
}

// SwitchRequest asks for production to move to the release in test.
type SwitchRequest struct {
	ExpectActive  Colour         `json:"expect_active,omitempty"`  // refused when another slot is active
	ExpectRelease string         `json:"expect_release,omitempty"` // refused when another release (id or commit) is in test
	Bake          *time.Duration `json:"bake,omitempty"`           // nil: as configured
	Force         string         `json:"force,omitempty"`          // reason for overriding the health and hook gates
	Allow         []string       `json:"allow,omitempty"`          // ids of findings of the schema gate that are accepted
	Reason        string         `json:"reason,omitempty"`         // why; required with Allow
}

// RollbackRequest asks for production to move back.
type RollbackRequest struct {
	Reason string   `json:"reason,omitempty"` // required with Allow
	Allow  []string `json:"allow,omitempty"`  // ids of findings against the previous release that are accepted
}

// DrainRequest asks to wait until a slot has nothing in flight. An empty
// colour is the inactive slot.
type DrainRequest struct {
	Colour Colour `json:"colour,omitempty"`
}
