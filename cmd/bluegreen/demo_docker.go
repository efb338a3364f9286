package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sofiacall.com/bluegreen/docker"
)

// demoImages are the images of one demo. Its repository and its app, after
// which the containers are called and labelled, have names that no other demo
// and no real app has: whatever carries them may be removed.
type demoImages struct {
	repository string
	references []string
}

// build makes an image that holds nothing but this program for each release
// of the story, and for the one that a person is invited to deploy.
func (i *demoImages) build(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	for _, release := range append(demoReleases[:], demoInvited) {
		reference := i.repository + ":" + release
		i.references = append(i.references, reference)
		err := docker.ImportProgram(ctx, "", reference, self, "chat", "--fault", demoFault, "--release", release)
		if err != nil {
			return err
		}
	}
	return nil
}

// remove takes away what build has made.
func (i *demoImages) remove(ctx context.Context) error {
	var problems []error
	for _, reference := range i.references {
		problems = append(problems, docker.RemoveImage(ctx, "", reference))
	}
	i.references = nil
	return errors.Join(problems...)
}

// configuration is the part of the configuration that runs the images.
func (i *demoImages) configuration() string {
	return fmt.Sprintf(`    image: %s
    pull: never
    container: { port: 3000, stop_grace_period: 3s }`, i.repository)
}
