package apptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"sofiacall.com/bluegreen/switcher"
)

// runtime is a switcher.Runtime whose instances are HTTP servers.
type runtime struct {
	mu        sync.Mutex
	instances map[string]*instance
	sick      map[string]bool
	held      chan struct{}
	holding   atomic.Int64 // requests at holdPath
}

type instance struct {
	switcher.Instance
	server *http.Server
	ended  chan struct{} // closed when it does not run
}

func newRuntime() *runtime {
	return &runtime{instances: make(map[string]*instance), sick: make(map[string]bool)}
}

// SetSick makes the instances of a commit fail their probes, or stop failing.
func (r *runtime) SetSick(commit string, sick bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sick[commit] = sick
}

func (r *runtime) isSick(commit string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sick[commit]
}

// HoldFetch makes fetching an image hang until release is called.
func (r *runtime) HoldFetch() (release func()) {
	held := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = held
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.held = nil
		r.mu.Unlock()
		close(held)
	})
}

// Fetch knows every image but those with the tag "unknown".
func (r *runtime) Fetch(ctx context.Context, image string, report func(switcher.Progress)) (switcher.Artifact, error) {
	if strings.HasSuffix(image, ":unknown") {
		return switcher.Artifact{}, &switcher.Error{
			Code: switcher.CodeFailed, What: "there is no image " + image,
			Hint: "push it first", Output: []string{"manifest unknown"},
		}
	}
	report(switcher.Progress{Text: "pulling " + path.Base(image), Done: 1, Total: 2})
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return switcher.Artifact{}, context.Cause(ctx)
		}
	}
	return switcher.Artifact{ID: "sha256:" + image}, nil
}

func (r *runtime) Check(context.Context, switcher.Spec) error { return nil }

func (r *runtime) Start(_ context.Context, spec switcher.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[spec.Instance]; i != nil && i.Running {
		return nil
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", spec.Port))
	if err != nil {
		return err
	}
	i := &instance{
		Instance: switcher.Instance{ID: spec.Instance, Colour: spec.Colour, Release: spec.Release.ID, Running: true},
		server:   &http.Server{Handler: r.backend(spec.Release.Commit)},
		ended:    make(chan struct{}),
	}
	r.instances[spec.Instance] = i
	go func() {
		defer close(i.ended)
		_ = i.server.Serve(ln)
	}()
	return nil
}

// holdPath is answered when its client has gone.
const holdPath = "/hold"

// backend answers with its commit, or with 503 while that is sick.
func (r *runtime) backend(commit string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch {
		case r.isSick(commit):
			http.Error(w, "sick", http.StatusServiceUnavailable)
		case request.URL.Path == holdPath:
			r.holding.Add(1)
			<-request.Context().Done()
			r.holding.Add(-1)
		default:
			_, _ = io.WriteString(w, commit)
		}
	})
}

func (r *runtime) Keep(context.Context, string) error { return nil }

func (r *runtime) Stop(_ context.Context, id string) error {
	r.mu.Lock()
	i := r.instances[id]
	if i != nil {
		i.Running = false
	}
	r.mu.Unlock()
	if i != nil {
		_ = i.server.Close()
		<-i.ended
	}
	return nil
}

func (r *runtime) Remove(ctx context.Context, id string) error {
	err := r.Stop(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.instances, id)
	return err
}

func (r *runtime) List(context.Context) ([]switcher.Instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []switcher.Instance
	for _, i := range r.instances {
		all = append(all, i.Instance)
	}
	return all, nil
}

func (r *runtime) Wait(ctx context.Context, id string) (int, error) {
	r.mu.Lock()
	i := r.instances[id]
	r.mu.Unlock()
	if i == nil {
		return 0, errors.New("there is no instance " + id)
	}
	select {
	case <-i.ended:
		return 0, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// Watch tells nothing: nothing happens to these instances by itself.
func (r *runtime) Watch(ctx context.Context, _ func(switcher.Incident)) error {
	<-ctx.Done()
	return nil
}

func (r *runtime) Tail(context.Context, string, int) ([]string, error) {
	return []string{"last words"}, nil
}

// Follow has nothing to pass on.
func (r *runtime) Follow(ctx context.Context, id string, _ switcher.Cursor, _ func([]switcher.Line) error) error {
	_, err := r.Wait(ctx, id)
	return err
}

// Usage is the same for every instance that runs.
func (r *runtime) Usage(_ context.Context, id string) (switcher.Usage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.instances[id]; i == nil || !i.Running {
		return switcher.Usage{}, errors.New("instance " + id + " does not run")
	}
	return switcher.Usage{CPUSeconds: 1.5, Memory: 32 << 20, MemoryLimit: 256 << 20}, nil
}

// Once has every job end at once, and well.
func (r *runtime) Once(context.Context, switcher.Job, func(switcher.Line)) (int, error) {
	return 0, nil
}

func (r *runtime) Jobs(context.Context) ([]string, error) { return nil, nil }

func (r *runtime) Prune(context.Context, []string) error { return nil }

func (r *runtime) stopAll() {
	all, _ := r.List(context.Background())
	for _, i := range all {
		_ = r.Stop(context.Background(), i.ID)
	}
}
