package process

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Keep has the instance started again when it dies, with a pause that grows
// from 0.2 to 10 seconds, as long as this Runtime is open. What dies while no
// Runtime is open stays down until it is started.
func (r *Runtime) Keep(ctx context.Context, id string) error {
	in, err := r.known(id)
	if err != nil {
		return err
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.release()
	if in.running() == nil {
		return fmt.Errorf("instance %s does not run (exit code %d)", id, in.record().ExitCode)
	}
	return r.change(in, func(rec *record) { rec.Kept = true })
}

// Stop signals the process group, and kills it when the grace period is over.
func (r *Runtime) Stop(ctx context.Context, id string) error {
	in, err := r.find(id)
	if in == nil || err != nil {
		return err
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.release()
	return r.stop(ctx, in)
}

func (r *Runtime) stop(ctx context.Context, in *instance) error {
	r.adopt(in)
	if in.record().Kept {
		r.record(in, func(rec *record) { rec.Kept = false })
	}
	life := in.running()
	if life == nil {
		if in.record().State == starting { // and never came up
			r.record(in, func(rec *record) { rec.State, rec.ExitCode = stopped, switcher.ExitUnknown })
		}
		return nil
	}
	for _, signal := range []syscall.Signal{r.signal, syscall.SIGKILL} {
		syscall.Kill(-life.pid, signal)
		if r.ends(ctx, life, r.grace) {
			return nil
		}
		if err := cmp.Or(context.Cause(ctx), context.Cause(r.open)); err != nil {
			return fmt.Errorf("stopping instance %s: process %d has not ended yet: %w", in.record().Instance, life.pid, err)
		}
	}
	return fmt.Errorf("stopping instance %s: the kernel does not let process %d die", in.record().Instance, life.pid)
}

// ends waits for the end of a life, at most so long.
func (r *Runtime) ends(ctx context.Context, life *run, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-life.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	case <-r.open.Done():
	}
	return false
}

// Remove stops the instance or the job and deletes its output, then its record.
func (r *Runtime) Remove(ctx context.Context, id string) error {
	in, err := r.findAny(id)
	if in == nil || err != nil {
		return err
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.release()
	if err := r.stop(ctx, in); err != nil {
		return err
	}
	return r.forget(in)
}

// forget deletes all of an instance that does not run.
func (r *Runtime) forget(in *instance) error {
	id := in.record().Instance
	for _, path := range []string{r.outputPath(id), r.endPath(id), r.recordPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing instance %s: %w", id, err)
		}
	}
	in.mu.Lock()
	in.removed = true
	in.mu.Unlock()
	r.mu.Lock()
	delete(r.instances, id)
	r.mu.Unlock()
	return syncDir(r.dir)
}

// List returns the app's instances in the order of their ids.
func (r *Runtime) List(ctx context.Context) ([]switcher.Instance, error) {
	list := []switcher.Instance{}
	for _, in := range r.all() {
		if in.record().Job {
			continue
		}
		if in.record().State == starting && in.running() == nil {
			if err := in.take(ctx); err != nil {
				return nil, err
			}
			r.adopt(in)
			in.release()
		}
		rec := in.record()
		list = append(list, switcher.Instance{
			ID: rec.Instance, Colour: rec.Colour, Release: rec.Release,
			Running: in.running() != nil, ExitCode: rec.ExitCode, Commit: rec.Commit, Port: rec.Port,
		})
	}
	slices.SortFunc(list, func(a, b switcher.Instance) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// Wait returns the exit code, 128 plus the signal for a process that was
// killed, or switcher.ExitUnknown.
func (r *Runtime) Wait(ctx context.Context, id string) (int, error) {
	in, err := r.known(id)
	if err != nil {
		return 0, err
	}
	if life := in.running(); life != nil {
		select {
		case <-life.done:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-r.open.Done():
			return 0, errClosed
		}
	}
	return in.record().ExitCode, nil
}

// Tail looks at no more than the last mebibyte of the output, and leaves out the
// values of the instance's environment.
func (r *Runtime) Tail(_ context.Context, id string, n int) ([]string, error) {
	in, err := r.known(id)
	if err != nil || n <= 0 {
		return nil, err
	}
	file, err := os.Open(r.outputPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // never started
	}
	if err != nil {
		return nil, fmt.Errorf("reading the output of instance %s: %w", id, err)
	}
	defer file.Close()
	lines, err := tail(file, n, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("reading the output of instance %s: %w", id, err)
	}
	mask := r.mask(in)
	for i, line := range lines {
		lines[i] = mask.Line(line)
	}
	return lines, nil
}

// mask hides the configured variables, and those of a process that an earlier
// configuration has started.
func (r *Runtime) mask(in *instance) switcher.Mask {
	environment := r.environ(in.record(), nil)
	if life := in.running(); life != nil {
		for name, value := range variables(life.pid) {
			environment = append(environment, name+"="+value)
		}
	}
	return switcher.NewMask(environment)
}

// tail returns the last n lines within the last limit bytes of a file.
func tail(file *os.File, n int, limit int64) ([]string, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-limit)
	data, err := io.ReadAll(io.NewSectionReader(file, from, limit))
	if err != nil {
		return nil, err
	}
	if from > 0 { // the first line is the rest of one
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	if len(data) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	return lines[max(0, len(lines)-n):], nil
}

// known is find where an unknown instance is an error.
func (r *Runtime) known(id string) (*instance, error) {
	in, err := r.find(id)
	if err == nil && in == nil {
		err = &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf("there is no instance %s", id)}
	}
	return in, err
}

// all returns this app's instances.
func (r *Runtime) all() []*instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	var own []*instance
	for _, in := range r.instances {
		if in.record().App == r.app {
			own = append(own, in)
		}
	}
	return own
}
