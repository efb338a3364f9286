package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Once runs the job as a process of this machine, which a keeper starts and
// waits for: so its exit code is known also when the edge dies meanwhile.
func (r *Runtime) Once(ctx context.Context, job switcher.Job, take func(switcher.Line)) (exitCode int, err error) {
	in, err := r.claimJob(job)
	if err != nil {
		return 0, err
	}
	if err := r.begin(ctx, in, job); err != nil {
		return 0, err
	}
	err = r.read(ctx, in, &follower{whole: true, take: func(lines []switcher.Line) error {
		for _, line := range lines {
			take(line)
		}
		return nil
	}})
	if err != nil {
		return 0, fmt.Errorf("waiting for job %s: %w", job.ID, err)
	}
	exitCode, err = r.outcome(in)
	if left := r.forgetJob(ctx, in); left != nil {
		r.log.Warn("a job that has ended could not be removed", "job", job.ID, "error", left)
	}
	return exitCode, err
}

// Jobs returns the ids of the app's jobs, sorted.
func (r *Runtime) Jobs(context.Context) ([]string, error) {
	ids := []string{}
	for _, in := range r.all() {
		if rec := in.record(); rec.Job && rec.State != unborn {
			ids = append(ids, rec.Instance)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// claimJob returns the job of that id, a new one if there is none.
func (r *Runtime) claimJob(job switcher.Job) (*instance, error) {
	if r.open.Err() != nil {
		return nil, errClosed
	}
	in, err := r.findAny(job.ID)
	switch {
	case err != nil:
		return nil, err
	case in == nil && len(job.Command) == 0:
		return nil, &switcher.Error{Code: switcher.CodeFailed, What: "there is no job " + job.ID}
	case in == nil && len(r.keeper) == 0:
		return nil, errors.New("process runtime: there is nobody to keep jobs")
	case in == nil:
		in = r.add(record{App: r.app, Instance: job.ID, Job: true, State: unborn, ExitCode: switcher.ExitUnknown})
	}
	if !in.record().Job {
		return nil, &switcher.Error{Code: switcher.CodeRefused, What: job.ID + " is an instance, no job"}
	}
	return in, nil
}

// begin sees to it that the job has been started, once.
func (r *Runtime) begin(ctx context.Context, in *instance, job switcher.Job) error {
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.release()
	if in.gone() {
		return fmt.Errorf("job %s was removed while it was to be started", job.ID)
	}
	if in.record().State == starting {
		if err := r.settle(ctx, in); err != nil {
			return err
		}
	}
	if in.record().State != unborn {
		return nil
	}
	err := error(&switcher.Error{Code: switcher.CodeFailed, What: "job " + job.ID + " was recorded, but never started: it has done nothing"})
	if len(job.Command) > 0 {
		err = r.launchJob(in, job)
	}
	if err != nil {
		return errors.Join(err, r.forget(in))
	}
	return nil
}

// settle finds out what became of a job whose start was cut short. Its process
// may just be executing its program, and cannot be known then.
func (r *Runtime) settle(ctx context.Context, in *instance) error {
	const looks, pause = 10, 20 * time.Millisecond
	for range looks {
		if r.adopt(in); in.running() != nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	end := r.end(in.record().Instance)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rec.State, in.rec.ExitCode = stopped, end.code
	if !end.began {
		in.rec.State = unborn
	}
	return nil
}

// launchJob records the job, then starts its keeper.
func (r *Runtime) launchJob(in *instance, job switcher.Job) error {
	path, err := r.executable(job.Command[0])
	if err != nil {
		return &switcher.Error{
			Code: switcher.CodeFailed,
			What: fmt.Sprintf("command %q of job %s cannot be executed", job.Command[0], job.ID),
			Hint: "name a program that exists and is executable by this user",
			Err:  err,
		}
	}
	err = r.change(in, func(rec *record) {
		rec.State, rec.Process = starting, identity{}
		rec.Release, rec.Commit = job.Release.ID, job.Release.Commit
	})
	if err != nil {
		return err
	}
	end, err := os.OpenFile(r.endPath(job.ID), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("recording job %s: %w", job.ID, err)
	}
	defer end.Close()
	return r.run(in, program{
		path:  "/proc/self/exe", // also after the file of this program was replaced
		argv:  slices.Concat(r.keeper, []string{path}, job.Command),
		more:  job.Environment,
		files: []*os.File{end},
	})
}

// outcome returns the exit code of a job that has ended.
func (r *Runtime) outcome(in *instance) (int, error) {
	rec := in.record()
	end := r.end(rec.Instance)
	switch {
	case end.failure != "":
		return rec.ExitCode, &switcher.Error{Code: switcher.CodeFailed, What: "job " + rec.Instance + " could not be started: " + end.failure}
	case !end.began:
		return rec.ExitCode, &switcher.Error{Code: switcher.CodeFailed, What: "job " + rec.Instance + " was not started: its keeper ended before"}
	case rec.ExitCode == switcher.ExitUnknown:
		return rec.ExitCode, &switcher.Error{
			Code: switcher.CodeFailed,
			What: "how job " + rec.Instance + " ended is not known: it was killed together with its keeper, or the machine went down",
			Hint: "what it was to do may be done, half done or not done",
		}
	}
	return rec.ExitCode, nil
}

func (r *Runtime) forgetJob(ctx context.Context, in *instance) error {
	if err := in.take(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer in.release()
	if in.gone() {
		return nil
	}
	return r.forget(in)
}

// end is what a keeper has written of a job.
type end struct {
	began   bool   // the command may have been started
	failure string // why it could not be
	code    int
}

func (r *Runtime) end(id string) end {
	found := end{code: switcher.ExitUnknown}
	text, err := os.ReadFile(r.endPath(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Error("what is recorded of the end of a job cannot be read", "job", id, "error", err)
		found.began = true
	}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case !strings.HasSuffix(line, "\n"): // the rest was not written
		case word == wordBegan:
			found.began = true
		case word == wordFailed:
			found.code, found.failure = 127, rest
		case word == wordExit:
			if code, err := strconv.Atoi(rest); err == nil {
				found.code = code
			}
		}
	}
	return found
}
