package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"sofiacall.com/bluegreen/switcher"
)

var validJob = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Once runs the job in a container named <app>-job-<id>, with its command in
// place of the image's, behind the image's entrypoint if it has one. A container
// that was created and never started, as a crash may leave it, is started.
func (r *Runtime) Once(ctx context.Context, job switcher.Job, take func(switcher.Line)) (exitCode int, err error) {
	if !validJob.MatchString(job.ID) {
		return 0, &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("%q is no id of a job", job.ID)}
	}
	found, err := r.findJob(ctx, job.ID)
	if err != nil {
		return 0, err
	}
	if found == nil || found.State == container.StateCreated {
		if found, err = r.begin(ctx, found, job); err != nil {
			return 0, err
		}
	}
	err = r.read(ctx, found, nil, func(lines []switcher.Line) error {
		for _, line := range lines {
			take(line)
		}
		return nil
	})
	var last *container.State
	if err == nil {
		last, err = r.lastState(ctx, found.ID)
	}
	switch {
	case notFound(err):
		return 0, &switcher.Error{
			Code: switcher.CodeFailed,
			What: "job " + job.ID + " was removed before its end was told: its exit code is not known",
		}
	case err != nil:
		return 0, fmt.Errorf("waiting for job %s: %w", job.ID, err)
	}
	if err := r.Remove(context.WithoutCancel(ctx), job.ID); err != nil {
		r.options.Logger.WarnContext(ctx, "a job that has ended could not be removed", "app", r.options.App, "job", job.ID, "error", err)
	}
	if last.OOMKilled && last.ExitCode != 0 {
		err = &switcher.Error{
			Code: switcher.CodeFailed,
			What: fmt.Sprintf("job %s was killed, for it needed more memory than it may have (exit code %d)", job.ID, last.ExitCode),
			Hint: "give the app's containers more (container.mem_limit), or have the command do less at a time",
		}
	}
	return last.ExitCode, err
}

// Jobs returns the ids of this owner's jobs of the app, sorted.
func (r *Runtime) Jobs(ctx context.Context) ([]string, error) {
	found, err := r.labelled(ctx, LabelApp+"="+r.options.App, LabelJob)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(found))
	for i, c := range found {
		ids[i] = c.Labels[LabelJob]
	}
	slices.Sort(ids)
	return ids, nil
}

func (r *Runtime) findJob(ctx context.Context, id string) (*container.Summary, error) {
	found, err := r.labelled(ctx, LabelApp+"="+r.options.App, LabelJob+"="+id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// begin starts the job, or leaves none. It does not give up half-way when ctx
// ends: a job that was begun goes on.
func (r *Runtime) begin(ctx context.Context, existing *container.Summary, job switcher.Job) (*container.Summary, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	if len(job.Command) == 0 {
		return nil, r.noJob(ctx, existing, job.ID)
	}
	wanted, err := r.options.wanted(job.Release, job.Environment)
	if err != nil {
		return nil, err
	}
	wanted.Name = r.options.App + "-job-" + job.ID
	wanted.Config.Cmd = job.Command
	wanted.Config.Labels[LabelJob] = job.ID
	wanted.Config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	mask := switcher.NewMask(wanted.Config.Env)

	id := ""
	if existing != nil {
		id = existing.ID
	} else if id, err = r.make(ctx, wanted, job.Release); err != nil {
		return nil, masked(mask, r.drop(ctx, err, job.ID))
	}
	if err := r.launch(ctx, id, wanted.Name); err != nil && !r.wasStarted(ctx, id) {
		return nil, masked(mask, r.drop(ctx, noStart(job, err), job.ID))
	}
	return &container.Summary{ID: id, Names: []string{"/" + wanted.Name}, Labels: wanted.Config.Labels}, nil
}

// noJob says that there is nothing to attach to.
func (r *Runtime) noJob(ctx context.Context, existing *container.Summary, id string) error {
	if existing == nil {
		return &switcher.Error{Code: switcher.CodeFailed, What: "there is no job " + id}
	}
	return r.drop(ctx, &switcher.Error{Code: switcher.CodeFailed, What: "job " + id + " was made, but never started: it has done nothing"}, id)
}

func (r *Runtime) drop(ctx context.Context, failed error, id string) error {
	return r.undo(ctx, failed, "and what is left of the job could not be removed", func(ctx context.Context) error {
		return r.Remove(ctx, id)
	})
}

// wasStarted reports whether a container has run, although its start failed: the
// engine may have taken longer for it than we waited.
func (r *Runtime) wasStarted(ctx context.Context, id string) bool {
	found, err := r.inspect(ctx, id)
	if err != nil {
		return false
	}
	started, err := time.Parse(time.RFC3339Nano, found.State.StartedAt)
	return err == nil && started.Year() > 1
}

// noStart tells a command that the image does not have from other failures; the
// engine has no code for it.
func noStart(job switcher.Job, err error) error {
	text := err.Error()
	if !strings.Contains(text, "exec: ") && !strings.Contains(text, "exec format error") {
		return err
	}
	return &switcher.Error{
		Code: switcher.CodeFailed,
		What: fmt.Sprintf("command %q of job %s cannot be executed in the image of release %s", job.Command[0], job.ID, job.Release),
		Hint: "is it in that image, under that path or on its PATH, and executable? An entrypoint of the image is put before it",
		Err:  err,
	}
}

// lastState returns the state of a container that has ended, also when the
// engine is away for a while.
func (r *Runtime) lastState(ctx context.Context, id string) (*container.State, error) {
	for {
		found, err := r.inspect(ctx, id)
		if err == nil || notFound(err) {
			return found.State, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(reconnect):
		}
	}
}

// masked hides the values of an environment in the text of an error.
func masked(mask switcher.Mask, err error) error {
	var told *switcher.Error
	text := err.Error()
	hidden := mask.Line(text)
	switch {
	case hidden == text:
		return err
	case errors.As(err, &told):
		return &switcher.Error{Code: told.Code, What: hidden, Hint: told.Hint}
	}
	return errors.New(hidden)
}
