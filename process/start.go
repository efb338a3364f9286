package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// What an instance finds in its environment. The instance id is also the mark
// by which its processes are found again; it counts together with the app and
// the directory, because another edge on this machine may use the same ids.
const (
	envApp      = "BLUEGREEN_APP"
	envColour   = "BLUEGREEN_COLOUR"
	envRelease  = "BLUEGREEN_RELEASE"
	envCommit   = "BLUEGREEN_COMMIT"
	envInstance = "BLUEGREEN_INSTANCE"
	envRecords  = "BLUEGREEN_RECORDS"
	envJob      = "BLUEGREEN_JOB" // its id, of a job: in place of colour and port
	envPort     = "PORT"
)

// Check reports a command that cannot be executed and a foreign process that
// listens on the port; it is named if this user may see it.
func (r *Runtime) Check(ctx context.Context, spec switcher.Spec) error {
	if _, err := r.find(spec.Instance); err != nil {
		return err
	}
	if _, err := r.program(); err != nil {
		return err
	}
	return r.refuseForeign(ctx, spec.Port)
}

// Start records the instance, then starts its process. It does not look at
// what the process does: one that exits at once is a stopped instance.
func (r *Runtime) Start(ctx context.Context, spec switcher.Spec) error {
	in, err := r.claim(spec)
	if err != nil {
		return err
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	defer in.release()
	if in.gone() {
		return fmt.Errorf("instance %s was removed while it was to be started", spec.Instance)
	}
	r.adopt(in)
	if in.running() != nil {
		return nil
	}
	before := in.record()
	if err := r.launch(ctx, in, spec); err != nil {
		return errors.Join(err, r.undo(in, before))
	}
	in.fresh = false
	return nil
}

// undo reverts what a failed start has done: a fresh instance is forgotten, one
// that was there before stays, stopped, with its output.
func (r *Runtime) undo(in *instance, before record) error {
	if in.fresh {
		return r.forget(in)
	}
	if before.State == starting { // and never came up
		before.ExitCode = switcher.ExitUnknown
	}
	before.State, before.Kept = stopped, false
	return r.change(in, func(rec *record) { *rec = before })
}

// claim returns the instance of that id, a new one if there is none.
func (r *Runtime) claim(spec switcher.Spec) (*instance, error) {
	if r.open.Err() != nil {
		return nil, errClosed
	}
	in, err := r.findAny(spec.Instance)
	if in == nil && err == nil {
		in = r.add(record{App: r.app, Instance: spec.Instance, State: stopped, ExitCode: switcher.ExitUnknown})
	}
	if in != nil && in.record().Job {
		return nil, &switcher.Error{Code: switcher.CodeRefused, What: spec.Instance + " is a job, no instance"}
	}
	return in, err
}

// add makes an instance of a record, unless there is one of that id by now.
func (r *Runtime) add(rec record) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.instances[rec.Instance]; in != nil {
		return in
	}
	in := newInstance(rec)
	_, err := os.Lstat(r.outputPath(rec.Instance))
	in.fresh = errors.Is(err, fs.ErrNotExist) // else its record was damaged
	r.instances[rec.Instance] = in
	return in
}

// launch records what is started, then starts it.
func (r *Runtime) launch(ctx context.Context, in *instance, spec switcher.Spec) error {
	if err := r.refuseTaken(ctx, spec.Port); err != nil {
		return err
	}
	err := r.change(in, func(rec *record) {
		rec.Colour, rec.Release, rec.Commit, rec.Port = spec.Colour, spec.Release.ID, spec.Release.Commit, spec.Port
		rec.Kept, rec.ExitCode = false, 0
	})
	if err != nil {
		return err
	}
	return r.spawn(in)
}

// spawn starts the process of a recorded instance.
func (r *Runtime) spawn(in *instance) error {
	path, err := r.program()
	if err != nil {
		return err
	}
	return r.run(in, program{path: path, argv: r.command})
}

// program is what is run as an instance or a job.
type program struct {
	path  string
	argv  []string
	more  map[string]string // variables in addition to those of every instance
	files []*os.File        // from descriptor 3 on
}

// run starts a process. A crash at any point leaves either none, or one that
// the record or its mark leads to.
func (r *Runtime) run(in *instance, p program) error {
	if err := r.change(in, func(rec *record) { rec.State, rec.Process = starting, identity{} }); err != nil {
		return err
	}
	pid, fd, err := r.fork(p, in.record())
	if err != nil {
		return errors.Join(err, r.change(in, func(rec *record) { rec.State = stopped }))
	}
	// It cannot vanish from /proc before watch has waited for it. When it has
	// exited already there is no identity, and watch records the end.
	id, _ := identify(pid)
	err = r.change(in, func(rec *record) { rec.State, rec.Process = running, id })
	if err != nil {
		r.log.Warn("the process is not recorded; it is found by its mark", "instance", in.record().Instance, "error", err)
	}
	r.watch(in, pid, fd)
	return nil
}

