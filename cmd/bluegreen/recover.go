package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newRecoverCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "recover",
		Short: "Bring routes and containers back to the recorded state",
		Long: `Recover makes routes and containers agree with the recorded state again, after a
crash or on a new host: it starts what should run, and removes what belongs to
the app and should not.`,
		Example: `  bluegreen recover
  bluegreen recover --app sofia-chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Recover(cmd.Context(), app, show)
			})
		},
	}
}
