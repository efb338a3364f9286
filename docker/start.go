package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// Start brings the instance up under the slot's name. What is there already
// decides: the running instance is left alone, a stopped one is started again,
// an older instance of the app in the slot makes room.
func (r *Runtime) Start(ctx context.Context, spec switcher.Spec) error {
	all, err := r.containers(ctx, nil)
	if err != nil {
		return err
	}
	existing := r.instance(all, spec.Instance)
	switch {
	case existing == nil:
		return r.startNew(ctx, all, spec)
	case runs(existing.State):
		return nil
	}
	return r.startAgain(ctx, all, existing, spec)
}

// startNew makes the container and starts it, or leaves none.
func (r *Runtime) startNew(ctx context.Context, all []container.Summary, spec switcher.Spec) error {
	if err := r.refuse(ctx, all, spec); err != nil {
		return err
	}
	id, err := r.create(ctx, all, spec)
	if err == nil {
		err = r.run(ctx, id, spec)
	}
	if err != nil {
		return r.undo(ctx, err, "and what it left behind could not be removed", func(ctx context.Context) error {
			return r.Remove(ctx, spec.Instance) // by its mark, for the engine may not have told the id
		})
	}
	return nil
}

// startAgain starts an existing container, or leaves it there, stopped.
func (r *Runtime) startAgain(ctx context.Context, all []container.Summary, existing *container.Summary, spec switcher.Spec) error {
	if err := r.portIsFree(ctx, all, spec); err != nil {
		return err
	}
	if err := r.run(ctx, existing.ID, spec); err != nil {
		return r.undo(ctx, err, "and it could not be stopped", func(ctx context.Context) error {
			existing.State = container.StateRunning // for all we know: a start that was given up may go on
			return r.stop(ctx, existing)
		})
	}
	return nil
}

// undo reverts what a failed start has done and returns why it failed. It has
// time of its own, because the start's may be over.
func (r *Runtime) undo(ctx context.Context, failed error, otherwise string, revert func(context.Context) error) error {
	limit := r.options.StopGracePeriod + r.options.CallTimeout
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := revert(ctx); err != nil {
		return fmt.Errorf("%w (%s: %w)", failed, otherwise, err)
	}
	return failed
}

// instance finds an instance of the app among all containers.
func (r *Runtime) instance(all []container.Summary, instance string) *container.Summary {
	for i := range all {
		if r.own(all[i]) && all[i].Labels[LabelInstance] == instance {
			return &all[i]
		}
	}
	return nil
}

// create makes the container, with all its networks, but does not start it.
func (r *Runtime) create(ctx context.Context, all []container.Summary, spec switcher.Spec) (id string, err error) {
	wanted, err := r.wanted(spec)
	if err != nil {
		return "", err
	}
	name := r.options.containerName(spec.Colour)
	if stale := named(all, name); stale != nil {
		if err := r.Remove(ctx, stale.Labels[LabelInstance]); err != nil {
			return "", err
		}
	}
	return r.make(ctx, wanted, spec.Release)
}

// make creates a container and joins it to the app's networks.
func (r *Runtime) make(ctx context.Context, wanted client.ContainerCreateOptions, release switcher.Release) (id string, err error) {
	name := wanted.Name
	var created client.ContainerCreateResult
	err = r.engine.call(ctx, "creating container "+name, func(ctx context.Context) (err error) {
		created, err = r.engine.api.ContainerCreate(ctx, wanted)
		return err
	})
	switch {
	case errdefs.IsConflict(err):
		return "", refused("rename or remove it", "the container name %s was taken just now: %v", name, err)
	case notFound(err):
		return "", &switcher.Error{
			Code: switcher.CodeFailed,
			What: "image " + short(release.ImageID) + " of release " + release.String() + " is no longer on this machine",
			Hint: "deploy it again",
			Err:  err,
		}
	case err != nil:
		return "", err
	}
	for _, warning := range created.Warnings {
		r.options.Logger.WarnContext(ctx, "the Docker engine warns", "container", name, "warning", warning)
	}
	return created.ID, r.connect(ctx, created.ID)
}

// connect joins the container to the app's networks. Before API 1.44 it cannot
// be created in more than one; joining before the start comes to the same.
func (r *Runtime) connect(ctx context.Context, id string) error {
	for _, name := range r.options.Networks {
		err := r.engine.call(ctx, "joining network "+name, func(ctx context.Context) error {
			// The engine takes any name here and misses it at the start.
			if _, err := r.engine.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{}); err != nil {
				return err
			}
			_, err := r.engine.api.NetworkConnect(ctx, name, client.NetworkConnectOptions{
				Container:      id,
				EndpointConfig: &network.EndpointSettings{},
			})
			return err
		})
		if notFound(err) {
			return &switcher.Error{
				Code: switcher.CodeFailed,
				What: "network " + name + " does not exist",
				Hint: "create it with `docker network create " + name + "`, or correct container.networks",
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run starts the process of an existing container.
func (r *Runtime) run(ctx context.Context, id string, spec switcher.Spec) error {
	err := r.launch(ctx, id, r.options.containerName(spec.Colour))
	if err != nil && portTaken(err) {
		return refused("see what holds it and stop it, or give the slot another port (slots.<colour>.port)",
			"port %d of the %s slot was taken just now: %v", spec.Port, spec.Colour, err)
	}
	return err
}

func (r *Runtime) launch(ctx context.Context, id, name string) error {
	return r.engine.call(ctx, "starting container "+name, func(ctx context.Context) error {
		_, err := r.engine.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	})
}

// portTaken recognises the engine's words for a port that is in use; there is
// no code for it.
func portTaken(err error) bool {
	text := err.Error()
	return strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use")
}
