package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Charts are drawn in a box of this size, which the page stretches.
const (
	chartWidth  = 600.0
	chartHeight = 120.0
)

// reach is how far back the charts go, and how finely.
type reach struct {
	Name string // as it is asked for
	URL  string
	Here bool
	For  time.Duration
	step time.Duration
}

func reaches() []reach {
	return []reach{
		{Name: "5m", For: 5 * time.Minute, step: 5 * time.Second},
		{Name: "15m", For: 15 * time.Minute, step: 20 * time.Second},
		{Name: "1h", For: time.Hour, step: time.Minute},
	}
}

// reachOf finds what was asked for; anything else is the first.
func reachOf(name string) reach {
	for _, r := range reaches() {
		if r.Name == name {
			return r
		}
	}
	return reaches()[0]
}

// chart is one figure of both colours over time.
type chart struct {
	ID     string
	Title  string
	Scale  []string // from the top down, evenly
	Grid   string   // a line for each
	Lines  []line
	Marks  []mark
	Legend []entry
	Says   string // what it shows, for who does not see it
	From   string // where the time begins
}

// line is the course of one figure.
type line struct {
	Colour switcher.Colour
	Minor  bool // drawn thinner
	Path   string
	Area   string // below the line; empty: nothing is
}

// mark is a moment at which production moved.
type mark struct {
	X  float64
	To switcher.Colour
}

// entry tells which line is whose, and its newest value.
type entry struct {
	Colour switcher.Colour
	Minor  bool
	Name   string
	Value  string
}

// course is one line's figures: a value for each step, NaN where there is none.
type course struct {
	colour switcher.Colour
	minor  bool
	name   string
	at     []time.Time
	values []float64
}

// scale puts values between 0 and 1.
type scale struct {
	place func(v float64) float64
	marks []float64 // from the top down, evenly
	fills bool      // the area below a line means something
}

// linear begins at 0 and ends at a round number that is at least the least.
func linear(courses []course, least float64) scale {
	top := niceTop(max(least, extreme(courses, math.Max, 0)))
	return scale{func(v float64) float64 { return v / top }, []float64{top, top / 2, 0}, true}
}

// logarithmic goes from one power of ten to another: a single slow second must
// not make all others look the same.
func logarithmic(courses []course, unit float64) scale {
	high := math.Ceil(math.Log10(extreme(courses, math.Max, unit)))
	low := min(math.Floor(math.Log10(extreme(courses, math.Min, unit))), high-1)
	var marks []float64
	for power := high; power >= low; power-- {
		marks = append(marks, math.Pow(10, power))
	}
	return scale{func(v float64) float64 { return (math.Log10(v) - low) / (high - low) }, marks, false}
}

// extreme is the largest or smallest value above 0 of all courses; without any
// the fallback.
func extreme(courses []course, of func(x, y float64) float64, fallback float64) float64 {
	found := math.NaN()
	for _, c := range courses {
		for _, v := range c.values {
			switch {
			case math.IsNaN(v) || v <= 0:
			case math.IsNaN(found):
				found = v
			default:
				found = of(found, v)
			}
		}
	}
	if math.IsNaN(found) {
		return fallback
	}
	return found
}

// plot draws courses over one scale, and tells their newest values by write.
func plot(c chart, from, to time.Time, s scale, courses []course, write func(float64) string) chart {
	for i, mark := range s.marks {
		c.Scale = append(c.Scale, round(write(mark)))
		c.Grid += fmt.Sprintf("M0 %.1fH%.0f", 1+(chartHeight-2)*float64(i)/float64(len(s.marks)-1), chartWidth)
	}
	var said []string
	for _, one := range courses {
		newest := "–"
		if n := len(one.values); n > 0 && !math.IsNaN(one.values[n-1]) {
			newest = write(one.values[n-1])
		}
		c.Legend = append(c.Legend, entry{one.colour, one.minor, one.name, newest})
		said = append(said, one.name+" "+newest)
		path, area := one.draw(from, to, s)
		if path == "" {
			continue
		}
		l := line{Colour: one.colour, Minor: one.minor, Path: path}
		if s.fills {
			l.Area = area
		}
		c.Lines = append(c.Lines, l)
	}
	c.Says = c.Title + ": " + strings.Join(said, ", ")
	return c
}

// round leaves out the zeros at the end of a number's decimals.
func round(text string) string {
	number := strings.TrimRight(text, "/smµ%\u202f ")
	unit := text[len(number):]
	if strings.ContainsAny(number, ".,") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".,")
	}
	return number + unit
}

// draw makes a path of a course, with a gap where there is no value.
func (c course) draw(from, to time.Time, s scale) (path, area string) {
	var p, a strings.Builder
	began, last := -1.0, 0.0
	end := func() {
		if began >= 0 {
			fmt.Fprintf(&a, "L%.1f %.0fL%.1f %.0fZ", last, chartHeight, began, chartHeight)
		}
		began = -1
	}
	for i, v := range c.values {
		if math.IsNaN(v) {
			end()
			continue
		}
		x := chartWidth * float64(c.at[i].Sub(from)) / float64(to.Sub(from))
		y := chartHeight - (chartHeight-2)*max(0, min(1, s.place(v))) - 1
		if began < 0 {
			began = x
			fmt.Fprintf(&p, "M%.1f %.1f", x, y)
			fmt.Fprintf(&a, "M%.1f %.1f", x, y)
		} else {
			fmt.Fprintf(&p, "L%.1f %.1f", x, y)
			fmt.Fprintf(&a, "L%.1f %.1f", x, y)
		}
		last = x
	}
	end()
	return p.String(), a.String()
}

