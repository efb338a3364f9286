package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newCleanupCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "cleanup",
		Short: "Remove the inactive release and old ones",
		Long: `Cleanup drains the inactive slot and removes what it holds, then removes the
app's own releases beyond the five that are kept. Afterwards nothing is warm, so
a rollback is no longer possible.`,
		Example: `  bluegreen cleanup
  bluegreen cleanup --app sofia-chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Cleanup(cmd.Context(), app, show)
			})
		},
	}
}
