package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
)

func newDashboardCommand(p *program) *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Print a link that opens the dashboard in a browser",
		Long: `Dashboard prints a URL that opens the dashboard: both colours side by side, live
figures, logs, and buttons for what can be done. Who opens it acts as you do: do
not hand it on. It works once, within a minute, on the loopback of the server;
the session ends after an hour without a click, and after twelve in any case.

From another machine a tunnel leads there; over SSH the command for it is printed.
For phones and people without a shell, admin.listen serves the same behind a
sign-in.`,
		Example: `  bluegreen dashboard
  bluegreen dashboard --open`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := admin.Dial(p.socketPath())
			defer client.Close()
			link, err := client.Dashboard(cmd.Context(), admin.DashboardRequest{App: cmp.Or(p.app, p.env("BLUEGREEN_APP"))})
			if err != nil {
				return err
			}
			return p.showLink(cmd.Context(), link, open)
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "open it in the browser of this machine")
	return cmd
}

// showLink prints the link, with the way to it from another machine, or opens
// it here.
func (p *program) showLink(ctx context.Context, link admin.DashboardLink, open bool) error {
	if p.json {
		return p.printJSON(link)
	}
	if open {
		if err := exec.CommandContext(ctx, "xdg-open", link.URL).Run(); err != nil {
			p.stderr.printf("no browser could be opened here: %v\n", err)
		} else {
			return nil
		}
	}
	p.stdout.printf("%s\n", link.URL)
	if tunnel := p.tunnel(link.Address); tunnel != "" {
		p.stderr.printf("%s\n  %s\n", p.stderr.dim("first, on your own machine:"), tunnel)
	}
	return nil
}

// tunnel is the command that makes the listener's address reachable where
// somebody's SSH connection comes from; empty without one.
func (p *program) tunnel(address string) string {
	connection := strings.Fields(p.env("SSH_CONNECTION")) // client, its port, server, its port (ssh(1))
	_, port, err := net.SplitHostPort(address)
	if len(connection) != 4 || err != nil {
		return ""
	}
	server := connection[2]
	if user := p.env("USER"); user != "" {
		server = user + "@" + server
	}
	if connection[3] != "22" {
		server = "-p " + connection[3] + " " + server
	}
	return fmt.Sprintf("ssh -N -L %s:%s %s", port, address, server)
}
