package process

import (
	"context"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// watcher is one Watch: whom to tell, and the lives it knows of.
type watcher struct {
	tell  func(switcher.Incident)
	known map[*run]bool
}

// Watch tells which instances run, then what happens to them. When the Runtime
// is closed it goes on in silence until ctx ends: the instances do too.
func (r *Runtime) Watch(ctx context.Context, tell func(switcher.Incident)) error {
	w := &watcher{tell: tell, known: make(map[*run]bool)}
	r.telling.Lock()
	for _, in := range r.all() {
		if life := in.running(); life != nil && !in.record().Job {
			w.started(in, life)
		}
	}
	r.watchers[w] = true
	r.telling.Unlock()

	<-ctx.Done()
	r.telling.Lock()
	defer r.telling.Unlock()
	delete(r.watchers, w)
	return nil
}

// started tells that a life has begun, unless a watcher knows already.
func (w *watcher) started(in *instance, life *run) {
	if !w.known[life] {
		w.known[life] = true
		w.tell(switcher.Incident{Kind: switcher.IncidentStarted, Instance: in.record().Instance, Time: life.began})
	}
}

func (r *Runtime) tellStarted(in *instance, life *run) {
	if in.record().Job {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	for w := range r.watchers {
		w.started(in, life)
	}
}

func (r *Runtime) tellDied(in *instance, life *run, code int) {
	r.telling.Lock()
	defer r.telling.Unlock()
	for w := range r.watchers {
		if w.known[life] {
			delete(w.known, life)
			w.tell(switcher.Incident{Kind: switcher.IncidentDied, Instance: in.record().Instance, Time: time.Now(), ExitCode: code})
		}
	}
}
