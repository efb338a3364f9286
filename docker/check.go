package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"

	"sofiacall.com/bluegreen/switcher"
)

// Check refuses what Start would refuse: a foreign container under the slot's
// name, a foreign container or process on the slot's port.
func (r *Runtime) Check(ctx context.Context, spec switcher.Spec) error {
	all, err := r.containers(ctx, nil)
	if err != nil {
		return err
	}
	return r.refuse(ctx, all, spec)
}

func (r *Runtime) refuse(ctx context.Context, all []container.Summary, spec switcher.Spec) error {
	if err := r.nameIsFree(all, spec); err != nil {
		return err
	}
	return r.portIsFree(ctx, all, spec)
}

func (r *Runtime) nameIsFree(all []container.Summary, spec switcher.Spec) error {
	name := r.options.containerName(spec.Colour)
	holder := named(all, name)
	if holder == nil || r.own(*holder) {
		return nil
	}
	return r.taken(*holder, "the container name "+name, "rename or remove it, or give the app's containers another name (container.name)")
}

func (r *Runtime) portIsFree(ctx context.Context, all []container.Summary, spec switcher.Spec) error {
	const hint = "stop it, or give the slot another port (slots.<colour>.port)"
	port := fmt.Sprintf("port %d of the %s slot", spec.Port, spec.Colour)
	if holder := publisher(all, spec.Port); holder != nil {
		if r.own(*holder) {
			return nil
		}
		return r.taken(*holder, port, hint)
	}
	if err := bindable(ctx, spec.Port); !errors.Is(err, syscall.EADDRINUSE) {
		return ctx.Err() // of other errors: the engine may bind what this user may not
	}
	return refused(hint, "%s is taken by %s", port, listenerOn(spec.Port))
}

// taken refuses what a foreign container holds. One of the same app under
// another owner may well be this app's own, from before its state was lost.
func (r *Runtime) taken(holder container.Summary, what, hint string) error {
	app := r.options.App
	if r.ownerIsOurs(holder) {
		return refused(hint, "%s is taken by %s, which is not an instance of app %s", what, describe(holder), app)
	}
	hint = "leave it to that one and give this app's containers another name and other ports (container.name, slots.<colour>.port)"
	if holder.Labels[LabelApp] == app {
		// A recorded state that does not know the container would have it removed
		// as a stray, and a refused deploy is enough to have recorded one.
		hint += "; or take it over: stop the edge, put the other installation's id (label " + LabelOwner +
			", shown by docker inspect) into <state.dir>/id, put back that installation's <state.dir>/apps/" + app +
			" or, if it is lost, remove what is there, and start the edge"
	}
	return refused(hint, "%s is taken by %s, which belongs to another bluegreen", what, describe(holder))
}

// bindable tries whether a port can be listened on. The engine lets go of the
// port of a container a moment after the container has stopped.
func bindable(ctx context.Context, port int) error {
	const looks, pause = 10, 50 * time.Millisecond
	for n := 0; ; n++ {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return listener.Close()
		}
		if n == looks || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// publisher returns the container that publishes a port, or nil.
func publisher(all []container.Summary, port int) *container.Summary {
	for i := range all {
		for _, published := range all[i].Ports {
			if int(published.PublicPort) == port && published.Type == "tcp" {
				return &all[i]
			}
		}
	}
	return nil
}
