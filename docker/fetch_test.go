package docker_test

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

func TestUnknownImageIsToldAndNotPulledWithPullNever(t *testing.T) {
	b := newBench(t, nil)
	_, err := b.Fetch(t.Context(), b.repo+":nowhere", ignore)
	text, hint := wantCode(t, err, switcher.CodeFailed)
	if want := "unknown image " + b.repo + ":nowhere: not on this machine and pull is never"; text != want {
		t.Errorf("error %q, want %q", text, want)
	}
	if !strings.Contains(hint, "pull: missing") {
		t.Errorf("hint %q", hint)
	}
}

func TestLocalImageHasAnIDAndNoDigest(t *testing.T) {
	for _, policy := range []string{docker.PullNever, docker.PullMissing} {
		b := newBench(t, func(o *docker.Options) { o.Pull = policy })
		ref := enginetest.Image(t, b.api, b.repo, "v1", enginetest.Server(t))
		artifact, err := b.Fetch(t.Context(), ref, ignore)
		if err != nil || !strings.HasPrefix(artifact.ID, "sha256:") || artifact.Digest != "" {
			t.Errorf("%s: %+v, %v", policy, artifact, err)
		}
	}
}

func TestPullReportsProgressAndTheDigest(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Pull = docker.PullMissing })
	registry := enginetest.NewRegistry(t, b.api)
	ref, digest := registry.Push(t, "chat", "v1", enginetest.Server(t), "--release", "pulled")
	var last switcher.Progress
	artifact, err := b.Fetch(t.Context(), ref, func(p switcher.Progress) {
		if p.Done < last.Done {
			t.Errorf("progress goes back: %+v after %+v", p, last)
		}
		last = p
	})
	if err != nil || artifact.Digest != digest {
		t.Fatalf("%+v, %v; want digest %s", artifact, err, digest)
	}
	if last.Text != "pulling "+ref || last.Done == 0 || last.Done != last.Total {
		t.Errorf("last progress %+v", last)
	}
	spec := switcher.Spec{
		Instance: "i1", Colour: switcher.Green, Port: enginetest.Port(t),
		Release: switcher.Release{ID: "r2", Image: ref, ImageID: artifact.ID},
	}
	b.start(spec)
	if got := get(t, spec.Port, "/", nil); got != "pulled\n" {
		t.Errorf("it answers %q", got)
	}
	if err := b.Remove(t.Context(), spec.Instance); err != nil {
		t.Error(err)
	}
}

func TestPullAlwaysBringsTheNewImageUnderTheSameTag(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Pull = docker.PullAlways })
	registry := enginetest.NewRegistry(t, b.api)
	ref, _ := registry.Push(t, "chat", "latest", enginetest.Server(t), "--release", "old")
	first, err := b.Fetch(t.Context(), ref, ignore)
	if err != nil {
		t.Fatal(err)
	}
	_, digest := registry.Push(t, "chat", "latest", enginetest.Server(t), "--release", "new")
	second, err := b.Fetch(t.Context(), ref, ignore)
	if err != nil || second.ID == first.ID || second.Digest != digest {
		t.Errorf("first %+v, then %+v, %v", first, second, err)
	}
	if err := b.Prune(t.Context(), []string{first.ID}); err != nil {
		t.Error(err)
	}
}

func TestImageUnknownToTheRegistry(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Pull = docker.PullAlways })
	registry := enginetest.NewRegistry(t, b.api)
	_, err := b.Fetch(t.Context(), registry.Address+"/chat:nowhere", ignore)
	text, hint := wantCode(t, err, switcher.CodeFailed)
	if !strings.HasPrefix(text, "unknown image "+registry.Address+"/chat:nowhere") || !strings.Contains(hint, "check the tag") {
		t.Errorf("error %q, hint %q", text, hint)
	}
}

func TestUnreachableRegistryNamesTheImageThatIsHere(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Pull = docker.PullAlways })
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(enginetest.Port(t)))
	_, err := b.Fetch(t.Context(), nobody+"/chat:v1", ignore)
	text, hint := wantCode(t, err, switcher.CodeFailed)
	if !strings.Contains(text, "cannot be pulled") || strings.Contains(hint, "pull: missing") {
		t.Errorf("error %q, hint %q", text, hint)
	}
	registry := enginetest.NewRegistry(t, b.api)
	ref, _ := registry.Push(t, "chat", "v1", enginetest.Server(t))
	if _, err := b.Fetch(t.Context(), ref, ignore); err != nil {
		t.Fatal(err)
	}
	registry.Close()
	text, hint = wantCode(t, second(b.Fetch(t.Context(), ref, ignore)), switcher.CodeFailed)
	if !strings.Contains(hint, "pull: missing") || !strings.Contains(hint, "pull: never") {
		t.Errorf("error %q, hint %q", text, hint)
	}
}

func TestStalledPullTimesOut(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Pull, o.PullSilence = docker.PullAlways, time.Second })
	registry := enginetest.NewRegistry(t, b.api)
	ref, _ := registry.Push(t, "chat", "v1", enginetest.Server(t))
	registry.Stall()
	text, _ := wantCode(t, second(b.Fetch(t.Context(), ref, ignore)), switcher.CodeTimeout)
	if !strings.Contains(text, "pulling "+ref) || !strings.Contains(text, "1s") {
		t.Errorf("error %q", text)
	}
}

func TestImportedProgramRunsAndReplacesTheImageBefore(t *testing.T) {
	b := newBench(t, nil)
	program, ref := enginetest.Server(t), b.repo+":imported"
	var ids []string
	for _, release := range []string{"first", "second"} {
		if err := docker.ImportProgram(t.Context(), "", ref, program, "--release", release); err != nil {
			t.Fatal(err)
		}
		artifact, err := b.Fetch(t.Context(), ref, ignore)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, artifact.ID)
	}
	spec := switcher.Spec{
		Instance: "i1", Colour: switcher.Blue, Port: enginetest.Port(t),
		Release: switcher.Release{ID: "r1", Image: ref, ImageID: ids[1]},
	}
	b.start(spec)
	if got := get(t, spec.Port, "/", nil); got != "second\n" {
		t.Errorf("it answers %q", got)
	}
	if _, err := b.api.ImageInspect(t.Context(), ids[0]); err == nil {
		t.Error("the image before is still there")
	}
	if err := docker.ImportProgram(t.Context(), "", ref, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a program that does not exist was imported")
	}
	if err := docker.RemoveImage(t.Context(), "", ref); err == nil {
		t.Error("an image in use was removed")
	}
	if err := b.Remove(t.Context(), spec.Instance); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing
		if err := docker.RemoveImage(t.Context(), "", ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.api.ImageInspect(t.Context(), ids[1]); err == nil {
		t.Error("the removed image is still there")
	}
}

func second[T any](_ T, err error) error { return err }
