package switcher

import "time"

// NoticeKind says what a Notice is about.
type NoticeKind string

// Troubles last until a Notice of the same Key says that they are Over. After
// a restart of the edge that may be said of troubles that there were not: an
// earlier process may have told them.
const (
	NoticeUnhealthy   NoticeKind = "unhealthy"   // a slot fails its health checks
	NoticeDied        NoticeKind = "died"        // an instance has died, or keeps dying
	NoticeCertificate NoticeKind = "certificate" // of the host in Subject: expiring, or not renewed
	NoticeDisk        NoticeKind = "disk"        // the one that holds Subject is nearly full
	NoticeLogs        NoticeKind = "logs"        // the file in Subject cannot be written
	NoticeErrorRate   NoticeKind = "error_rate"  // production fails too often
	NoticeDatabase    NoticeKind = "database"    // does not answer
	NoticeSchema      NoticeKind = "schema"      // was changed by hand, or the release in a slot cannot live with it
	NoticeBackup      NoticeKind = "backup"      // of the database: none is made, or the newest is too old
	NoticeStuck       NoticeKind = "stuck"       // something needs a person, as Status.Alert says
)

// Events are told once.
const (
	NoticeReady        NoticeKind = "ready"         // a release is ready for tests, at the URL in Subject
	NoticeDeployFailed NoticeKind = "deploy_failed" // production was not touched
	NoticeSwitched     NoticeKind = "switched"      // production leads to a new release
	NoticeRolledBack   NoticeKind = "rolled_back"   // production leads to the previous release again
	NoticeVerdict      NoticeKind = "verdict"       // a bake has ended otherwise than by a rollback
)

// Lasting reports whether a notice of this kind tells a trouble that lasts
// until it is told to be over.
func (k NoticeKind) Lasting() bool {
	switch k {
	case NoticeUnhealthy, NoticeDied, NoticeCertificate, NoticeDisk, NoticeLogs, NoticeErrorRate, NoticeStuck,
		NoticeDatabase, NoticeSchema, NoticeBackup:
		return true
	}
	return false
}

// Notice is something that the team should hear of. What to do about it
// follows from its kind.
type Notice struct {
	Kind    NoticeKind `json:"kind"`
	Time    time.Time  `json:"time"`
	App     string     `json:"app,omitempty"`     // empty: the edge itself
	Colour  Colour     `json:"colour,omitempty"`  // of the slot; empty: none in particular
	Release *Release   `json:"release,omitempty"` // in that slot
	Subject string     `json:"subject,omitempty"` // what else it is about: a host, a folder, a file
	Actor   Actor      `json:"actor,omitempty"`   // who did it
	Cause   string     `json:"cause,omitempty"`   // why, in one sentence
	Verdict *Verdict   `json:"verdict,omitempty"` // the figures that decided it
	Over    bool       `json:"over,omitempty"`    // the trouble has ended, if it was told at all

	Operation string   `json:"operation,omitempty"` // id of the one that an event is about
	Previous  *Release `json:"previous,omitempty"`  // that production has moved away from
	Output    []string `json:"output,omitempty"`    // last lines of an instance that died
}

// NoticeKey tells which notices are about the same trouble.
type NoticeKey struct {
	Kind    NoticeKind
	App     string
	Colour  Colour
	Subject string
}

// Key returns what the notice has in common with all others about the same.
func (n Notice) Key() NoticeKey { return NoticeKey{n.Kind, n.App, n.Colour, n.Subject} }
