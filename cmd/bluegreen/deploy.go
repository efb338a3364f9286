package main

import (
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDeployCommand(p *program) *cobra.Command {
	var image string
	cmd := &cobra.Command{
		Use:   "deploy [COMMIT]",
		Short: "Put a release into the inactive slot and test it there",
		Long: `Deploy puts a release into the slot that production does not use, waits until it
is healthy, and points the internal hosts at it. Production is not touched, but
for the very first release of an app, which becomes active at once.

COMMIT is the tag of the app's configured image; without it the tag is taken
from DOCKER_IMAGE_TAG. --image names another image by its full reference. A
release that is already in test is replaced.`,
		Example: `  bluegreen deploy 4f2a1c9
  DOCKER_IMAGE_TAG=4f2a1c9 bluegreen deploy
  bluegreen deploy --image registry.example.com/chat:nightly`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := p.deployRequest(args, image)
			if err != nil {
				return err
			}
			return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Deploy(cmd.Context(), app, request, show)
			})
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "full image reference, instead of the app's image with a tag")
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
