package main

import (
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/verdict"
)

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
		for _, d := range verdict.Compare(st.Active, trafficOf(production[st.Active]), trafficOf(production[st.Active.Other()])) {
			c.Differences = append(c.Differences, admin.Difference(d))
		}
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
