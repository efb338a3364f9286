package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDBBackupsCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "backups",
		Short: "List the backups, and whether each was restored and compared",
		Long: `Backups lists the backups of the app's database, newest first: age, size, the
release that was being deployed, and whether the backup is verified, which means
restored into a scratch database and compared. If it is not, the list says why.`,
		Example: `  bluegreen db backups
  bluegreen db backups --json | jq -r '.backups[] | select(.verified) | .id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				list, err := client.Backups(cmd.Context(), app)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(list)
				}
				drawBackups(p.stdout, list.Backups, time.Now())
				return nil
			})
		},
	}
}

func drawBackups(t *terminal, backups []admin.Backup, now time.Time) {
	if len(backups) == 0 {
		t.printf("there is no backup yet: `bluegreen db backup` makes one\n")
		return
	}
	rows := [][]string{{"ID", "AGE", "SIZE", "RELEASE", "VERIFIED"}}
	for _, b := range backups {
		size := sized(b.Bytes)
		if b.External {
			size = "external"
		}
		rows = append(rows, []string{printable(b.ID), age(now, b.At), size, cmp.Or(printable(b.Commit), printable(b.Release), "-"), verified(t, b)})
	}
	showTable(t, rows)
}

// age is how old something is, without saying so.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return strings.TrimSuffix(ago(now, t), " ago")
}

func verified(t *terminal, b admin.Backup) string {
	switch {
	case b.Damage != "":
		return t.mark(false) + " " + t.red("damaged: "+printable(b.Damage))
	case b.Verified:
		return t.mark(true) + " " + t.green("yes")
	}
	return t.yellow("no") + ": " + cmp.Or(printable(b.Why), "never restored")
}

// sized writes a size in the unit that fits.
func sized(n int64) string {
	v, unit := float64(n), "B"
	for _, larger := range []string{"kB", "MB", "GB", "TB"} {
		if v < 1000 {
			break
		}
		v, unit = v/1000, larger
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return figure(v) + " " + unit
}

// completeBackups offers the ids of the backups there are, newest first.
func (p *program) completeBackups(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	var ids []string
	_ = p.withApp(ctx, func(client *admin.Client, app string) error { // nothing to offer then
		list, err := client.Backups(ctx, app)
		for _, b := range list.Backups {
			ids = append(ids, b.ID)
		}
		return err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// unfit is the refusal that a check ends with.
func unfit(check switcher.SchemaCheck) error {
	if !check.Stops() {
		return nil
	}
	var cannot []string
	for _, r := range check.Releases {
		if r.Stops() {
			cannot = append(cannot, fmt.Sprintf("%s on %s", r.Release, r.Slot))
		}
	}
	return &switcher.Error{Code: switcher.CodeRefused, What: and(cannot) + " cannot live with the schema as it is",
		Hint: "undo what was changed, or deploy a release that can live with it"}
}
