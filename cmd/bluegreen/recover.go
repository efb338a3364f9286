package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newRecoverCommand(p *program) *cobra.Command {
	var offline, yes bool
	var file string
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring routes and containers back to the recorded state",
		Long: `Recover makes routes and containers agree with the recorded state again, after a
crash or on a new host: it starts what should run, and removes what belongs to
the app and should not.

--offline is for an app whose recorded state cannot be read. It looks at the disk,
without an edge or beside one, says what is wrong and what the last good copy
says, and restores that copy when told to; the unusable file is kept beside it.
A running edge then takes the app into service by recover without --offline.`,
		Example: `  bluegreen recover
  bluegreen recover --offline --app sofia-chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if offline {
				return p.recoverOffline(p.configPath(file), yes)
			}
			if yes || file != "" {
				return usageError("", "--yes and --config go with --offline")
			}
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Recover(cmd.Context(), app, show)
			})
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "look at the state on disk, and restore the last good copy")
	cmd.Flags().StringVar(&file, "config", "", "with --offline: the configuration file (default "+defaultConfig+")")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --offline: restore without asking")
	return cmd
}
