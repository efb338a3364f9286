package switcher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// adopt takes over what runs of this app although nothing is recorded of it,
// because the state directory is new or was lost. The slot that was named as
// the first active one, or the only one that runs, becomes active; another one
// is a release in test, for nothing says that it was ever live. Of two
// instances with nothing to tell them apart none is touched.
func (a *App) adopt(op *Operation, instances []Instance) (adopted int, err error) {
	found := map[Colour]Instance{}
	for _, i := range instances {
		if i.Running && i.Colour.Valid() && i.Port > 0 && !a.state.Load().began(i) {
			found[i.Colour] = i
		}
	}
	active, err := a.adoptable(found)
	if active == "" || err != nil {
		return 0, err
	}
	told := op.enter("adopt")
	err = a.step(op, "adopt", func(s *State) {
		for c, i := range found {
			release := Release{
				ID: i.Release, Commit: i.Commit, Image: i.Image, ImageID: i.ImageID,
				DeployedAt: op.Began, DeployedBy: string(op.Actor),
			}
			s.Slots[c] = Slot{State: Testing, Release: &release, Instance: i.ID, Port: i.Port}
			s.remember(release)
			s.LastRelease = max(s.LastRelease, number(i.Release))
			s.Internal = c
		}
		s.set(active, func(slot *Slot) { slot.State = Active })
		s.Active = active
		if len(found) > 1 {
			s.Internal = active.Other()
		}
	})
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	for c, i := range found {
		a.backends[c] = a.newBackend(i.Port)
	}
	a.mu.Unlock()
	a.repoint(Production, Internal)
	told("nothing was recorded; %s taken over by their marks, %s is active", count(int64(len(found)), "running container"), active)
	return len(found), nil
}

// adoptable picks the active one of the instances that run.
func (a *App) adoptable(found map[Colour]Instance) (Colour, error) {
	_, named := found[a.named]
	switch {
	case len(found) == 0:
		return "", nil
	case named:
		return a.named, nil
	case len(found) == 1:
		for c := range found {
			return c, nil
		}
	}
	a.setAlert("%s runs on both slots and nothing is recorded: which one is active?", a.name)
	return "", &Error{Code: CodeRefused,
		What: fmt.Sprintf("%s runs on both slots and nothing is recorded: which one is active?", a.name),
		Hint: "set BLUE_GREEN_ACTIVE to blue or green for the edge and restart it; nothing is touched until then"}
}

// unrecorded reports whether no release was ever recorded of the app. Attempts
// to deploy one may have been.
func (a *App) unrecorded() bool {
	s := a.state.Load()
	return s.Active == "" && s.Operation == nil && len(s.Releases) == 0 &&
		s.Slots[Blue].State == Empty && s.Slots[Green].State == Empty
}

// began reports whether an operation of the history made the instance, whose
// id ends with the beginning of the operation's.
func (s *State) began(i Instance) bool {
	return slices.ContainsFunc(s.History, func(r Record) bool {
		return len(r.ID) >= 6 && strings.HasSuffix(i.ID, "-"+r.ID[:6])
	})
}

// number is the counter in a release id, 0 for an id that is not ours.
func number(release string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(release, "r"), 10, 64)
	return n
}
