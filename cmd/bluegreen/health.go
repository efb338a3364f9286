package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newHealthCommand(p *program) *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use:   "health [COLOUR]",
		Short: "Probe the slots now",
		Long: `Health asks the backend of a slot right now, or of every slot in which something
runs. Exit code 5 means that one of them is not healthy. --history probes nothing
and shows what the last checks found.`,
		Example: `  bluegreen health
  bluegreen health green && bluegreen switch
  bluegreen health blue --history`,
		Args:              oneColour,
		ValidArgsFunction: completeColours,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				if history {
					return p.showChecks(cmd.Context(), client, app, colourOf(args))
				}
				report, err := client.Health(cmd.Context(), app, colourOf(args))
				if err != nil {
					return err
				}
				if p.json {
					err = p.printJSON(report)
				} else {
					showHealth(p.stdout, report)
				}
				if err != nil {
					return err
				}
				return unhealthy(report)
			})
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "what the last checks found")
	return cmd
}

// showChecks shows the last checks of a slot, or of both.
func (p *program) showChecks(ctx context.Context, client *admin.Client, app string, only switcher.Colour) error {
	found, err := client.HealthHistory(ctx, app)
	if err != nil {
		return err
	}
	if only != "" {
		found.Checks = map[switcher.Colour][]switcher.HealthCheck{only: found.Checks[only]}
	}
	if p.json {
		return p.printJSON(found)
	}
	table := [][]string{{"WHEN", "SLOT", "TOOK", "FOUND"}}
	for _, c := range switcher.Colours() {
		for _, check := range found.Checks[c] {
			said := p.stdout.green("ok")
			if !check.OK {
				said = p.stdout.red(printable(check.Error))
			}
			table = append(table, []string{
				check.Time.Local().Format("2006-01-02 15:04:05"), p.stdout.name(c), fmt.Sprintf("%.1f ms", check.LatencyMS), said,
			})
		}
	}
	if len(table) == 1 {
		p.stdout.printf("nothing was checked yet\n")
		return nil
	}
	showTable(p.stdout, table)
	return nil
}

func showHealth(t *terminal, report admin.HealthReport) {
	for _, c := range switcher.Colours() {
		h, probed := report.Health[c]
		if !probed {
			continue
		}
		said := fmt.Sprintf("%.1f ms", h.LatencyMS)
		if h.Error != "" {
			said = printable(h.Error)
		}
		t.printf("%s %s %s %s\n", t.mark(answers(h)), pad(t.name(c), 6), pad(string(h.Status), 10), said)
	}
}

// answers is stricter than the verdict, which forgives single failures: the
// probe that was just made must have gone well too.
func answers(h switcher.Health) bool { return h.Status == switcher.Healthy && h.Error == "" }

func unhealthy(report admin.HealthReport) error {
	var sick []string
	for _, c := range switcher.Colours() {
		if h, probed := report.Health[c]; probed && !answers(h) {
			sick = append(sick, string(c))
		}
	}
	if len(sick) == 0 {
		return nil
	}
	return &switcher.Error{Code: switcher.CodeUnhealthy, What: "not healthy: " + and(sick)}
}