// fork runs a program in a process group of its own, with nothing of the edge's
// but the output file and those that the program names.
func (r *Runtime) fork(p program, rec record) (int, *processFD, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	output, err := os.OpenFile(r.outputPath(rec.Instance), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, nil, fmt.Errorf("opening the output of instance %s: %w", rec.Instance, err)
	}
	defer output.Close()

	files := []uintptr{null.Fd(), output.Fd(), output.Fd()}
	for _, file := range p.files {
		files = append(files, file.Fd())
	}
	raw := -1
	pid, err := syscall.ForkExec(p.path, p.argv, &syscall.ProcAttr{
		Dir:   r.directory,
		Env:   r.environ(rec, p.more),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &raw},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("starting %s: %w", p.path, err)
	}
	fd, err := newProcessFD(pid, raw)
	if err != nil {
		syscall.Kill(-pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
		return 0, nil, fmt.Errorf("watching %s: %w", p.path, err)
	}
	return pid, fd, nil
}

// environment returns what every instance gets: little of the edge's own
// environment, which may hold secrets, and what the app's configuration adds.
func environment(configured map[string]string) map[string]string {
	env := make(map[string]string)
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	maps.Copy(env, configured)
	return env
}

// environ returns the variables of an instance or a job; by its mark it is found
// again, so that nothing may be in the place of that.
func (r *Runtime) environ(rec record, more map[string]string) []string {
	env := maps.Clone(r.environment)
	maps.Copy(env, more)
	maps.Copy(env, map[string]string{
		envApp:      rec.App,
		envRelease:  rec.Release,
		envCommit:   rec.Commit,
		envInstance: rec.Instance,
		envRecords:  r.dir,
	})
	if rec.Job {
		env[envJob] = rec.Instance
	} else {
		env[envColour], env[envPort] = string(rec.Colour), strconv.Itoa(rec.Port)
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// refuseForeign refuses a port on which somebody listens who is none of ours.
// An instance that is just ending has lost the marks it could be known by, so a
// stranger is looked at for a moment longer.
func (r *Runtime) refuseForeign(ctx context.Context, port int) error {
	const looks, pause = 10, 50 * time.Millisecond
	for n := 0; ; n++ {
		stranger := r.stranger(port)
		if stranger == nil {
			return nil
		}
		if n == looks {
			return taken(port, stranger.pid)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stranger returns a listener on the port that is none of ours, nil if there
// is none.
func (r *Runtime) stranger(port int) *listener {
	for _, l := range listenersOn(port) {
		if l.pid == 0 || r.ownerOf(l.pid) == "" {
			return &l
		}
	}
	return nil
}

// refuseTaken refuses a port on which anybody listens.
func (r *Runtime) refuseTaken(ctx context.Context, port int) error {
	if err := r.refuseForeign(ctx, port); err != nil {
		return err
	}
	for _, l := range listenersOn(port) {
		return &switcher.Error{
			Code: switcher.CodeRefused,
			What: fmt.Sprintf("port %d is held by instance %s of this app", port, r.ownerOf(l.pid)),
			Hint: "stop that instance first",
		}
	}
	return nil
}

// ownerOf returns the instance that a process is part of, "" if none of ours.
func (r *Runtime) ownerOf(pid int) string {
	if group, err := syscall.Getpgid(pid); err == nil {
		for _, in := range r.all() {
			if run := in.running(); run != nil && run.pid == group {
				return in.record().Instance
			}
		}
	}
	told := variables(pid)
	id := told[envInstance]
	if in, _ := r.findAny(id); in != nil && r.isMark(told, id) {
		return id
	}
	return ""
}

func taken(port, pid int) error {
	who := "another process that this user may not see"
	hint := fmt.Sprintf("find it as root with: ss -ltnp 'sport = :%d'", port)
	if pid != 0 {
		who = fmt.Sprintf("process %d (%s)", pid, programName(pid))
		hint = "end that process, or give the slot another port"
	}
	return &switcher.Error{
		Code: switcher.CodeRefused,
		What: fmt.Sprintf("port %d is taken by %s, which is not an instance of this app", port, who),
		Hint: hint,
	}
}
