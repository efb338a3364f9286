package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDiscardCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "discard",
		Short: "Stop the release in test",
		Long: `Discard stops a release that failed its tests and empties its slot. The internal
hosts go back to the active slot first. A deploy that is still running is
aborted. Production is not touched.`,
		Example: `  bluegreen discard
  bluegreen discard --app sofia-chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Discard(cmd.Context(), app, show)
			})
		},
	}
}
