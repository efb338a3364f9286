package metrics

import "time"

// State is what is so at one moment, of an edge; it is asked for when somebody
// reads.
type State struct {
	Apps         []App
	Certificates []Certificate
	Disks        map[string]float64 // how full, 0 to 1, by what is kept on it
}

// App is the state of one app.
type App struct {
	Name        string
	Up          bool // in service
	Attention   bool // something waits for a person
	Phase       string
	Routes      map[string]string // colour by name of the route; empty: none
	Slots       map[string]Slot   // by colour
	Rollback    bool              // possible at once
	BakeEnd     time.Time         // zero: no bake
	Verdict     string            // of the bake, one of Options.Verdicts; empty: there is none
	Paused      bool
	Maintenance bool
	Drain       *Drain
	Database    *Database        // nil: the app has none
	LinesLost   map[string]int64 // since the edge was started, by file
}

// Database is the state of an app's database.
type Database struct {
	Up     bool      // it answers
	Backup time.Time // what the newest backup holds is of that moment; zero: there is none
}

// Slot is the state of one slot.
type Slot struct {
	State    string
	Release  *Release
	InFlight int64
	Upgraded int64

	Health   string // one of Options.Healths; empty: nothing runs
	Latency  time.Duration
	Failures int

	Usage *Usage // nil: not known
}

// Release is what a slot holds.
type Release struct{ ID, Commit, Image string }

// Usage is what the instance in a slot uses.
type Usage struct {
	CPU         time.Duration
	Memory      int64 // bytes
	MemoryLimit int64 // bytes; 0: none
	Restarts    int64
}

// Drain is a drain that goes on.
type Drain struct {
	Colour                   string
	InFlight, Upgraded       int64
	CutRequests, CutUpgraded int64 // so far
}

// Certificate is what a host shows.
type Certificate struct {
	Host     string
	NotAfter time.Time // zero: there is none
	OK       bool
}

// Ended counts an operation that has ended. Its name is one of
// Options.Operations.
func (m *Metrics) Ended(app, operation string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended[endKey{app, operation, resultOf(ok)}]++
}

type endKey struct{ app, operation, result string }

func resultOf(ok bool) string {
	if ok {
		return "ok"
	}
	return "failed"
}
