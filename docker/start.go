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
	if existing != nil && runs(existing.State) {
		return nil
	}
	if err := r.bringUp(ctx, all, existing, spec); err != nil {
		return r.withoutRemains(ctx, spec, err)
	}
	return nil
}

func (r *Runtime) bringUp(ctx context.Context, all []container.Summary, existing *container.Summary, spec switcher.Spec) error {
	if err := r.portIsFree(ctx, all, spec); err != nil {
		return err
	}
	if existing != nil {
		return r.run(ctx, existing.ID, spec)
	}
	if err := r.nameIsFree(all, spec); err != nil {
		return err
	}
	id, err := r.create(ctx, all, spec)
	if err != nil {
		return err
	}
	return r.run(ctx, id, spec)
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
	name := r.options.containerName(spec.Colour)
	if stale := named(all, name); stale != nil {
		if err := r.Remove(ctx, stale.Labels[LabelInstance]); err != nil {
			return "", err
		}
	}
	wanted, err := r.wanted(spec)
	if err != nil {
		return "", err
	}
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
			What: "image " + short(spec.Release.ImageID) + " of release " + spec.Release.String() + " is no longer on this machine",
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
	name := r.options.containerName(spec.Colour)
	err := r.engine.call(ctx, "starting container "+name, func(ctx context.Context) error {
		_, err := r.engine.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	})
	if err != nil && portTaken(err) {
		return refused("see what holds it and stop it, or give the slot another port (slots.<colour>.port)",
			"port %d of the %s slot was taken just now: %v", spec.Port, spec.Colour, err)
	}
	return err
}

// portTaken recognises the engine's words for a port that is in use; there is
// no code for it.
func portTaken(err error) bool {
	text := err.Error()
	return strings.Contains(text, "port is already allocated") || strings.Contains(text, "address already in use")
}

// withoutRemains removes what a failed start has left and returns why it
// failed. It has time of its own, because the start's may be over.
func (r *Runtime) withoutRemains(ctx context.Context, spec switcher.Spec, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.options.CallTimeout)
	defer cancel()
	if err := r.Remove(ctx, spec.Instance); err != nil {
		return fmt.Errorf("%w (and what it left behind could not be removed: %w)", failed, err)
	}
	return failed
}
