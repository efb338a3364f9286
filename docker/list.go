package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// List returns the app's containers of this owner, stopped ones too, in no
// particular order.
func (r *Runtime) List(ctx context.Context) ([]switcher.Instance, error) {
	own, err := r.labelled(ctx, LabelApp+"="+r.options.App, LabelInstance)
	if err != nil {
		return nil, err
	}
	instances := make([]switcher.Instance, 0, len(own))
	for _, c := range own {
		instance := switcher.Instance{
			ID:      c.Labels[LabelInstance],
			Colour:  switcher.Colour(c.Labels[LabelColour]),
			Release: c.Labels[LabelRelease],
			Running: runs(c.State),
			Commit:  c.Labels[LabelCommit], Image: c.Labels[LabelImage], ImageID: c.ImageID,
		}
		for _, p := range c.Ports {
			instance.Port = max(instance.Port, int(p.PublicPort))
		}
		if !instance.Running {
			details, err := r.inspect(ctx, c.ID)
			if notFound(err) {
				continue // removed meanwhile
			}
			if err != nil {
				return nil, err
			}
			instance.ExitCode = details.State.ExitCode
		}
		instances = append(instances, instance)
	}
	return instances, nil
}

// runs reports whether a container in that state holds its port, now or again
// in a moment.
func runs(state container.ContainerState) bool {
	return slices.Contains([]container.ContainerState{
		container.StateRunning, container.StatePaused, container.StateRestarting,
	}, state)
}

func (r *Runtime) containers(ctx context.Context, filters client.Filters) ([]container.Summary, error) {
	var found client.ContainerListResult
	err := r.engine.call(ctx, "listing containers", func(ctx context.Context) (err error) {
		found, err = r.engine.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
		return err
	})
	return found.Items, err
}

func (r *Runtime) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	var found client.ContainerInspectResult
	err := r.engine.call(ctx, "inspecting container "+short(id), func(ctx context.Context) (err error) {
		found, err = r.engine.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		return err
	})
	return found.Container, err
}

// labelled returns the containers of this owner that have all the labels.
func (r *Runtime) labelled(ctx context.Context, labels ...string) ([]container.Summary, error) {
	found, err := r.containers(ctx, client.Filters{}.Add("label", labels...))
	return slices.DeleteFunc(found, func(c container.Summary) bool { return !r.ownerIsOurs(c) }), err
}

// find returns the container of an instance, or nil if there is none. Looking
// for both labels and the owner is what keeps foreign containers out of reach.
func (r *Runtime) find(ctx context.Context, instance string) (*container.Summary, error) {
	found, err := r.labelled(ctx, LabelApp+"="+r.options.App, LabelInstance+"="+instance)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// must is find for calls that need the instance to exist.
func (r *Runtime) must(ctx context.Context, instance string) (*container.Summary, error) {
	found, err := r.find(ctx, instance)
	if err == nil && found == nil {
		err = &switcher.Error{
			Code: switcher.CodeFailed,
			What: "instance " + instance + " of app " + r.options.App + " has no container",
			Hint: "somebody may have removed it; `docker ps --all --filter label=" + LabelApp + "` shows what there is",
		}
	}
	return found, err
}

// own reports whether a container carries the marks of this app and its owner.
func (r *Runtime) own(c container.Summary) bool {
	return c.Labels[LabelApp] == r.options.App && r.ownerIsOurs(c)
}

// ownerIsOurs reports whether no other owner has marked the container. One
// without a mark is from before there were owners, or nobody's.
func (r *Runtime) ownerIsOurs(c container.Summary) bool {
	owner := c.Labels[LabelOwner]
	return owner == "" || r.options.Owner == "" || owner == r.options.Owner
}

// named returns the container that has that name, or nil.
func named(all []container.Summary, name string) *container.Summary {
	for i := range all {
		if slices.Contains(all[i].Names, "/"+name) {
			return &all[i]
		}
	}
	return nil
}

// describe names a container so that an operator finds it.
func describe(c container.Summary) string {
	name := short(c.ID)
	if len(c.Names) > 0 {
		name = strings.TrimPrefix(c.Names[0], "/") + " (" + name + ")"
	}
	if app := c.Labels[LabelApp]; app != "" {
		return "container " + name + " of app " + app
	}
	return "container " + name + " of image " + c.Image
}

// short returns as much of an id as `docker ps` shows.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
