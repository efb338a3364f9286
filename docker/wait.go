package docker

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"
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
	for began := time.Now(); ; {
		exitCode, err := r.exitSince(ctx, began, found.ID)
		if err == nil || notFound(err) {
			return exitCode, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting for %s: %w", describe(*found), context.Cause(ctx))
		case <-time.After(reconnect):
		}
	}
}

// exitSince waits for the event of the container's death. The engine's own wait
// reads the exit code late: of a container that is restarted at once it may
// say 0. Events since the beginning are told again, so that none falls between
// the subscription and the look at the state, or into a broken connection.
func (r *Runtime) exitSince(ctx context.Context, began time.Time, id string) (exitCode int, err error) {
	if err := r.engine.ready(ctx, "waiting for container "+short(id)); err != nil {
		return 0, err
	}
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	deaths := r.engine.api.Events(watched, client.EventsListOptions{
		Since:   fmt.Sprintf("%d.%09d", began.Unix(), began.Nanosecond()),
		Filters: client.Filters{}.Add("container", id).Add("event", string(events.ActionDie)),
	})
	now, err := r.inspect(ctx, id)
	if err != nil {
		return 0, err
	}
	if !runs(now.State.Status) {
		return now.State.ExitCode, nil
	}
	select {
	case death := <-deaths.Messages:
		return strconv.Atoi(death.Actor.Attributes["exitCode"])
	case err := <-deaths.Err:
		return 0, err
	}
}
