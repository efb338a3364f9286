package process

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// Options say what a Runtime runs and where it keeps its books.
type Options struct {
	// App is the name of the app; required.
	App string
	// Dir holds one record and one output file per instance. It belongs to
	// this app alone, is created with mode 0700 and must be on a local disk.
	Dir string
	// Command is the program and its arguments; required. A name without a
	// slash is looked up in PATH, one with a slash is relative to Directory.
	Command []string
	// Keeper is how this very program is called, name first, so that it calls Keep
	// with the arguments that are added; without it there are no jobs.
	Keeper []string
	// Directory is where the command is started; empty means where the edge was.
	Directory string
	// Environment is added to the few variables that every instance gets.
	Environment map[string]string
	// StopGracePeriod is the time between the stop signal and the kill; 0 means 10s.
	StopGracePeriod time.Duration
	// StopSignal asks an instance to end, as in "SIGTERM" or "TERM"; empty means SIGTERM.
	StopSignal string
	// Logger tells of instances that die and are started again, and of damaged
	// records; nil means silence.
	Logger *slog.Logger
}

// Runtime implements switcher.Runtime with local processes. At most one
// Runtime may use a directory at a time.
type Runtime struct {
	app         string
	dir         string
	command     []string
	keeper      []string
	directory   string
	environment map[string]string
	grace       time.Duration
	signal      syscall.Signal
	log         *slog.Logger

	open    context.Context // until Close
	close   context.CancelCauseFunc
	watches sync.WaitGroup

	mu        sync.Mutex
	instances map[string]*instance

	telling  sync.Mutex // taken before any other lock
	watchers map[*watcher]bool
}

var _ switcher.Runtime = (*Runtime)(nil)

var errClosed = errors.New("the process runtime has been closed")

// New opens the directory and adopts every instance that still runs. It
// starts nothing: an instance that died meanwhile is listed as not running. A
// damaged record is renamed to *.damaged, or made anew if its instance runs.
func New(options Options) (*Runtime, error) {
	if options.App == "" || options.Dir == "" || len(options.Command) == 0 {
		return nil, errors.New("process runtime: app, directory and command are required")
	}
	signal, err := parseSignal(options.StopSignal)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	r := &Runtime{
		app:         options.App,
		dir:         dir,
		command:     slices.Clone(options.Command),
		keeper:      slices.Clone(options.Keeper),
		directory:   options.Directory,
		environment: environment(options.Environment),
		grace:       options.StopGracePeriod,
		signal:      signal,
		log:         options.Logger,
		instances:   make(map[string]*instance),
		watchers:    make(map[*watcher]bool),
	}
	if r.grace <= 0 {
		r.grace = 10 * time.Second
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.open, r.close = context.WithCancelCause(context.Background())
	if err := r.load(); err != nil {
		r.Close()
		return nil, fmt.Errorf("opening the instances of %s: %w", r.app, err)
	}
	return r, nil
}

// Close ends the watch over the instances, which go on running, and returns
// when nothing of the Runtime is left. Methods called later may fail.
func (r *Runtime) Close() error {
	r.close(errClosed)
	r.watches.Wait()
	return nil
}

// load reads all records and takes over what they describe.
func (r *Runtime) load() error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(r.dir, 0o700); err != nil {
		return err
	}
	records, damaged, err := readRecords(r.dir)
	if err != nil {
		return err
	}
	for _, d := range damaged {
		if rec, ok := r.repair(d); ok {
			records = append(records, rec)
		}
	}
	for _, rec := range records {
		in := newInstance(rec)
		r.instances[rec.Instance] = in
		if rec.App == r.app {
			r.adopt(in)
		}
	}
	return nil
}

// Fetch checks that the command can be executed. The image is a label only;
// the artifact's ID is the SHA-256 of the executable. Unlike an image it is
// not frozen: an instance started later runs what is there then.
func (r *Runtime) Fetch(ctx context.Context, image string, report func(switcher.Progress)) (switcher.Artifact, error) {
	path, err := r.program()
	if err != nil {
		return switcher.Artifact{}, err
	}
	if report != nil {
		report(switcher.Progress{Text: "using " + path})
	}
	file, err := os.Open(path)
	if err != nil {
		return switcher.Artifact{}, fmt.Errorf("reading the command: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, file}); err != nil {
		return switcher.Artifact{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return switcher.Artifact{ID: fmt.Sprintf("sha256:%x", hash.Sum(nil))}, nil
}

// Prune does nothing: the only artifact is the command, which is not ours.
func (r *Runtime) Prune(context.Context, []string) error { return nil }

// program returns the absolute path of the command.
func (r *Runtime) program() (string, error) {
	path, err := r.executable(r.command[0])
	if err != nil {
		return "", &switcher.Error{
			Code: switcher.CodeFailed,
			What: fmt.Sprintf("the command of %s cannot be executed", r.app),
			Hint: "set process.command to a program that exists and is executable by this user",
			Err:  err,
		}
	}
	return path, nil
}

// executable returns the absolute path of a program.
func (r *Runtime) executable(name string) (string, error) {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(r.directory, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// find returns the instance of that id: nil if there is none, or if it is a job,
// an error if it is another app's.
func (r *Runtime) find(id string) (*instance, error) {
	in, err := r.findAny(id)
	if in != nil && in.record().Job {
		return nil, nil
	}
	return in, err
}

// findAny returns the instance or the job of that id, as find does.
func (r *Runtime) findAny(id string) (*instance, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	r.mu.Lock()
	in := r.instances[id]
	r.mu.Unlock()
	if in != nil && in.record().App != r.app {
		return nil, &switcher.Error{
			Code: switcher.CodeRefused,
			What: fmt.Sprintf("instance %s belongs to app %s, not to %s", id, in.record().App, r.app),
			Hint: "give each app a directory of its own",
		}
	}
	return in, nil
}

func parseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	upper := strings.ToUpper(name)
	if !strings.HasPrefix(upper, "SIG") {
		upper = "SIG" + upper
	}
	if signal := unix.SignalNum(upper); signal != 0 {
		return signal, nil
	}
	return 0, fmt.Errorf("unknown stop signal %q", name)
}

// contextReader fails when its context has ended.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
