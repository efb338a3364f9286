package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
)

func newReloadCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Apply the configuration file anew",
		Long: `Reload makes the running edge read its configuration file again and apply it
without touching a connection. A bad file is refused whole, with every problem
listed, and the edge keeps the old one. While an operation runs it is refused.`,
		Example: `  bluegreen config check && bluegreen reload`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := admin.Dial(p.socketPath())
			defer client.Close()
			if err := client.Reload(cmd.Context()); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]bool{"reloaded": true})
			}
			p.stdout.printf("the new configuration is in force\n")
			return nil
		},
	}
}
