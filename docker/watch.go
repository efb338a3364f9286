package docker

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// Watch tells what the engine's events say of the app's containers. An engine
// that is started again has forgotten its events, so whenever Watch connects it
// looks at the containers too.
func (r *Runtime) Watch(ctx context.Context, tell func(switcher.Incident)) error {
	w := &watch{runtime: r, tell: tell, last: time.Now(), known: make(map[string]life)}
	for {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if w.hints > 0 {
			w.hints--
			tell(switcher.Incident{Kind: switcher.IncidentEngine, Time: time.Now()})
		}
		r.options.Logger.DebugContext(ctx, "the events of the Docker engine end", "app", r.options.App, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reconnect):
		}
	}
}

// watch is what one Watch knows.
type watch struct {
	runtime *Runtime
	tell    func(switcher.Incident)
	last    time.Time // of the last event
	known   map[string]life
	hints   int // how often it is still to be told that the engine is away
}

// life is what was told of a container.
type life struct {
	started time.Time // of the last run
	died    time.Time // when the last death was told
	seen    bool      // and that was by a look, so that its event may still come
	oom     bool      // since the start
}

// quiet is how long events that the engine remembers may take to come. They know
// more than a look, which is only for those that it has forgotten.
const quiet = 100 * time.Millisecond

// eventDelay is how long after a container's death its event may be dated.
const eventDelay = 2 * time.Second

// follow tells events until the connection ends. Those since the last one come
// first, so that none falls between two connections.
func (w *watch) follow(ctx context.Context) error {
	const doing = "watching the events of the Docker engine"
	r := w.runtime
	if err := r.engine.ready(ctx, doing); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	filters := client.Filters{}.Add("type", string(events.ContainerEventType)).Add("label", LabelApp+"="+r.options.App)
	for _, action := range []events.Action{events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionHealthStatus} {
		filters = filters.Add("event", string(action))
	}
	// The engine tells events of that very moment again.
	since := w.last.Add(1)
	stream, err := w.subscribe(ctx, client.EventsListOptions{
		Since: fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()), Filters: filters,
	})
	if err != nil {
		return err
	}
	w.hints = 2 // at once, and when what the engine takes along is gone too
	told := time.NewTimer(quiet)
	defer told.Stop()
	for {
		select {
		case e := <-stream.Messages:
			w.event(e)
		case <-told.C:
			if err := w.look(ctx); err != nil {
				return err
			}
		case err := <-stream.Err:
			return err
		}
	}
}

// subscribe begins a stream of events. The client waits without a limit for the
// engine to accept it.
func (w *watch) subscribe(ctx context.Context, o client.EventsListOptions) (client.EventsResult, error) {
	begun := make(chan client.EventsResult, 1)
	go func() { begun <- w.runtime.engine.api.Events(ctx, o) }()
	timer := time.NewTimer(w.runtime.options.CallTimeout)
	defer timer.Stop()
	select {
	case stream := <-begun:
		return stream, nil
	case <-timer.C:
		return client.EventsResult{}, errSilent
	case <-ctx.Done():
		return client.EventsResult{}, context.Cause(ctx)
	}
}

// look compares the containers with what was told of them.
func (w *watch) look(ctx context.Context) error {
	own, err := w.runtime.labelled(ctx, LabelApp+"="+w.runtime.options.App, LabelInstance)
	if err != nil {
		return err
	}
	for _, c := range own {
		details, err := w.runtime.inspect(ctx, c.ID)
		if notFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		w.compare(c.Labels[LabelInstance], details.State)
	}
	return nil
}

func (w *watch) compare(instance string, now *container.State) {
	was, met := w.known[instance]
	started, _ := time.Parse(time.RFC3339Nano, now.StartedAt)
	finished, _ := time.Parse(time.RFC3339Nano, now.FinishedAt)
	if met && finished.After(was.died) {
		i := switcher.Incident{Kind: switcher.IncidentDied, Instance: instance, Time: finished, ExitCode: switcher.ExitUnknown}
		if !runs(now.Status) {
			i.ExitCode, i.OOM = now.ExitCode, now.OOMKilled || was.oom
		}
		w.tell(i)
		was.seen = true
	}
	if !met || finished.After(was.died) {
		was.died = finished
	}
	if runs(now.Status) && started.After(was.started) {
		w.tell(switcher.Incident{Kind: switcher.IncidentStarted, Instance: instance, Time: started})
		was.started, was.oom = started, false
	}
	w.known[instance] = was
}

func (w *watch) event(e events.Message) {
	attributes := e.Actor.Attributes
	at := time.Unix(0, e.TimeNano)
	w.last = at
	instance := attributes[LabelInstance]
	if instance == "" || !w.runtime.ownerIsOurs(container.Summary{Labels: attributes}) {
		return
	}
	was := w.known[instance]
	i := switcher.Incident{Instance: instance, Time: at}
	switch e.Action {
	case events.ActionStart:
		if !at.After(was.started.Add(eventDelay)) && was.died.Before(was.started) {
			break // a look has told it
		}
		i.Kind = switcher.IncidentStarted
		was.started, was.oom = at, false
	case events.ActionOOM:
		i.Kind = switcher.IncidentOOM
		was.oom = true
	case events.ActionDie:
		if !at.After(was.died) || was.seen && !at.After(was.died.Add(eventDelay)) {
			was.seen = false
			break
		}
		i.Kind, i.OOM = switcher.IncidentDied, was.oom
		var err error
		if i.ExitCode, err = strconv.Atoi(attributes["exitCode"]); err != nil {
			i.ExitCode = switcher.ExitUnknown
		}
		was.died, was.seen = at, false
	case events.ActionHealthStatusUnhealthy:
		i.Kind = switcher.IncidentUnhealthy
	}
	w.known[instance] = was
	if i.Kind != "" {
		w.tell(i)
	}
}
