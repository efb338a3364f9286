package main

import (
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newMaintenanceCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintenance",
		Short: "Show production a maintenance page, or end that",
		Long: `Maintenance shows everybody who opens production a page with status 503, until it
is turned off, also after a restart of the edge. The team gets in with a link.
The internal hosts, probes and WebSockets that are open are not affected, and
deploy, switch and rollback go on as always.`,
		Example: `  bluegreen maintenance on --message "Back at 14:00."
  bluegreen maintenance off`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError("bluegreen maintenance on, or bluegreen maintenance off", "on or off is missing")
		},
	}
	cmd.AddCommand(newMaintenanceOnCommand(p), newMaintenanceOffCommand(p))
	return cmd
}

func newMaintenanceOnCommand(p *program) *cobra.Command {
	var message string
	cmd := &cobra.Command{
		Use:   "on",
		Short: "Show the page",
		Long: `Maintenance on shows the page and prints a link for each production host: it sets
a cookie with which that browser sees the application, for twelve hours. Whoever
has the link gets in, and nobody else does, whatever 'access' says of the internal
hosts. Run again, it prints new links, and replaces the message if one is given.`,
		Example: `  bluegreen maintenance on
  bluegreen maintenance on --message "We are moving house. Back at 14:00."`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			request := switcher.MaintenanceRequest{On: new(bool)}
			*request.On = true
			if cmd.Flags().Changed("message") {
				request.Message = &message
			}
			return p.maintain(cmd, request)
		},
	}
	cmd.Flags().StringVar(&message, "message", "", "what the page says, as plain text (default: its own words)")
	return cmd
}

func newMaintenanceOffCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "off",
		Short: "Serve production again",
		Long: `Maintenance off ends the page: from then on production serves whatever release is
active. When it is off already it changes nothing and succeeds.`,
		Example: `  bluegreen maintenance off`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.maintain(cmd, switcher.MaintenanceRequest{On: new(bool)})
		},
	}
}

func (p *program) maintain(cmd *cobra.Command, request switcher.MaintenanceRequest) error {
	return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
		answer, err := client.Maintenance(cmd.Context(), app, request)
		if err != nil {
			return err
		}
		if err := p.showAnswer(answer); err != nil || p.json || len(answer.Links) == 0 {
			return err
		}
		p.stdout.printf("Links past the page, until %s; whoever has one gets in:\n", answer.Links[0].Expires.Local().Format(time.DateTime))
		for _, link := range answer.Links {
			p.stdout.printf("  %s\n", link.URL)
		}
		return nil
	})
}