// niceTop is the next round number whose half is round as well.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 3, 4, 5, 6, 8, 10} {
		if v <= step*power*1.0001 {
			return step * power
		}
	}
	return 10 * power
}

// charts are rate, errors and latency of production, both colours in each.
func (v *visit) charts(app *switcher.App, r reach, now time.Time, history []switcher.Record) []chart {
	if v.server.options.Figures == nil {
		return nil
	}
	w := v.words
	// The step that is not over yet would look like a fall.
	to := now.Truncate(r.step)
	from := to.Add(-r.For)
	var rate, errors, latency []course
	for _, c := range switcher.Colours() {
		name := w.t("colour." + string(c))
		figures := v.server.options.Figures(app.Name(), switcher.Production, c, from, r.step)
		one := course{colour: c, name: name}
		two := course{colour: c, name: name}
		p99 := course{colour: c, name: name + " p99"}
		p50 := course{colour: c, name: name + " p50", minor: true}
		for _, f := range figures {
			if f.From.Before(from) || f.From.Add(f.Span).After(to.Add(r.step/2)) {
				continue
			}
			at := f.From.Add(f.Span / 2)
			add := func(to *course, value float64, is bool) {
				if !is {
					value = math.NaN()
				}
				to.at, to.values = append(to.at, at), append(to.values, value)
			}
			any := f.Requests > 0
			add(&one, float64(f.Requests)/f.Span.Seconds(), true)
			add(&two, float64(f.Errors)/float64(max(1, f.Requests)), any)
			add(&p99, f.P99.Seconds(), any)
			add(&p50, f.P50.Seconds(), any)
		}
		rate, errors, latency = append(rate, one), append(errors, two), append(latency, p99, p50)
	}
	all := []chart{
		plot(chart{ID: "rate", Title: w.t("chart.rate")}, from, to, linear(rate, 1), rate, func(v float64) string { return w.Figure(v) + w.t("persecond") }),
		plot(chart{ID: "errors", Title: w.t("chart.errors")}, from, to, linear(errors, 0.01), errors, w.Percent),
		plot(chart{ID: "latency", Title: w.t("chart.latency")}, from, to, logarithmic(latency, 0.001), latency,
			func(v float64) string { return w.Latency(time.Duration(math.Round(v * float64(time.Second)))) }),
	}
	for i := range all {
		all[i].Marks, all[i].From = moves(history, from, to), w.t("chart.from", w.About(r.For))
	}
	return all
}

// moves are the moments at which production moved.
func moves(history []switcher.Record, from, to time.Time) (all []mark) {
	for _, r := range history {
		if !r.OK || r.Kind != switcher.KindSwitch && r.Kind != switcher.KindRollback || r.Began.Before(from) || r.Began.After(to) {
			continue
		}
		all = append(all, mark{chartWidth * float64(r.Began.Sub(from)) / float64(to.Sub(from)), r.Colour})
	}
	return all
}

// row is a line of the table of figures.
type row struct {
	Route    string
	Colour   switcher.Colour
	Name     string
	Requests string
	Rate     string
	Errors   string
	P50, P99 string
	Internal bool
}

// figures are the sums over the reach: production, and the tests apart.
func (v *visit) figures(app *switcher.App, r reach, now time.Time) (rows []row) {
	if v.server.options.Figures == nil {
		return nil
	}
	w := v.words
	for _, route := range []switcher.RouteName{switcher.Production, switcher.Internal} {
		for _, c := range switcher.Colours() {
			one := row{
				Route: w.t("route." + string(route)), Colour: c, Name: w.t("colour." + string(c)),
				Requests: "0", Rate: "–", Errors: "–", P50: "–", P99: "–", Internal: route == switcher.Internal,
			}
			all := v.server.options.Figures(app.Name(), route, c, now.Add(-r.For), r.For)
			if len(all) > 0 && all[0].Requests > 0 {
				f := all[0]
				one.Requests = w.Whole(f.Requests)
				one.Rate = w.Figure(float64(f.Requests)/f.Span.Seconds()) + w.t("persecond")
				one.Errors = w.Percent(float64(f.Errors) / float64(f.Requests))
				one.P50, one.P99 = w.Latency(f.P50), w.Latency(f.P99)
			}
			rows = append(rows, one)
		}
	}
	return rows
}

// bar is one probe of a sparkline.
type bar struct {
	X, Y, Height int
	Failed       bool
}

// The sparkline of the last probes.
const (
	barsShown  = 48
	barWidth   = 4 // with its gap
	barsHeight = 24
)

// sparkline draws the last probes: the higher, the slower; a failed one is as
// high as can be.
func sparkline(checks []switcher.HealthCheck) (bars []bar, failed int) {
	if n := len(checks) - barsShown; n > 0 {
		checks = checks[n:]
	}
	slowest := 2.0 // ms
	for _, c := range checks {
		if c.OK {
			slowest = max(slowest, c.LatencyMS)
		}
	}
	for i, c := range checks {
		height := max(3, int(float64(barsHeight-6)*c.LatencyMS/slowest))
		if !c.OK {
			height = barsHeight
			failed++
		}
		bars = append(bars, bar{(barsShown - len(checks) + i) * barWidth, barsHeight - height, height, !c.OK})
	}
	return bars, failed
}
