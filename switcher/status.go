package switcher

import (
	"cmp"
	"time"
)

// Status is everything an operator may want to know of an app at one moment.
type Status struct {
	App         string                    `json:"app"`
	Phase       Phase                     `json:"phase"`
	Active      Colour                    `json:"active"` // empty before the first deploy
	Inactive    Colour                    `json:"inactive"`
	Generation  uint64                    `json:"generation"` // grows with every change of state
	Routes      map[RouteName]RouteStatus `json:"routes"`
	Slots       map[Colour]SlotStatus     `json:"slots"`
	Rollback    RollbackStatus            `json:"rollback"`
	Bake        *BakeStatus               `json:"bake"`
	Drain       *DrainStatus              `json:"drain"`
	Operation   *OperationStatus          `json:"operation"`
	Pause       *PauseStatus              `json:"pause"`
	Maintenance *Maintenance              `json:"maintenance"`
	Database    *DatabaseStatus           `json:"database"`        // nil: the app has none
	Alert       string                    `json:"alert,omitempty"` // what needs a person now
	Error       string                    `json:"error,omitempty"` // why the app is out of service
}

// RouteStatus says where a route leads.
type RouteStatus struct {
	Hosts []string `json:"hosts"`
	Slot  Colour   `json:"slot"`
}

// SlotStatus describes one slot.
type SlotStatus struct {
	State    SlotState    `json:"state"`
	Release  *Release     `json:"release"`
	Instance string       `json:"instance,omitempty"`
	Running  *time.Time   `json:"running_since,omitempty"` // its instance runs since then; nil: it does not, or nobody knows
	Address  string       `json:"address"`
	Health   Health       `json:"health"`
	InFlight int64        `json:"in_flight"` // requests, without the upgraded ones
	Upgraded int64        `json:"upgraded"`  // WebSockets and event streams
	Usage    *UsageStatus `json:"usage"`     // of the instance; nil: not known
}

// HealthStatus is the verdict of the last probes.
type HealthStatus string

const (
	Unknown   HealthStatus = "unknown"
	Healthy   HealthStatus = "healthy"
	Unhealthy HealthStatus = "unhealthy"
)

// HealthStatuses lists all of them.
func HealthStatuses() []HealthStatus { return []HealthStatus{Healthy, Unhealthy, Unknown} }

// Health is what the probes of a slot last found.
type Health struct {
	Status    HealthStatus `json:"status"`
	Since     *time.Time   `json:"since,omitempty"` // it has this status
	CheckedAt *time.Time   `json:"checked_at"`
	LatencyMS float64      `json:"latency_ms"`
	Failures  int          `json:"consecutive_failures"`
	Error     string       `json:"error,omitempty"`      // of the last probe, if it failed
	FailedAt  *time.Time   `json:"failed_at,omitempty"`  // when a probe last failed
	LastError string       `json:"last_error,omitempty"` // and why
}

// HealthCheck is one probe of a slot.
type HealthCheck struct {
	Time      time.Time `json:"time"`
	OK        bool      `json:"ok"`
	LatencyMS float64   `json:"latency_ms"`
	Error     string    `json:"error,omitempty"`
}

// RollbackStatus says whether production could move back now.
type RollbackStatus struct {
	Ready  bool       `json:"ready"`
	Until  *time.Time `json:"until"`  // nil while ready means: until the next deploy or cleanup
	Reason string     `json:"reason"` // why not, or what ends it
}

// BakeStatus is the watch over a release after a switch.
type BakeStatus struct {
	Release string    `json:"release"`
	Began   time.Time `json:"began"`
	Until   time.Time `json:"until"`
	Since   time.Time `json:"since"`   // what the verdict is about: a restart of the edge begins it anew
	Verdict *Verdict  `json:"verdict"` // so far; nil: figures are not judged
}

// DrainStatus is a drain that goes on.
type DrainStatus struct {
	Slot     Colour    `json:"slot"`
	Began    time.Time `json:"began"`
	InFlight int64     `json:"in_flight"`
	Upgraded int64     `json:"upgraded"`
	Cut      int64     `json:"cut"`      // requests that were ended so far
	Closed   int64     `json:"closed"`   // long connections that were ended so far
	ToClose  int64     `json:"to_close"` // and that are still to be, once their time is up
	// When stragglers are ended; nil: not before their container stops. Long
	// connections are ended one by one from then on, the last at ClosedBy.
	RequestsUntil *time.Time `json:"requests_until"`
	UpgradedUntil *time.Time `json:"upgraded_until"`
	ClosedBy      *time.Time `json:"closed_by"`
}

