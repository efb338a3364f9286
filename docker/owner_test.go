package docker_test

import (
	"errors"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/switcher"
)

func owner(id string) func(*docker.Options) {
	return func(o *docker.Options) { o.Owner = id }
}

func TestContainersOfAnotherOwnerAreOutOfReach(t *testing.T) {
	b := newBench(t, owner("first"))
	spec := b.spec("--release", "first")
	b.start(spec)
	second := b.runtime(owner("second"))
	if listed, err := second.List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if err := errors.Join(second.Stop(t.Context(), spec.Instance), second.Remove(t.Context(), spec.Instance)); err != nil {
		t.Error(err)
	}
	if err := second.Keep(t.Context(), spec.Instance); err == nil {
		t.Error("Keep: no error")
	}
	if _, err := second.Wait(t.Context(), spec.Instance); err == nil {
		t.Error("Wait: no error")
	}
	if _, err := second.Tail(t.Context(), spec.Instance, 5); err == nil {
		t.Error("Tail: no error")
	}
	if got := get(t, spec.Port, "/", nil); got != "first\n" {
		t.Errorf("the container of another owner was touched: it answers %q", got)
	}
}

func TestContainerOfAnotherOwnerIsRefusedWithTheWayToTakeItOver(t *testing.T) {
	b := newBench(t, owner("first"))
	spec := b.spec("--release", "first")
	b.start(spec)
	for place, change := range map[string]func(*docker.Options){
		"name": func(o *docker.Options) { o.Owner = "second" },
		"port": func(o *docker.Options) { o.Owner, o.Name = "second", b.app+"-second-{colour}" },
	} {
		second := &bench{Runtime: b.runtime(change), t: t, api: b.api, app: b.app, repo: b.repo}
		second.refuses(spec, place, b.app+"-blue", "belongs to another bluegreen")
		_, hint := wantCode(t, second.Check(t.Context(), spec), switcher.CodeRefused)
		if !strings.Contains(hint, docker.LabelOwner) || !strings.Contains(hint, "<state.dir>/id") {
			t.Errorf("%s: hint %q", place, hint)
		}
	}
	if label := b.inspect(b.app + "-blue").Config.Labels[docker.LabelOwner]; label != "first" {
		t.Fatalf("the label that the hint names is %q", label)
	}
	heir := b.runtime(owner("first"))
	if listed, err := heir.List(t.Context()); err != nil || len(listed) != 1 {
		t.Errorf("with the owner's id: %+v, %v", listed, err)
	}
}

func TestContainersFromBeforeThereWereOwnersAreOwn(t *testing.T) {
	b := newBench(t, nil)
	spec := b.spec()
	b.start(spec)
	if _, marked := b.inspect(b.app + "-blue").Config.Labels[docker.LabelOwner]; marked {
		t.Error("it has an owner's mark")
	}
	after := b.runtime(owner("first"))
	if err := after.Check(t.Context(), spec); err != nil {
		t.Errorf("it is an obstacle: %v", err)
	}
	if listed, err := after.List(t.Context()); err != nil || len(listed) != 1 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if err := after.Remove(t.Context(), spec.Instance); err != nil || b.containers() != 0 {
		t.Errorf("%d containers left, %v", b.containers(), err)
	}
}
