package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

const (
	defaultSocket = admin.DefaultSocket
	defaultConfig = "/etc/bluegreen/bluegreen.yaml"
)

// socketPath is where the edge is asked: flag, environment, default.
func (p *program) socketPath() string {
	return cmp.Or(p.socket, p.env("BLUEGREEN_SOCKET"), defaultSocket)
}

// configPath is the configuration file: what was asked for, environment, default.
func (p *program) configPath(asked string) string {
	return cmp.Or(asked, p.env("BLUEGREEN_CONFIG"), defaultConfig)
}

// withApp runs do with a client of the edge and the name of the app: flag,
// environment, or the only one there is.
func (p *program) withApp(ctx context.Context, do func(client *admin.Client, app string) error) error {
	client := admin.Dial(p.socketPath())
	defer client.Close()
	app := cmp.Or(p.app, p.env("BLUEGREEN_APP"))
	if app == "" {
		names, err := appNames(ctx, client)
		switch {
		case err != nil:
			return err
		case len(names) != 1:
			return usageError("name one with --app or BLUEGREEN_APP: "+strings.Join(names, ", "), "there are %d apps", len(names))
		}
		app = names[0]
	}
	return do(client, app)
}

func appNames(ctx context.Context, client *admin.Client) ([]string, error) {
	list, err := client.Apps(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, app := range list.Apps {
		names = append(names, app.App)
	}
	return names, nil
}

// complete registers completion for a flag, which exists.
func (p *program) complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag's name is misspelt
	}
}

func (p *program) completeApps(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	client := admin.Dial(p.socketPath())
	defer client.Close()
	names, err := appNames(ctx, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func completeColours(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{string(switcher.Blue), string(switcher.Green)}, cobra.ShellCompDirectiveNoFileComp
}

// oneColour accepts at most one argument, which names a slot.
func oneColour(cmd *cobra.Command, args []string) error {
	if err := cobra.MaximumNArgs(1)(cmd, args); err != nil {
		return err
	}
	if c := colourOf(args); c != "" && !c.Valid() {
		return usageError("", "%q is not a colour: they are blue and green", c)
	}
	return nil
}

func colourOf(args []string) switcher.Colour {
	if len(args) == 0 {
		return ""
	}
	return switcher.Colour(args[0])
}
