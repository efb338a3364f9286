package main

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
)

// Two at once, for neither may take the other's containers for its own.
func TestDemosInDockerLoseNothingAndLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	api := enginetest.Require(t)
	program := staticProgram(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var demos errgroup.Group
	var told [2]string
	for i := range told {
		address := loopback(enginetest.Port(t))
		demos.Go(func() error {
			said, err := exec.CommandContext(ctx, program, "demo", "--docker", "--once", "--https", address).CombinedOutput()
			told[i] = string(said)
			return err
		})
	}
	if err := demos.Wait(); err != nil {
		t.Errorf("a demo ended with %v", err)
	}
	for _, text := range told {
		if !strings.Contains(text, "\n  0 failed\n") {
			t.Errorf("the demo said:\n%s", text)
		}
		app := regexp.MustCompile(`demo-[a-z0-9]{8}`).FindString(text)
		if app == "" {
			t.Fatalf("no app of its own in what it said:\n%s", text)
		}
		containers, err := api.ContainerList(t.Context(), client.ContainerListOptions{
			All: true, Filters: client.Filters{}.Add("label", docker.LabelApp+"="+app),
		})
		if err != nil || len(containers.Items) > 0 {
			t.Errorf("left behind: containers %+v, %v", containers.Items, err)
		}
		images, err := api.ImageList(t.Context(), client.ImageListOptions{
			Filters: client.Filters{}.Add("reference", "bluegreen/"+app),
		})
		if err != nil || len(images.Items) > 0 {
			t.Errorf("left behind: images %+v, %v", images.Items, err)
		}
	}
}
