package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDrainCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "drain [COLOUR]",
		Short: "Wait until a slot has nothing in flight",
		Long: `Drain waits until the requests and long connections (WebSockets, event streams)
of a slot have ended, up to their deadlines, which cut what is left. Without a
colour it drains the inactive slot. A slot that a route leads to cannot be
drained.`,
		Example: `  bluegreen drain
  bluegreen drain blue`,
		Args:              oneColour,
		ValidArgsFunction: completeColours,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Drain(cmd.Context(), app, switcher.DrainRequest{Colour: colourOf(args)}, show)
			})
		},
	}
}
