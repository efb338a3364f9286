package switcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Discard gives up a release that failed its tests, or a failed one: internal
// goes back to the active slot and the container is removed. A deploy that is
// running is aborted.
func (a *App) Discard(actor Actor) (*Operation, error) {
	aborted, told := a.abortDeploy()
	allow := func(s *State) (Journal, error) {
		c := s.inactive(a.first)
		slot := s.Slots[c]
		switch {
		case aborted:
			return Journal{Colour: c}, nil
		case slot.State == Testing, slot.State == Failed, slot.State == Starting:
			return Journal{Colour: c, Release: slot.Release.ID, Commit: slot.Release.Commit}, nil
		case slot.State == Previous:
			return Journal{}, refuse("`bluegreen cleanup` removes it; until then it is the way back",
				"%s holds the previous release, not one in test", c)
		}
		return Journal{}, refuse("`bluegreen status` shows the slots", "there is nothing to discard: %s is %s", c, slot.State)
	}
	return a.start(KindDiscard, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		if aborted {
			return told, nil
		}
		return a.remove(ctx, op, "discarded")
	})
}

// abortDeploy ends a deploy that is running, waits until it has cleared up
// after itself, and reports whether it did end it, and what the deploy has left.
func (a *App) abortDeploy() (aborted bool, told string) {
	a.mu.Lock()
	op := a.op
	a.mu.Unlock()
	if op == nil || op.Kind != KindDeploy {
		return false, ""
	}
	op.cancel(ErrDiscarded)
	<-op.ended
	err := op.Wait(context.Background())
	told = "the running deploy was aborted"
	if err != nil && err.Error() != ErrDiscarded.Error() {
		told += ": " + strings.TrimSuffix(err.Error(), ": "+ErrDiscarded.Error())
	}
	return errors.Is(err, ErrDiscarded), told
}

// Cleanup drains and removes the inactive container, and prunes this app's
// releases beyond the newest five.
func (a *App) Cleanup(actor Actor) (*Operation, error) {
	allow := func(s *State) (Journal, error) {
		c := s.inactive(a.first)
		slot := s.Slots[c]
		switch {
		case s.Bake != nil:
			return Journal{}, refuse("`bluegreen confirm` ends the bake, `bluegreen rollback` goes back",
				"the last switch is still baking: cleanup would take away the way back")
		case slot.State == Testing:
			return Journal{}, refuse("`bluegreen switch` makes it live, `bluegreen discard` gives it up",
				"%s holds a release in test", c)
		}
		about := Journal{Colour: c}
		if slot.Release != nil {
			about.Release, about.Commit = slot.Release.ID, slot.Release.Commit
		}
		return about, nil
	}
	return a.start(KindCleanup, actor, allow, func(ctx context.Context, op *Operation) (string, error) {
		text, err := a.remove(ctx, op, "removed")
		if err != nil {
			return "", err
		}
		return text, a.prune(ctx, op)
	})
}

// remove empties the inactive slot as the body of an operation.
func (a *App) remove(ctx context.Context, op *Operation, verb string) (string, error) {
	c := op.about.Colour
	slot := a.state.Load().Slots[c]
	if slot.State == Empty {
		return fmt.Sprintf("%s is empty already", c), nil
	}
	if err := a.step(op, "begin", func(s *State) { s.Operation = op.journal() }); err != nil {
		return "", err
	}
	told := op.enter("remove")
	if err := a.vacate(ctx, op, c, "remove"); err != nil {
		return "", err
	}
	told("%s is drained, its container is gone", c)
	return fmt.Sprintf("%s is %s, %s is empty", describe(slot.Release), verb, c), nil
}

// prune removes what releases beyond the newest five left on this machine,
// unless a slot still holds one.
func (a *App) prune(ctx context.Context, op *Operation) error {
	s := a.state.Load()
	kept := map[string]bool{}
	for _, slot := range s.Slots {
		if slot.Release != nil {
			kept[slot.Release.ImageID] = true
		}
	}
	for _, r := range s.Releases[max(0, len(s.Releases)-releasesKept):] {
		kept[r.ImageID] = true
	}
	var drop []string
	for _, r := range s.Releases {
		if !kept[r.ImageID] && !slices.Contains(drop, r.ImageID) {
			drop = append(drop, r.ImageID)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	told := op.enter("prune")
	if err := a.settings.Load().Runtime.Prune(ctx, drop); err != nil {
		return err
	}
	err := a.step(op, "prune", func(s *State) {
		s.Releases = slices.DeleteFunc(s.Releases, func(r Release) bool { return !kept[r.ImageID] })
	})
	told("%s beyond the newest %d pruned", count(int64(len(drop)), "release"), releasesKept)
	return err
}
