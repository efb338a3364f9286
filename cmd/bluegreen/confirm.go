package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newConfirmCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm",
		Short: "End the bake early, as good",
		Long: `Confirm ends the time in which the new release is watched after a switch. Only
the watch ends: the previous release stays warm, and a rollback stays possible,
until the next deploy or cleanup.`,
		Example: `  bluegreen confirm
  bluegreen confirm --app sofia-chat --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Confirm(cmd.Context(), app, show)
			})
		},
	}
}