// OperationStatus is the operation that runs now.
type OperationStatus struct {
	ID    string    `json:"id"`
	Kind  Kind      `json:"kind"`
	Actor Actor     `json:"actor"`
	Since time.Time `json:"since"`
	Step  string    `json:"step"`
}

// Plan is what a switch would do.
type Plan struct {
	From     Colour        `json:"from"`
	To       Colour        `json:"to"`
	Release  *Release      `json:"release"`
	Gates    []GateResult  `json:"gates"`
	InFlight int64         `json:"in_flight"` // on the slot that would lose production
	Upgraded int64         `json:"upgraded"`
	Drain    time.Duration `json:"drain"`    // longest wait for its upgraded connections, nanoseconds
	Bake     time.Duration `json:"bake"`     // nanoseconds
	Possible bool          `json:"possible"` // every gate passes
}

// GateResult is the answer of one gate.
type GateResult struct {
	Gate       string `json:"gate"`
	OK         bool   `json:"ok"`
	Text       string `json:"text"`
	Overridden bool   `json:"overridden,omitempty"` // by a forced switch

	Findings []SchemaFinding `json:"findings,omitempty"` // of the schema gate
	Plan     string          `json:"plan,omitempty"`     // that they are findings of, see SchemaFinding.ID
}

// Status returns what the app looks like now.
func (a *App) Status() Status {
	a.mu.Lock()
	op, d, alert, broken := a.op, cmp.Or(a.draining, a.emptying), cmp.Or(a.alert, a.unrepaired), a.broken
	var paused *PauseStatus
	if a.paused != nil {
		paused = a.paused.status()
	}
	a.mu.Unlock()
	s, settings := a.state.Load(), a.settings.Load()
	st := Status{
		App: a.name, Phase: s.phase(), Active: s.Active, Inactive: s.inactive(a.first), Generation: s.Generation,
		Routes: map[RouteName]RouteStatus{
			Production: {Hosts: settings.Hosts[Production], Slot: s.Active},
			Internal:   {Hosts: settings.Hosts[Internal], Slot: s.Internal},
		},
		Slots:       map[Colour]SlotStatus{},
		Rollback:    a.rollbackStatus(s),
		Alert:       alert,
		Pause:       paused,
		Maintenance: s.Maintenance,
	}
	for _, c := range Colours() {
		st.Slots[c] = a.slotStatus(c, s.Slots[c], settings)
	}
	if s.Bake != nil {
		st.Bake = a.bakeStatus(s)
	}
	if op != nil {
		st.Operation = op.status()
		if phase := op.Kind.Phase(); phase != "" {
			st.Phase = phase
		}
	}
	if d != nil {
		st.Drain = a.drainStatus(d)
	}
	if settings.Database != nil {
		found := settings.Database.Status()
		st.Database = &found
	}
	if broken != nil {
		st.Error = broken.Error()
	}
	return st
}

func (a *App) slotStatus(c Colour, slot Slot, settings *Settings) SlotStatus {
	port := slot.Port
	if port == 0 {
		port = settings.Ports[c]
	}
	st := SlotStatus{
		State: slot.State, Release: slot.Release, Instance: slot.Instance,
		Address: address(port), Health: Health{Status: Unknown},
	}
	if slot.warm() || slot.State == Starting {
		st.Usage = a.usage.of(slot.Instance)
		t := a.tracker(c)
		st.Health, st.Running = t.read(), t.runs()
	}
	if b := a.backend(c); b != nil {
		st.InFlight, st.Upgraded = b.InFlight(), b.Upgraded()
	}
	return st
}

func (a *App) drainStatus(d *drain) *DrainStatus {
	soFar := d.wait.Result()
	st := &DrainStatus{Slot: d.colour, Began: d.began, Cut: soFar.Requests, Closed: soFar.Upgraded, ToClose: soFar.Left}
	if b := a.backend(d.colour); b != nil {
		st.InFlight, st.Upgraded = b.InFlight(), b.Upgraded()
	}
	if d.limits.Requests > 0 {
		t := d.began.Add(d.limits.Requests)
		st.RequestsUntil = &t
	}
	if d.limits.Upgraded > 0 {
		t := d.began.Add(d.limits.Upgraded)
		closed := t.Add(d.limits.Spread)
		st.UpgradedUntil, st.ClosedBy = &t, &closed
	}
	return st
}
