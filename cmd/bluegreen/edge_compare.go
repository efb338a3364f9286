package main

import (
	"fmt"
	"math"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/verdict"
)

// comparable is how many requests each release must have had for a difference
// to be judged.
const comparable = 100

// compare puts what was counted of both slots side by side.
func (e *edge) compare(app *switcher.App, span time.Duration) (admin.Comparison, error) {
	return compared(e.metrics, app.Status(), span, time.Now())
}

func compared(m *metrics.Metrics, st switcher.Status, span time.Duration, now time.Time) (admin.Comparison, error) {
	if st.Active == "" {
		return admin.Comparison{}, &switcher.Error{Code: switcher.CodeRefused, What: "nothing has been deployed yet: there is nothing to compare",
			Hint: "`bluegreen deploy COMMIT` brings the first release"}
	}
	c := admin.Comparison{
		App: st.App, Span: span.Seconds(), Active: st.Active, Slots: map[switcher.Colour]admin.ComparedSlot{}, Differences: []admin.Difference{},
	}
	production := map[switcher.Colour]metrics.Figures{}
	for _, colour := range switcher.Colours() {
		slot := st.Slots[colour]
		half := admin.ComparedSlot{State: slot.State, Release: slot.Release, Usage: slot.Usage}
		if slot.Release != nil {
			figures := func(route switcher.RouteName, until time.Time, span time.Duration) metrics.Figures {
				return m.Figures(st.App, string(route), string(colour), slot.Release.ID, until.Add(-span), until)
			}
			until := now
			if colour != st.Active { // production led to it until the last switch
				if last := figures(switcher.Production, now, admin.MaxCompared).Last; !last.IsZero() {
					until = last
				}
			}
			production[colour] = figures(switcher.Production, until, span)
			half.Production = trafficOn(production[colour])
			half.Internal = trafficOn(figures(switcher.Internal, now, span))
		}
		c.Slots[colour] = half
	}
	if c.Slots[st.Active.Other()].Release != nil {
		c.Differences = differences(st.Active, production[st.Active], production[st.Active.Other()])
	}
	return c, nil
}

// trafficOn is nil when there was none. A release may not have had the route for
// as long as was asked for.
func trafficOn(f metrics.Figures) *admin.ComparedTraffic {
	if f.Requests == 0 {
		return nil
	}
	from := f.From
	if f.First.After(from) {
		from = f.First
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &admin.ComparedTraffic{
		From: from, To: f.To, Requests: f.Requests, PerSecond: float64(f.Requests) / f.To.Sub(from).Seconds(),
		Errors: f.Errors, ErrorRate: float64(f.Errors) / float64(f.Requests),
		P50MS: ms(f.Duration.Quantile(0.5)), P90MS: ms(f.Duration.Quantile(0.9)), P99MS: ms(f.Duration.Quantile(0.99)),
		FirstByteMS: ms(f.FirstByte.Quantile(0.5)),
	}
}

// differences says of the active slot's production how it differs from the
// other's, and whether by more than chance.
func differences(active switcher.Colour, is, was metrics.Figures) []admin.Difference {
	failing := admin.Difference{Measure: "error_rate", Chance: 1}
	slower := admin.Difference{Measure: "duration", Chance: 1}
	if n := min(is.Requests, was.Requests); n < comparable {
		text := fmt.Sprintf("not enough data: %d and %d requests of production, each needs %d", is.Requests, was.Requests, comparable)
		failing.Text, slower.Text = text, text
		return []admin.Difference{failing, slower}
	}
	failing.Enough, slower.Enough = true, true
	failing.Chance = verdict.Proportions(is.Errors, is.Requests, was.Errors, was.Requests)
	failing.Text = fmt.Sprintf("%s fails %s: %s", active, comparative(rateOf(is), rateOf(was), "more often", "less often", "as often"), inWords(failing.Chance))

	longer, chance := verdict.Ranks(bucketsOf(is.Duration), bucketsOf(was.Duration))
	slower.Chance = min(1, 2*min(chance, 1-chance))
	slower.Text = fmt.Sprintf("a request takes longer on %s than on %s in %.0f of 100 cases: %s", active, active.Other(), 100*longer, inWords(slower.Chance))
	return []admin.Difference{failing, slower}
}

func rateOf(f metrics.Figures) float64 { return float64(f.Errors) / float64(f.Requests) }

func comparative(is, was float64, more, less, same string) string {
	switch {
	case is > was:
		return more
	case is < was:
		return less
	}
	return same
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
