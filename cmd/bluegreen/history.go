package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newHistoryCommand(p *program) *cobra.Command {
	var last int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Tell what was done, when, by whom and how it went",
		Long: `History lists the operations of an app, the newest last: when it began, what it
was, who asked for it, which release, how long it took and how it ended. The edge
itself appears as "bluegreen", for instance for an automatic rollback.`,
		Example: `  bluegreen history
  bluegreen history -n 100 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 1 {
				return usageError("", "-n %d: at least one operation is to be shown", last)
			}
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				found, err := client.History(cmd.Context(), app)
				if err != nil {
					return err
				}
				found.History = found.History[max(0, len(found.History)-last):]
				if p.json {
					return p.printJSON(found)
				}
				showHistory(p.stdout, found.History)
				return nil
			})
		},
	}
	cmd.Flags().IntVarP(&last, "last", "n", 20, "how many operations")
	return cmd
}

func showHistory(t *terminal, records []switcher.Record) {
	if len(records) == 0 {
		t.printf("nothing was done yet\n")
		return
	}
	table := [][]string{{"WHEN", "WHAT", "WHO", "RELEASE", "TOOK", "RESULT"}}
	for _, r := range records {
		result := printable(r.Result)
		if r.Reason != "" && !strings.Contains(r.Result, r.Reason) {
			result += " (" + printable(r.Reason) + ")"
		}
		if r.Allowed != nil {
			did := "accepted"
			if !r.OK { // perhaps because there was no such finding
				did = "asked to accept"
			}
			result += fmt.Sprintf("; %s: %s", did, printable(strings.Join(r.Allowed.Findings, ", ")))
			if !strings.Contains(result, printable(r.Allowed.Reason)) {
				result += " (" + printable(r.Allowed.Reason) + ")"
			}
		}
		if !r.OK {
			result = t.red(strings.TrimSuffix("failed: "+result, ": "))
		}
		table = append(table, []string{
			r.Began.Local().Format("2006-01-02 15:04:05"), string(r.Kind), printable(string(r.Actor)),
			cmp.Or(r.Commit, r.Release, "-"), lasted(r.Took), result,
		})
	}
	showTable(t, table)
}

// lasted is how long a record took; a pause and its like take no time.
func lasted(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return took(d)
}

// showTable aligns the columns of all but the last, which may be long.
func showTable(t *terminal, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], visible(cell))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row[:len(row)-1] {
			line.WriteString(pad(cell, widths[i]) + "  ")
		}
		line.WriteString(row[len(row)-1])
		if n == 0 {
			t.printf("%s\n", t.dim(line.String()))
			continue
		}
		t.printf("%s\n", line.String())
	}
}
