package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// reconnect is the pause between two tries to reach an engine that went away.
const reconnect = 500 * time.Millisecond

// Wait blocks until the instance does not run and returns its exit code; that
// of one which its restart policy brings back is of the run that ended. Once it
// has begun, an engine that goes away and comes back does not end it: only ctx
// bounds it.
func (r *Runtime) Wait(ctx context.Context, instance string) (exitCode int, err error) {
	found, err := r.must(ctx, instance)
	if err != nil {
		return 0, err
	}
	doing := "waiting for " + describe(*found)
	for {
		state, err := r.inspect(ctx, found.ID)
		if err == nil && !runs(state.State.Status) {
			return state.State.ExitCode, nil
		}
		if notFound(err) {
			return 0, err
		}
		if err == nil {
			if code, err := r.nextExit(ctx, doing, found.ID); err == nil {
				return code, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		case <-time.After(reconnect):
		}
	}
}

// nextExit waits on the engine's own stream, which tells the exit code even of
// a container that is restarted at once.
func (r *Runtime) nextExit(ctx context.Context, doing, id string) (exitCode int, err error) {
	if err := r.engine.ready(ctx, doing); err != nil {
		return 0, err
	}
	// One of the channels is always served, also when ctx ends; waiting for
	// ctx besides would leave the client's goroutine behind.
	waiting := r.engine.api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case ended := <-waiting.Result:
		if ended.Error != nil {
			return 0, fmt.Errorf("%s: %s", doing, ended.Error.Message)
		}
		return int(ended.StatusCode), nil
	case err := <-waiting.Error:
		return 0, err
	}
}
