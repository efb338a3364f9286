package main

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newCompareCommand(p *program) *cobra.Command {
	since := admin.DefaultCompared
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Show blue against green: rate, errors, latency, memory",
		Long: `Compare shows both slots side by side, with the difference of the active one, and
whether it is more than chance. The two releases do not have production at the
same time, so each is shown by its own last minutes there. What testers do on the
internal hosts is told apart and never counts for production.

Error rates are compared by a two-proportion test, durations by a rank test.`,
		Example: `  bluegreen compare
  bluegreen compare --since 1h
  bluegreen compare --json | jq .slots.green.production.error_rate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since < time.Second || since > admin.MaxCompared {
				return usageError("", "--since must be from 1s to %v", admin.MaxCompared)
			}
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				c, err := client.Compare(cmd.Context(), app, since)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(c)
				}
				drawComparison(p.stdout, c, time.Now())
				return nil
			})
		},
	}
	cmd.Flags().DurationVar(&since, "since", since, "how much of each release's traffic")
	return cmd
}

// drawComparison writes a comparison for a person.
func drawComparison(t *terminal, c admin.Comparison, now time.Time) {
	v := comparisonView{terminal: t, c: c, now: now, is: c.Slots[c.Active], was: c.Slots[c.Active.Other()]}
	t.printf("%s  %s\n\n", t.bold(c.App), "the last "+span(time.Duration(c.Span*float64(time.Second)))+" of each release")
	v.line("", func(colour switcher.Colour) string { return t.bold(t.name(colour)) }, t.bold(v.title()))
	v.text("slot", func(s admin.ComparedSlot) string { return string(s.State) })
	v.text("release", func(s admin.ComparedSlot) string {
		if s.Release == nil {
			return ""
		}
		return cmp.Or(s.Release.Commit, s.Release.ID)
	})
	v.route("production", func(s admin.ComparedSlot) *admin.ComparedTraffic { return s.Production })
	v.route("internal", func(s admin.ComparedSlot) *admin.ComparedTraffic { return s.Internal })
	v.container()
	if len(c.Differences) > 0 {
		t.printf("\n%s\n", t.bold("production"))
	}
	for _, d := range c.Differences {
		v.difference(d)
	}
}

type comparisonView struct {
	*terminal
	c       admin.Comparison
	now     time.Time
	is, was admin.ComparedSlot // active and other
}

const (
	comparisonLabel = 14
	comparisonCell  = 14
)

func (v *comparisonView) title() string {
	if v.was.Release == nil {
		return ""
	}
	return string(v.c.Active) + " against " + string(v.c.Active.Other())
}

// line writes a row of the table: blue, green, and the difference, below them
// where there is no room beside.
func (v *comparisonView) line(label string, cell func(switcher.Colour) string, difference string) {
	row := v.dim(pad(label, comparisonLabel))
	for _, colour := range switcher.Colours() {
		row += pad(clip(cell(colour), comparisonCell-1), comparisonCell)
	}
	if visible(row+difference) > v.size() && difference != "" {
		v.printf("%s\n", strings.TrimRight(row, " "))
		row = pad("", comparisonLabel)
	}
	v.printf("%s\n", strings.TrimRight(row+difference, " "))
}

func (v *comparisonView) text(label string, of func(admin.ComparedSlot) string) {
	v.line(label, func(c switcher.Colour) string { return cmp.Or(printable(of(v.c.Slots[c])), "-") }, "")
}

// route shows the traffic of one route, if there was any.
func (v *comparisonView) route(name string, of func(admin.ComparedSlot) *admin.ComparedTraffic) {
	v.printf("\n%s\n", v.bold(name))
	if of(v.is) == nil && of(v.was) == nil {
		v.printf("%s\n", v.dim("  no requests"))
		return
	}
	row := func(label string, say func(*admin.ComparedTraffic) string, difference func(is, was *admin.ComparedTraffic) string) {
		said := ""
		if is, was := of(v.is), of(v.was); is != nil && was != nil && difference != nil {
			said = difference(is, was)
		}
		v.line("  "+label, func(c switcher.Colour) string {
			if t := of(v.c.Slots[c]); t != nil {
				return say(t)
			}
			return "-"
		}, said)
	}
	row("until", func(t *admin.ComparedTraffic) string { return ago(v.now, t.To) }, nil)
	row("requests", func(t *admin.ComparedTraffic) string { return thousands(t.Requests) }, nil)
	row("a second", func(t *admin.ComparedTraffic) string { return figure(t.PerSecond) }, func(is, was *admin.ComparedTraffic) string {
		return v.relative(is.PerSecond, was.PerSecond, false)
	})
	row("failed", func(t *admin.ComparedTraffic) string { return perCent(t.ErrorRate) }, func(is, was *admin.ComparedTraffic) string {
		return v.points(is.ErrorRate, was.ErrorRate)
	})
	for _, m := range []struct {
		label string
		of    func(*admin.ComparedTraffic) float64
	}{
		{"p50", func(t *admin.ComparedTraffic) float64 { return t.P50MS }},
		{"p90", func(t *admin.ComparedTraffic) float64 { return t.P90MS }},
		{"p99", func(t *admin.ComparedTraffic) float64 { return t.P99MS }},
		{"first byte", func(t *admin.ComparedTraffic) float64 { return t.FirstByteMS }},
	} {
		row(m.label, func(t *admin.ComparedTraffic) string { return figure(m.of(t)) + " ms" }, func(is, was *admin.ComparedTraffic) string {
			return v.relative(m.of(is), m.of(was), true)
		})
	}
}

// container shows what the instances use of the machine.
func (v *comparisonView) container() {
	v.printf("\n%s\n", v.bold("container"))
	row := func(label string, of func(*switcher.UsageStatus) float64, say func(float64) string) {
		said := ""
		if v.is.Usage != nil && v.was.Usage != nil {
			said = v.relative(of(v.is.Usage), of(v.was.Usage), false)
		}
		v.line("  "+label, func(c switcher.Colour) string {
			if u := v.c.Slots[c].Usage; u != nil {
				return say(of(u))
			}
			return "-"
		}, said)
	}
	row("memory", func(u *switcher.UsageStatus) float64 { return float64(u.Memory) }, func(b float64) string { return figure(b/1e6) + " MB" })
	row("processors", func(u *switcher.UsageStatus) float64 { return math.Round(100*u.Processors) / 100 }, func(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) })
	v.text("  restarts", func(s admin.ComparedSlot) string {
		if s.Usage == nil {
			return ""
		}
		return strconv.Itoa(s.Usage.Restarts)
	})
}

// difference tells whether it is more than chance.
func (v *comparisonView) difference(d admin.Difference) {
	label := map[string]string{"error_rate": "errors", "duration": "durations"}[d.Measure]
	text := printable(d.Text)
	switch {
	case !d.Enough:
		text = v.yellow(text)
	case d.Chance < 0.05:
		text = v.bold(text)
	}
	v.printf("%s%s\n", v.dim(pad("  "+label, comparisonLabel)), text)
}

// relative is by how many per cent a value differs. Where less is better, more
// is painted.
func (v *comparisonView) relative(is, was float64, worse bool) string {
	if was == 0 {
		return ""
	}
	change := math.Round(100 * (is - was) / was)
	said := fmt.Sprintf("%+.0f %%", change)
	switch {
	case change == 0:
		return "same"
	case worse && change >= 10:
		return v.red(said)
	case worse && change <= -10:
		return v.green(said)
	}
	return said
}

// points is by how many per cent of all requests a share differs.
func (v *comparisonView) points(is, was float64) string {
	change := 100 * (is - was)
	said := fmt.Sprintf("%+.2f points", change)
	switch {
	case math.Abs(change) < 0.005:
		return "same"
	case change > 0:
		return v.red(said)
	}
	return v.green(said)
}

// figure writes a number with three figures.
func figure(v float64) string {
	digits := 2
	switch {
	case v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func perCent(share float64) string {
	if share == 0 {
		return "0 %"
	}
	return strconv.FormatFloat(100*share, 'f', 2, 64) + " %"
}

// thousands writes them apart.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
