package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDeployCommand(p *program) *cobra.Command {
	var image string
	var skip bool
	var accept acceptance
	cmd := &cobra.Command{
		Use:   "deploy [COMMIT]",
		Short: "Put a release into the inactive slot and test it there",
		Long: `Deploy puts a release into the slot that production does not use, waits until it
is healthy, and points the internal hosts at it. Production is not touched, but
for the very first release of an app, which becomes active at once.

COMMIT is the tag of the app's configured image; without it the tag is taken
from DOCKER_IMAGE_TAG. --image names another image by its full reference. A
release that is already in test is replaced.

An app with a database is migrated first: after a backup and a rehearsal in a
copy, and only if the running release can live with the result. What speaks
against it is told as findings, each with the safe way and with the --allow that
accepts it.`,
		Example: `  bluegreen deploy 4f2a1c9
  DOCKER_IMAGE_TAG=4f2a1c9 bluegreen deploy
  bluegreen deploy --image registry.example.com/chat:nightly
  bluegreen deploy 4f2a1c9 --allow 'table_locked:public.orders@5f0c' --reason "at night"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := p.deployRequest(args, image)
			if err == nil {
				err = accept.check()
			}
			if err != nil {
				return err
			}
			request.SkipMigrations, request.Allow, request.Reason = skip, accept.allow, accept.reason
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Deploy(cmd.Context(), app, request, show)
			})
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "full image reference, instead of the app's image with a tag")
	cmd.Flags().BoolVar(&skip, "skip-migrations", false, "leave the database as it is")
	accept.add(p, cmd)
	return cmd
}

func (p *program) deployRequest(args []string, image string) (switcher.DeployRequest, error) {
	request := switcher.DeployRequest{Image: image}
	switch {
	case len(args) == 1:
		request.Commit = args[0]
	case image == "":
		request.Commit = p.env("DOCKER_IMAGE_TAG")
	}
	if request.Commit == "" && request.Image == "" {
		return request, usageError("bluegreen deploy COMMIT, or set DOCKER_IMAGE_TAG to the tag",
			"it is not said which release to deploy")
	}
	return request, nil
}
