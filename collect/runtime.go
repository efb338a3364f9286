package collect

import (
	"context"

	"sofiacall.com/bluegreen/switcher"
)

// collected is a runtime whose instances are followed from their start until
// before their removal.
type collected struct {
	switcher.Runtime
	c *Collector
}

func (r collected) Start(ctx context.Context, spec switcher.Spec) error {
	err := r.Runtime.Start(ctx, spec)
	if err == nil {
		r.c.mu.Lock()
		r.c.follow(source{spec.Instance, spec.Colour, spec.Release.ID, spec.Release.Commit}, true)
		r.c.mu.Unlock()
	}
	return err
}

// Remove waits a moment for the last lines. A disk that takes none delays it by
// Collector.patience.
func (r collected) Remove(ctx context.Context, instance string) error {
	if err := r.Runtime.Stop(ctx, instance); err != nil {
		return err
	}
	r.c.finish(ctx, instance)
	defer r.c.forget(instance)
	return r.Runtime.Remove(ctx, instance)
}
