package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// restoring is what somebody wants of a restore.
type restoring struct {
	request switcher.DatabaseRequest
	lost    string // typed on the command line
}

func newDBRestoreCommand(p *program) *cobra.Command {
	var r restoring
	cmd := &cobra.Command{
		Use:   "restore [BACKUP]",
		Short: "Bring a backup back, after saying what will be lost",
		Long: `Restore brings a backup back as a new database beside the live one, compares it
with what was backed up, carries over settings, grants and the positions of
sequences, and lets both swap names while requests wait. The replaced database
is kept. Without BACKUP it is the newest that was verified.

What was written since the backup is lost. Restore says how many rows that is, in
which tables, and how old the backup is, and goes on only when that number is
typed back. Where nobody can type, the plan that it shows is passed back within
ten minutes, with the number: --plan ID --confirm-lost N. Without that nothing
happens, and the exit code is 3.

--freeze-writes has the edge answer requests that may write with 503 from before
the last count until the swap, so that nothing is written that nobody has told.`,
		Example: `  bluegreen db restore
  bluegreen db restore 20261124T030000Z-nightly --freeze-writes
  bluegreen db restore --plan 3f9a01c2 --confirm-lost 4092`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeBackups,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.request.Backup = args[0]
			}
			return r.run(cmd.Context(), p)
		},
	}
	cmd.Flags().StringVar(&r.request.Plan, "plan", "", "the `ID` of the plan that is confirmed")
	cmd.Flags().StringVar(&r.lost, "confirm-lost", "", "the number of lost rows that the plan says, or unknown if it says so")
	cmd.Flags().BoolVar(&r.request.FreezeWrites, "freeze-writes", false, "refuse requests that may write until the swap is over")
	cmd.Flags().StringVar(&r.request.Reason, "reason", "", "why, for the history")
	p.complete(cmd, "plan", cobra.NoFileCompletions)
	p.complete(cmd, "confirm-lost", cobra.NoFileCompletions)
	p.complete(cmd, "reason", cobra.NoFileCompletions)
	return cmd
}

func (r *restoring) run(ctx context.Context, p *program) error {
	if (r.request.Plan == "") != (r.lost == "") {
		return usageError("`bluegreen db restore` without them shows both", "--plan and --confirm-lost go together")
	}
	if r.lost != "" {
		n, ok := parseLost(r.lost)
		if !ok {
			return usageError("", "--confirm-lost must be the number that the plan says, is %q", r.lost)
		}
		r.request.Lost = &n
	} else if err := r.ask(ctx, p); err != nil {
		return err
	}
	return p.operate(ctx, func(c *admin.Client, app string, show tell) (switcher.Result, error) {
		return c.Database(ctx, app, switcher.KindRestore, r.request, show)
	})
}

// ask shows the plan, and takes the number from whoever sits at the terminal.
func (r *restoring) ask(ctx context.Context, p *program) error {
	var plan switcher.RestorePlan
	err := p.withApp(ctx, func(client *admin.Client, app string) (err error) {
		if plan, err = client.PlanRestore(ctx, app, r.request); err != nil {
			return err
		}
		if p.json {
			return p.printJSON(plan)
		}
		drawRestore(p.stdout, app, plan, time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	if len(plan.Obstacles) > 0 {
		return &switcher.Error{Code: switcher.CodeRefused, What: "the backup cannot be restored now; nothing was done", Hint: "remove what stands in the way, and ask again"}
	}
	input, ok := p.stdin.(*os.File)
	if p.json || !ok || !term.IsTerminal(int(input.Fd())) {
		return &switcher.Error{Code: switcher.CodeRefused, What: "a restore loses what was written since, and nobody has confirmed it; nothing was done",
			Hint: "within ten minutes: " + confirmation(plan, r.request)}
	}
	p.stdout.printf("\nType %s to restore, anything else to leave it: ", p.stdout.bold(lostWord(plan.Lost)))
	answer, _ := bufio.NewReader(input).ReadString('\n')
	if n, ok := parseLost(strings.TrimSpace(answer)); !ok || n != plan.Lost {
		return errors.New("that is not the number; nothing was done")
	}
	r.request.Plan, r.request.Lost = plan.ID, &plan.Lost
	return nil
}

// confirmation is the command that confirms a plan.
func confirmation(plan switcher.RestorePlan, r switcher.DatabaseRequest) string {
	command := fmt.Sprintf("bluegreen db restore --plan %s --confirm-lost %s", plan.ID, lostWord(plan.Lost))
	if r.FreezeWrites {
		command += " --freeze-writes"
	}
	return command
}

const unknownRows = "unknown"

// lostWord is a number of lost rows as it is typed.
func lostWord(n int64) string {
	if n == switcher.LostUnknown {
		return unknownRows
	}
	return strconv.FormatInt(n, 10)
}

func parseLost(text string) (n int64, ok bool) {
	if text == unknownRows {
		return switcher.LostUnknown, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// tablesShown is how many tables a plan shows, those with the most first.
const tablesShown = 12

// drawRestore writes what a restore would do and lose.
func drawRestore(t *terminal, app string, plan switcher.RestorePlan, now time.Time) {
	t.printf("%s  backup %s, %s old, for database %s\n", t.bold(app), t.bold(printable(plan.Backup)), span(now.Sub(plan.At)), printable(plan.Database))
	state := t.yellow("never restored yet")
	if plan.Verified {
		state = t.green("verified")
	}
	expected := "how long it takes is not known"
	if plan.Expected > 0 {
		expected = "it took " + took(plan.Expected) + " when it was verified"
	}
	t.printf("  %s, %s for a database of %s; %s\n", state, sized(plan.BackupBytes), sized(plan.Bytes), expected)
	if plan.KeptAs != "" {
		t.printf("  the app goes on until the swap, for which requests wait %s at most; the database that is replaced is kept as %s\n", took(plan.Swap), printable(plan.KeptAs))
	}
	for _, name := range plan.Dropped {
		t.printf("  kept from an earlier restore, and removed after this one: %s\n", printable(name))
	}
	drawLost(t, plan)
	for _, w := range plan.Warnings {
		t.printf("%s\n", t.yellow("! "+printable(w)))
	}
	for _, o := range plan.Obstacles {
		t.printf("%s %s\n    %s\n", t.mark(false), t.red(printable(o.What)), printable(o.Remedy))
	}
}

func drawLost(t *terminal, plan switcher.RestorePlan) {
	switch {
	case plan.Lost == switcher.LostUnknown:
		t.printf("\n%s: %s\n", t.red("what was written since the backup is lost, and nobody can tell how much"), printable(plan.Unknown))
		return
	case plan.Lost == 0:
		t.printf("\nnothing was written since the backup\n")
		return
	}
	words := count(plan.Lost, "written row") + " will be lost"
	if plan.CountedBy == "rows" {
		words = "at least " + words + ", by counting rows: updates are not seen"
	}
	t.printf("\n%s\n", t.red(words))
	rows := [][]string{{"  TABLE", "INSERTED", "UPDATED", "DELETED"}}
	for _, l := range plan.Tables[:min(len(plan.Tables), tablesShown)] {
		name := cmp.Or(printable(l.Table), "no longer there: "+printable(strings.Join(l.Gone, ", ")))
		rows = append(rows, []string{"  " + clip(name, 60), fmt.Sprint(l.Inserted), fmt.Sprint(l.Updated), fmt.Sprint(l.Deleted)})
	}
	showTable(t, rows)
	if more := len(plan.Tables) - tablesShown; more > 0 {
		t.printf("  and %s\n", count(int64(more), "table more"))
	}
}
