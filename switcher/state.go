package switcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	stateVersion = 1
	historyKept  = 200
	releasesKept = 5   // by a cleanup
	releasesTold = 100 // of which the state remembers what they left behind
)

// State is all that an app must not forget. What can be derived from it, such
// as the phase, is not in it. A State that has been published is never changed.
type State struct {
	Version     int             `json:"version"`
	App         string          `json:"app"`
	Generation  uint64          `json:"generation"`
	Active      Colour          `json:"active"`   // where production leads; empty before the first deploy
	Internal    Colour          `json:"internal"` // where internal leads
	Slots       map[Colour]Slot `json:"slots"`
	Bake        *Bake           `json:"bake,omitempty"`
	Operation   *Journal        `json:"operation,omitempty"`
	Maintenance *Maintenance    `json:"maintenance,omitempty"` // never changed, only replaced
	LastRelease uint64          `json:"last_release"`          // number in the newest release's id
	Releases    []Release       `json:"releases"`              // deployed and not yet pruned, oldest first
	History     []Record        `json:"history"`               // oldest first, bounded
}

// Slot is one slot's part of the State.
type Slot struct {
	State    SlotState `json:"state"`
	Release  *Release  `json:"release,omitempty"`
	Instance string    `json:"instance,omitempty"`
	Port     int       `json:"port,omitempty"`
}

// warm reports whether the slot's instance is meant to be running.
func (s Slot) warm() bool {
	return s.State == Active || s.State == Previous || s.State == Testing
}

// Bake is the watch over a release after a switch.
type Bake struct {
	Began    time.Time       `json:"began"`
	Until    time.Time       `json:"until"`
	Baseline json.RawMessage `json:"baseline,omitempty"` // see Judge
}

// Journal is the operation in progress, as far as a restart must know it.
type Journal struct {
	ID      string    `json:"id"`
	Kind    Kind      `json:"kind"`
	Actor   Actor     `json:"actor"`
	Reason  string    `json:"reason,omitempty"`
	Began   time.Time `json:"began"`
	Step    string    `json:"step"`
	Colour  Colour    `json:"colour,omitempty"`
	Release string    `json:"release,omitempty"`
	Commit  string    `json:"commit,omitempty"`
	Verdict *Verdict  `json:"verdict,omitempty"` // that it follows from

	Allowed *Allowance `json:"allowed,omitempty"` // nil: nothing was
}

func newState(app string) *State {
	return &State{
		Version: stateVersion, App: app,
		Slots: map[Colour]Slot{Blue: {State: Empty}, Green: {State: Empty}},
	}
}

func (s *State) clone() *State {
	c := *s
	c.Slots = maps.Clone(s.Slots)
	c.Releases = slices.Clone(s.Releases)
	c.History = slices.Clone(s.History)
	if s.Bake != nil {
		bake := *s.Bake
		c.Bake = &bake
	}
	if s.Operation != nil {
		journal := *s.Operation
		c.Operation = &journal
	}
	return &c
}

// inactive is the slot that the next deploy goes to.
func (s *State) inactive(first Colour) Colour {
	if s.Active == "" {
		return first
	}
	return s.Active.Other()
}

// attended reports whether an operation is under way, or was cut short, that
// decides itself what becomes of the releases.
func (s *State) attended() bool { return s.Operation != nil && !looks(s.Operation.Kind) }

// phase is the phase at rest.
func (s *State) phase() Phase {
	switch {
	case s.Active == "":
		return PhaseEmpty
	case s.Bake != nil:
		return PhaseBaking
	case s.Slots[s.Active.Other()].State == Testing:
		return PhaseTesting
	}
	return PhaseSteady
}

func (s *State) set(c Colour, change func(*Slot)) {
	slot := s.Slots[c]
	change(&slot)
	s.Slots[c] = slot
}

// empty forgets what slot c holds. Its instance, if one is left, is nobody's
// from here on, and every sweep removes it.
func (s *State) empty(c Colour) {
	s.Slots[c] = Slot{State: Empty}
	if s.Internal == c {
		s.Internal = s.Active
	}
}

func (s *State) record(r Record) {
	s.History = append(s.History, r)
	if n := len(s.History) - historyKept; n > 0 {
		s.History = slices.Delete(s.History, 0, n)
	}
}

// remember notes what a release leaves on this machine, for a later cleanup.
// Releases of the same image leave one thing behind, the newest one's.
func (s *State) remember(r Release) {
	s.Releases = slices.DeleteFunc(s.Releases, func(old Release) bool { return old.ImageID == r.ImageID })
	s.Releases = append(s.Releases, r)
	if n := len(s.Releases) - releasesTold; n > 0 {
		s.Releases = slices.Delete(s.Releases, 0, n)
	}
}

// check finds what no version of this program would have written.
func (s *State) check(app string) error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if s.Version < 1 {
		bad("no format version")
	}
	if s.App != app {
		bad("it belongs to app %q", s.App)
	}
	for c, slot := range s.Slots {
		if !c.Valid() {
			bad("unknown slot %q", c)
		}
		switch slot.State {
		case Empty:
		case Starting, Testing, Active, Previous, Failed:
			if slot.Release == nil || slot.Instance == "" || slot.Port < 1 || slot.Port > 65535 {
				bad("slot %s is %s but has no release, instance or port", c, slot.State)
			}
		default:
			bad("slot %s has unknown state %q", c, slot.State)
		}
	}
	for route, c := range map[RouteName]Colour{Production: s.Active, Internal: s.Internal} {
		if c != "" && !s.Slots[c].warm() {
			bad("%s leads to %q, which holds no running release", route, c)
		}
	}
	if s.Active != "" && s.Slots[s.Active].State != Active {
		bad("production leads to %s, which is %s", s.Active, s.Slots[s.Active].State)
	}
	return errors.Join(problems...)
}
