package switcher

import (
	"context"
	"slices"
)

// SchemaCheck says what the live schema is to the releases of an app.
type SchemaCheck struct {
	Database DatabaseStatus `json:"database"`
	Releases []ReleaseFit   `json:"releases"` // newest first
}

// ReleaseFit says whether a release on record can live with the live schema.
type ReleaseFit struct {
	Release *Release  `json:"release"`
	Slot    Colour    `json:"slot,omitempty"`  // empty: it is in none, and would have to be deployed again
	State   SlotState `json:"state,omitempty"` // of the slot
	Fit     Fit       `json:"fit"`
}

// Stops reports whether production leads, or could be pointed, to a release that
// cannot live with the live schema.
func (c SchemaCheck) Stops() bool {
	return slices.ContainsFunc(c.Releases, ReleaseFit.Stops)
}

// Stops reports whether the release runs, or is kept to run again, and cannot
// live with the live schema.
func (r ReleaseFit) Stops() bool {
	return (r.State == Active || r.State == Testing || r.State == Previous) && len(r.Fit.Stopping()) > 0
}

// CheckDatabase compares what each release on record needs with the live schema
// now. It changes nothing.
func (a *App) CheckDatabase(ctx context.Context) (SchemaCheck, error) {
	db := a.settings.Load().Database
	if db == nil {
		return SchemaCheck{}, NoDatabase()
	}
	if err := a.outOfService(); err != nil {
		return SchemaCheck{}, err
	}
	check := SchemaCheck{Releases: a.state.Load().onRecord()}
	for i := range check.Releases {
		fit, err := db.Fit(ctx, check.Releases[i].Release.ID)
		if err != nil {
			return SchemaCheck{}, err
		}
		check.Releases[i].Fit = fit
	}
	check.Database = db.Status()
	return check, nil
}

// onRecord lists the releases that are in a slot or were deployed before,
// newest first.
func (s *State) onRecord() []ReleaseFit {
	list := []ReleaseFit{}
	seen := map[string]bool{}
	add := func(r ReleaseFit) {
		if r.Release != nil && !seen[r.Release.ID] {
			seen[r.Release.ID] = true
			list = append(list, r)
		}
	}
	for _, c := range Colours() {
		slot := s.Slots[c]
		add(ReleaseFit{Release: slot.Release, Slot: c, State: slot.State})
	}
	for i := range s.Releases {
		add(ReleaseFit{Release: &s.Releases[i]})
	}
	slices.SortStableFunc(list, func(a, b ReleaseFit) int { return b.Release.DeployedAt.Compare(a.Release.DeployedAt) })
	return list
}
