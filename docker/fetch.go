package docker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// Fetch pulls the image as the pull policy says, or finds it on this machine.
// A pull ends when nothing has come for Options.PullSilence.
func (r *Runtime) Fetch(ctx context.Context, image string, report func(switcher.Progress)) (switcher.Artifact, error) {
	local, err := r.local(ctx, image)
	if err != nil && !notFound(err) {
		return switcher.Artifact{}, err
	}
	present := err == nil
	switch {
	case present && r.options.Pull != PullAlways:
		report(switcher.Progress{Text: image + " is on this machine"})
		return local, nil
	case !present && r.options.Pull == PullNever:
		return switcher.Artifact{}, &switcher.Error{
			Code: switcher.CodeFailed,
			What: "unknown image " + image + ": not on this machine and pull is never",
			Hint: "`docker load` or build it here, or set pull: missing",
		}
	}
	if err := r.pull(ctx, image, report); err != nil {
		return switcher.Artifact{}, pullFailed(image, present, err)
	}
	return r.local(ctx, image)
}

// local returns the image as it is on this machine.
func (r *Runtime) local(ctx context.Context, image string) (switcher.Artifact, error) {
	var found client.ImageInspectResult
	err := r.engine.call(ctx, "looking for image "+image, func(ctx context.Context) (err error) {
		found, err = r.engine.api.ImageInspect(ctx, image)
		return err
	})
	if err != nil {
		return switcher.Artifact{}, err
	}
	return switcher.Artifact{ID: found.ID, Digest: digestOf(image, found.RepoDigests)}, nil
}

// digestOf picks the digest under which the image's own repository knows it.
func digestOf(image string, known []string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	for _, text := range known {
		other, err := reference.ParseNormalizedNamed(text)
		if digested, ok := other.(reference.Digested); err == nil && ok && other.Name() == named.Name() {
			return digested.Digest().String()
		}
	}
	return ""
}

// errStalled is why a pull was given up.
var errStalled = errors.New("no progress")

func (r *Runtime) pull(ctx context.Context, image string, report func(switcher.Progress)) error {
	doing := "pulling " + image
	if err := r.engine.ready(ctx, doing); err != nil {
		return err
	}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(r.options.PullSilence, func() { cancel(errStalled) })
	defer silence.Stop()

	err := r.follow(watched, image, func(p switcher.Progress) {
		silence.Reset(r.options.PullSilence)
		if p != (switcher.Progress{}) {
			report(p)
		}
	})
	if errors.Is(context.Cause(watched), errStalled) {
		return &switcher.Error{
			Code: switcher.CodeTimeout,
			What: doing + ": nothing has come for " + r.options.PullSilence.String(),
			Hint: "is the registry reachable from this machine?",
		}
	}
	return r.engine.explain(watched, doing, err)
}

// follow pulls and reports: an empty progress for every sign of life, and the
// sum over the layers a few times a second.
func (r *Runtime) follow(ctx context.Context, image string, report func(switcher.Progress)) error {
	auth, err := registryAuth(image)
	if err != nil {
		r.options.Logger.WarnContext(ctx, "pulling without the registry's credentials", "image", image, "error", err)
	}
	stream, err := r.engine.api.ImagePull(ctx, image, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	defer stream.Close()
	sum := layers{image: image}
	for message, err := range stream.JSONMessages(ctx) {
		if err == nil && message.Error != nil {
			err = message.Error
		}
		if err != nil {
			return err
		}
		report(sum.add(message, time.Now()))
	}
	report(sum.progress())
	return ctx.Err()
}

// pullFailed says what a failed pull means for the operator.
func pullFailed(image string, present bool, err error) error {
	var told *switcher.Error
	if !errors.As(err, &told) {
		told = &switcher.Error{Code: switcher.CodeOf(err), What: "image " + image + " cannot be pulled", Err: err}
		switch {
		case unknownImage(err):
			told.What = "unknown image " + image
			told.Hint = "check the tag; a private repository also says so to who is not logged in"
		case told.Code == switcher.CodeFailed:
			told.Hint = "is the registry reachable from this machine, and is it logged in there (`docker login`)?"
		}
	}
	if present {
		told.Hint += " The image is on this machine: `pull: missing` or `pull: never` would use it."
		told.Hint = strings.TrimSpace(told.Hint)
	}
	return told
}

// unknownImage tells a registry that does not have the image from one that
// does not answer.
func unknownImage(err error) bool {
	if notFound(err) || errdefs.IsPermissionDenied(err) {
		return true
	}
	for _, words := range []string{"manifest unknown", "not found: manifest", "pull access denied", "repository does not exist"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}
