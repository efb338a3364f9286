package docker_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// calls are all methods of a runtime, on one instance.
func calls(r *docker.Runtime, spec switcher.Spec) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Fetch":  func(ctx context.Context) error { return second(r.Fetch(ctx, spec.Release.Image, ignore)) },
		"Check":  func(ctx context.Context) error { return r.Check(ctx, spec) },
		"Start":  func(ctx context.Context) error { return r.Start(ctx, spec) },
		"Keep":   func(ctx context.Context) error { return r.Keep(ctx, spec.Instance) },
		"Stop":   func(ctx context.Context) error { return r.Stop(ctx, spec.Instance) },
		"Remove": func(ctx context.Context) error { return r.Remove(ctx, spec.Instance) },
		"List":   func(ctx context.Context) error { return second(r.List(ctx)) },
		"Wait":   func(ctx context.Context) error { return second(r.Wait(ctx, spec.Instance)) },
		"Tail":   func(ctx context.Context) error { return second(r.Tail(ctx, spec.Instance, 5)) },
		"Usage":  func(ctx context.Context) error { return second(r.Usage(ctx, spec.Instance)) },
		"Once": func(ctx context.Context) error {
			return second(r.Once(ctx, switcher.Job{ID: "j1", Release: spec.Release, Command: []string{"/server"}}, nil))
		},
		"Jobs":  func(ctx context.Context) error { return second(r.Jobs(ctx)) },
		"Prune": func(ctx context.Context) error { return r.Prune(ctx, []string{spec.Release.ImageID}) },
	}
}

func TestPausedEngineTimesOutEveryCall(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	gate := enginetest.NewGate(t, b.api)
	r := b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 200*time.Millisecond })
	fresh := b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 200*time.Millisecond })
	if _, err := r.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	gate.Pause()
	for _, runtime := range []*docker.Runtime{r, fresh} {
		for name, call := range calls(runtime, spec) {
			text, hint := wantCode(t, call(t.Context()), switcher.CodeTimeout)
			if !strings.Contains(text, "the Docker engine does not answer") || hint == "" {
				t.Errorf("%s: error %q, hint %q", name, text, hint)
			}
		}
	}
	gate.Resume()
	if _, err := r.List(t.Context()); err != nil {
		t.Errorf("after the engine goes on: %v", err)
	}
}

func TestEngineThatIsDownIsToldWithTheRemedy(t *testing.T) {
	r, err := docker.New(docker.Options{
		App: "chat", Port: 3000, Host: "unix://" + filepath.Join(t.TempDir(), "nobody.sock"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range calls(r, switcher.Spec{Instance: "i1", Colour: switcher.Blue, Port: 3001}) {
		text, hint := wantCode(t, call(t.Context()), switcher.CodeFailed)
		if !strings.Contains(text, "the Docker engine cannot be reached") || !strings.Contains(hint, "systemctl start docker") {
			t.Errorf("%s: error %q, hint %q", name, text, hint)
		}
	}
}

func TestWaitSurvivesABrokenConnection(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	get(t, spec.Port, "/", nil)
	gate := enginetest.NewGate(t, b.api)
	r := b.runtime(func(o *docker.Options) { o.Host = gate.Host() })
	waiting := make(chan struct{})
	gate.OnRequest("/events", func() { close(waiting) })
	type ended struct {
		code int
		err  error
	}
	done := make(chan ended, 1)
	go func() {
		code, err := r.Wait(timeout(t, 20*time.Second), spec.Instance)
		done <- ended{code, err}
	}()
	<-waiting
	gate.Cut()
	if err := b.Stop(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.err != nil || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.Wait(ctx, spec.Instance)
	wantCode(t, err, switcher.CodeTimeout)
}
