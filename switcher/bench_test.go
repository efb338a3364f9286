package switcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// bench is a Runtime in memory whose instances can be made to fail in ways
// that a real one cannot be brought to on demand.
type bench struct {
	mu        sync.Mutex
	instances map[string]*benchInstance
	sick      map[string]error          // by commit: what its probes answer
	hung      map[string]bool           // by commit: they answer nothing
	probing   func(commit string) error // what a probe answers first; nil: nothing
	asked     map[string]int            // by address: how often backends were probed
	dying     map[string]int            // by commit: exit code right after the start
	noStart   error
	tell      func(Incident) // while watched
	telling   bool           // also what Stop and Remove bring about
	words     []string       // last ones of every instance
	stuck     chan struct{}  // while not nil, calls wait for it or their context
	pruned    []string
	used      map[string]float64 // processor time by instance
}

type benchInstance struct {
	Instance
	port   int
	commit string
	kept   bool
	exited chan struct{}
}

func newBench() *bench {
	return &bench{instances: map[string]*benchInstance{}, sick: map[string]error{}, hung: map[string]bool{}, asked: map[string]int{}, dying: map[string]int{}, words: []string{"last words"}}
}

// clone is the bench as a process that starts after a crash finds it.
func (b *bench) clone() *bench {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := newBench()
	maps.Copy(c.sick, b.sick)
	for id, i := range b.instances {
		copied := *i
		copied.exited = make(chan struct{})
		if !i.Running {
			close(copied.exited)
		}
		c.instances[id] = &copied
	}
	return c
}

func (b *bench) wait(ctx context.Context) error {
	b.mu.Lock()
	stuck := b.stuck
	b.mu.Unlock()
	if stuck == nil {
		return nil
	}
	select {
	case <-stuck:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// probed is a probe of a backend, which counts.
func (b *bench) probed(ctx context.Context, address string) error {
	b.mu.Lock()
	b.asked[address]++
	i := b.at(address)
	hangs := i != nil && b.hung[i.commit]
	probing := b.probing
	b.mu.Unlock()
	if i != nil && probing != nil {
		if err := probing(i.commit); err != nil {
			return err
		}
	}
	if hangs {
		<-ctx.Done()
		return errors.New("no answer")
	}
	return b.answer(address)
}

// probes returns how often a slot was probed since it was last asked for.
func (b *bench) probes(c Colour) int {
	port := map[Colour]string{Blue: "127.0.0.1:3001", Green: "127.0.0.1:3002"}[c]
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.asked[port]
	b.asked[port] = 0
	return n
}

func (b *bench) answer(address string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.at(address); i != nil {
		return b.sick[i.commit]
	}
	return errors.New("connection refused")
}

// at returns what runs on an address. Called with b.mu held.
func (b *bench) at(address string) *benchInstance {
	for _, i := range b.instances {
		if fmt.Sprintf("127.0.0.1:%d", i.port) == address && i.Running {
			return i
		}
	}
	return nil
}

// setHung has the probes of a commit answered by nothing.
func (b *bench) setHung(commit string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hung[commit] = true
}

func (b *bench) setSick(commit string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sick[commit] = err
}

func (b *bench) setNoStart(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noStart = err
}

// running lists the ids of the running instances.
func (b *bench) running() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, i := range b.instances {
		if i.Running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (b *bench) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.instances))
}

func (b *bench) Fetch(ctx context.Context, image string, report func(Progress)) (Artifact, error) {
	if err := b.wait(ctx); err != nil {
		return Artifact{}, err
	}
	if filepath.Base(image) == "app:unknown" {
		return Artifact{}, &Error{Code: CodeFailed, What: "unknown image " + image}
	}
	report(Progress{Text: "pulling", Done: 1, Total: 2})
	return Artifact{ID: "sha256:" + image}, nil
}

func (b *bench) Check(ctx context.Context, _ Spec) error { return b.wait(ctx) }

func (b *bench) Start(ctx context.Context, spec Spec) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noStart != nil {
		return b.noStart
	}
	i := b.instances[spec.Instance]
	if i != nil && i.Running {
		return nil
	}
	i = &benchInstance{
		Instance: Instance{
			ID: spec.Instance, Colour: spec.Colour, Release: spec.Release.ID, Running: true,
			Commit: spec.Release.Commit, Image: spec.Release.Image, ImageID: spec.Release.ImageID, Port: spec.Port,
		},
		port: spec.Port, commit: spec.Release.Commit, exited: make(chan struct{}),
	}
	b.instances[spec.Instance] = i
	if b.tell != nil {
		b.tell(Incident{Kind: IncidentStarted, Instance: spec.Instance, Time: time.Now()})
	}
	if code, ok := b.dying[spec.Release.Commit]; ok {
		i.Running, i.ExitCode = false, code
		close(i.exited)
		if b.telling {
			b.tell(Incident{Kind: IncidentDied, Instance: spec.Instance, Time: time.Now(), ExitCode: code})
		}
	}
	return nil
}

func (b *bench) Keep(ctx context.Context, instance string) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.instances[instance]; i != nil {
		i.kept = true
	}
	return nil
}

func (b *bench) Stop(ctx context.Context, instance string) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.instances[instance]; i != nil && i.Running {
		i.Running = false
		close(i.exited)
		if b.telling {
			b.tell(Incident{Kind: IncidentDied, Instance: instance, Time: time.Now()})
		}
	}
	return nil
}

func (b *bench) Remove(ctx context.Context, instance string) error {
	if err := b.Stop(ctx, instance); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.instances, instance)
	return nil
}

func (b *bench) List(ctx context.Context) ([]Instance, error) {
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Instance
	for _, i := range b.instances {
		all = append(all, i.Instance)
	}
	return all, nil
}

func (b *bench) Wait(ctx context.Context, instance string) (int, error) {
	b.mu.Lock()
	i := b.instances[instance]
	b.mu.Unlock()
	if i == nil {
		return 0, errors.New("unknown instance " + instance)
	}
	select {
	case <-i.exited:
		b.mu.Lock()
		defer b.mu.Unlock()
		return i.ExitCode, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (b *bench) Watch(ctx context.Context, tell func(Incident)) error {
	b.mu.Lock()
	b.tell = tell
	for _, i := range b.instances {
		if i.Running {
			tell(Incident{Kind: IncidentStarted, Instance: i.ID, Time: time.Now()})
		}
	}
	b.mu.Unlock()
	<-ctx.Done()
	return nil
}

// happens has an incident noticed.
func (b *bench) happens(i Incident) {
	b.mu.Lock()
	tell := b.tell
	b.mu.Unlock()
	i.Time = time.Now()
	tell(i)
}

func (b *bench) Tail(context.Context, string, int) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.words), nil
}

func (b *bench) Follow(ctx context.Context, instance string, _ Cursor, _ func([]Line) error) error {
	_, err := b.Wait(ctx, instance)
	return err
}

func (b *bench) Usage(ctx context.Context, instance string) (Usage, error) {
	if err := b.wait(ctx); err != nil {
		return Usage{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == nil {
		b.used = map[string]float64{}
	}
	b.used[instance] += 2.5 // each time it is asked
	return Usage{CPUSeconds: b.used[instance], Memory: 1 << 20, Restarts: 1}, nil
}

// Once has every job end at once, and well.
func (b *bench) Once(ctx context.Context, _ Job, _ func(Line)) (int, error) { return 0, b.wait(ctx) }

func (b *bench) Jobs(ctx context.Context) ([]string, error) { return nil, b.wait(ctx) }

func (b *bench) Prune(_ context.Context, drop []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pruned = append(b.pruned, drop...)
	return nil
}
