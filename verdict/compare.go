package verdict

import (
	"fmt"
	"math"

	"sofiacall.com/bluegreen/switcher"
)

// Difference says whether two releases differ by more than chance.
type Difference struct {
	Measure string  // error_rate or duration
	Enough  bool    // there is enough data to tell
	Chance  float64 // of such a difference between equal releases: the p-value, two-sided
	Text    string  // the same in a sentence
}

// Compare says how the traffic of the release in the active slot differs from
// that of the one in the other slot, by one test each of errors and durations.
// Unlike a Watch it is meant for one look.
func Compare(active switcher.Colour, is, was Traffic) []Difference {
	failing := Difference{Measure: "error_rate", Chance: 1}
	slower := Difference{Measure: "duration", Chance: 1}
	if min(is.Requests, was.Requests) < blockRequests {
		failing.Text = fmt.Sprintf("not enough data: %d and %d requests of production, each needs %d", is.Requests, was.Requests, blockRequests)
		slower.Text = failing.Text
		return []Difference{failing, slower}
	}
	failing.Enough, slower.Enough = true, true
	failing.Chance = proportions(is.Errors, is.Requests, was.Errors, was.Requests)
	failing.Text = fmt.Sprintf("%s fails %s: %s", active,
		howOften(rate(is.Errors, is.Requests), rate(was.Errors, was.Requests)), inWords(failing.Chance))

	longer, chance := ranks(is.Duration, was.Duration)
	slower.Chance = min(1, 2*min(chance, 1-chance))
	slower.Text = fmt.Sprintf("a request takes longer on %s than on %s in %.0f of 100 cases: %s",
		active, active.Other(), 100*longer, inWords(slower.Chance))
	return []Difference{failing, slower}
}

func howOften(is, was float64) string {
	switch {
	case is > was:
		return "more often"
	case is < was:
		return "less often"
	}
	return "as often"
}

// inWords says what a p-value means.
func inWords(chance float64) string {
	switch {
	case chance < 0.0001:
		return "more than chance (less than 1 in 10,000)"
	case chance < 0.01:
		return fmt.Sprintf("more than chance (1 in %.0f)", math.Round(1/chance))
	case chance < 0.05:
		return fmt.Sprintf("probably more than chance (1 in %.0f)", math.Round(1/chance))
	}
	return "may be chance"
}
