package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// refuses checks that Check and Start refuse the spec in the same words, and
// that Start leaves nothing behind.
func (b *bench) refuses(spec switcher.Spec, words ...string) {
	b.t.Helper()
	before := b.containers()
	for name, try := range map[string]func(context.Context, switcher.Spec) error{"Check": b.Check, "Start": b.Start} {
		text, hint := wantCode(b.t, try(b.t.Context(), spec), switcher.CodeRefused)
		for _, word := range words {
			if !strings.Contains(text, word) {
				b.t.Errorf("%s: %q is missing in %q", name, word, text)
			}
		}
		if hint == "" {
			b.t.Errorf("%s: no hint with %q", name, text)
		}
	}
	if after := b.containers(); after != before {
		b.t.Errorf("%d containers before, %d after", before, after)
	}
}

func TestForeignContainerOnTheNameIsRefusedAndUntouched(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	id := b.foreign(b.app+"-blue", spec, 0)
	b.refuses(spec, b.app+"-blue", "is not an instance of app "+b.app)
	if found := b.inspect(id); !found.State.Running || found.RestartCount != 0 {
		t.Errorf("the foreign container was touched: %+v", found.State)
	}
}

func TestForeignContainerOnThePortIsRefusedAndUntouched(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec("--release", "foreign")
	id := b.foreign(b.app+"-elsewhere", spec, spec.Port)
	b.refuses(spec, fmt.Sprint("port ", spec.Port), b.app+"-elsewhere")
	if got := get(t, spec.Port, "/", nil); got != "foreign\n" || !b.inspect(id).State.Running {
		t.Errorf("the foreign container was touched: it answers %q", got)
	}
}

func TestForeignProcessOnThePortIsRefusedByName(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	listener, err := net.Listen("tcp4", fmt.Sprint("127.0.0.1:", spec.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b.refuses(spec, fmt.Sprint("port ", spec.Port), "docker.test", fmt.Sprint("pid ", os.Getpid()))
}

func TestCheckChangesNothing(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	if err := b.Check(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers", n)
	}
}

func TestProgramThatCannotBeExecutedLeavesNoContainer(t *testing.T) {
	b := newBench(t, func(o *docker.Options) {
		o.Command = []string{"/nothing-here"}
		o.Environment = map[string]string{"TOKEN": "hunter2"}
	})
	text, _ := wantCode(t, b.Start(t.Context(), b.spec()), switcher.CodeFailed)
	if !strings.Contains(text, "/nothing-here") || strings.Contains(text, "hunter2") {
		t.Errorf("error %q", text)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestStartOfAnImageThatIsGoneIsTold(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	spec.Release.ImageID = "sha256:" + strings.Repeat("0", 64)
	text, hint := wantCode(t, b.Start(t.Context(), spec), switcher.CodeFailed)
	if !strings.Contains(text, "no longer on this machine") || hint == "" {
		t.Errorf("error %q, hint %q", text, hint)
	}
}

func TestCancelledStartLeavesNoContainer(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	gate := enginetest.NewGate(t, b.api)
	r := b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 10*time.Second })
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	discarded := errors.New("discarded by maria")
	gate.OnRequest("/start", func() { cancel(discarded) })
	if err := r.Start(ctx, spec); !errors.Is(err, discarded) {
		t.Errorf("error %v, want its cause", err)
	}
	if n := b.containers(); n != 0 {
		t.Errorf("%d containers left", n)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	for words, change := range map[string]func(*docker.Options){
		"no name":       func(o *docker.Options) { o.App = "" },
		"{colour}":      func(o *docker.Options) { o.Name = "backend" },
		"not a port":    func(o *docker.Options) { o.Port = 0 },
		"pull":          func(o *docker.Options) { o.Pull = "sometimes" },
		`"always"`:      func(o *docker.Options) { o.Restart = "always" },
		`"no:3"`:        func(o *docker.Options) { o.Restart = "no:3" },
		"on-failure:0":  func(o *docker.Options) { o.Restart = "on-failure:0" },
		`"host"`:        func(o *docker.Options) { o.Networks = []string{"host"} },
		"not a name":    func(o *docker.Options) { o.Environment = map[string]string{"A=B": "c"} },
		"Docker engine": func(o *docker.Options) { o.Host = "nonsense" },
	} {
		options := docker.Options{App: "chat", Port: 3000}
		change(&options)
		_, err := docker.New(options)
		if text, _ := wantCode(t, err, switcher.CodeUsage); !strings.Contains(text, words) {
			t.Errorf("%q is missing in %q", words, text)
		}
	}
}
