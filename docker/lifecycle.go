package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// Keep gives the instance's container the configured restart policy.
func (r *Runtime) Keep(ctx context.Context, instance string) error {
	found, err := r.must(ctx, instance)
	if err != nil {
		return err
	}
	return r.setRestart(ctx, found.ID, r.restart)
}

// Stop ends the instance with its stop signal and, after the grace period, for
// good. The container and its output stay; the engine does not restart it.
func (r *Runtime) Stop(ctx context.Context, instance string) error {
	found, err := r.find(ctx, instance)
	if err != nil || found == nil {
		return err
	}
	return r.stop(ctx, found)
}

func (r *Runtime) stop(ctx context.Context, c *container.Summary) error {
	// First the policy, so that neither a crash nor a restart of the engine in
	// the grace period brings it back. The engine refuses that between two runs
	// of a container that keeps dying; once it is stopped, it does not.
	never := container.RestartPolicy{Name: container.RestartPolicyDisabled}
	err := r.setRestart(ctx, c.ID, never)
	if !runs(c.State) || switcher.CodeOf(err) == switcher.CodeTimeout {
		return ignoreNotFound(err)
	}
	refused := err
	grace := seconds(r.options.StopGracePeriod)
	limit := r.options.StopGracePeriod + r.options.CallTimeout
	err = r.engine.callWithin(ctx, limit, "stopping "+describe(*c), func(ctx context.Context) error {
		_, err := r.engine.api.ContainerStop(ctx, c.ID, client.ContainerStopOptions{Timeout: &grace})
		return err
	})
	if err == nil && refused != nil {
		err = r.setRestart(ctx, c.ID, never)
	}
	return ignoreNotFound(err)
}

func (r *Runtime) setRestart(ctx context.Context, id string, policy container.RestartPolicy) error {
	return r.engine.call(ctx, "setting the restart policy of container "+short(id), func(ctx context.Context) error {
		_, err := r.engine.api.ContainerUpdate(ctx, id, client.ContainerUpdateOptions{RestartPolicy: &policy})
		return err
	})
}

// Remove stops the instance or the job and removes its container, with its
// output and its anonymous volumes.
func (r *Runtime) Remove(ctx context.Context, id string) error {
	found, err := r.find(ctx, id)
	if err == nil && found == nil {
		found, err = r.findJob(ctx, id)
	}
	if err != nil || found == nil {
		return err
	}
	if runs(found.State) {
		// The engine stops nothing that somebody else is removing.
		if err := r.stop(ctx, found); err != nil && !r.isBeingRemoved(ctx, found.ID) {
			return err
		}
	}
	err = r.engine.call(ctx, "removing "+describe(*found), func(ctx context.Context) error {
		_, err := r.engine.api.ContainerRemove(ctx, found.ID, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		if errdefs.IsConflict(err) { // somebody else is removing it
			return r.awaitRemoval(ctx, found.ID)
		}
		return err
	})
	return ignoreNotFound(err)
}

// isBeingRemoved reports whether the container is on its way out, or gone.
func (r *Runtime) isBeingRemoved(ctx context.Context, id string) bool {
	found, err := r.inspect(ctx, id)
	return notFound(err) || err == nil && found.State.Status == container.StateRemoving
}

// awaitRemoval blocks until the container is not found, which is its error then.
func (r *Runtime) awaitRemoval(ctx context.Context, id string) error {
	for {
		if _, err := r.engine.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Prune removes images by id. One that a container still uses, or that has
// tags of other repositories too, is left.
func (r *Runtime) Prune(ctx context.Context, drop []string) error {
	var failures []error
	for _, id := range drop {
		err := r.engine.call(ctx, "removing image "+short(id), func(ctx context.Context) error {
			_, err := r.engine.api.ImageRemove(ctx, id, client.ImageRemoveOptions{PruneChildren: true})
			return err
		})
		switch {
		case errdefs.IsConflict(err):
			r.options.Logger.InfoContext(ctx, "image left, for it is in use", "app", r.options.App, "image_id", id)
		case ctx.Err() != nil:
			return fmt.Errorf("removing images: %w", context.Cause(ctx))
		default:
			failures = append(failures, ignoreNotFound(err))
		}
	}
	return errors.Join(failures...)
}

// ignoreNotFound makes nothing of an error that says that there is nothing.
func ignoreNotFound(err error) error {
	if notFound(err) {
		return nil
	}
	return err
}
