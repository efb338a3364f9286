package collect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// Options make a Collector.
type Options struct {
	App string
	// Files are the log files of the slots; they are the Collector's to write.
	Files map[switcher.Colour]*logfile.Log
	// Logger is told of what could not be collected; nil means silence.
	Logger *slog.Logger
}

// Collector follows every instance of an app and writes its lines.
type Collector struct {
	options Options
	log     *slog.Logger
	wake    chan struct{}
	// patience is how long the removal of an instance waits for its last lines
	// while none of them can be written.
	patience time.Duration

	mu      sync.Mutex
	runtime switcher.Runtime
	follows map[string]*follow
	life    context.Context // of the follows; nil while Run does not run
	running sync.WaitGroup
}

// New returns a Collector that follows nothing yet.
func New(o Options) *Collector {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Collector{
		options: o, log: o.Logger.With("app", o.App), wake: make(chan struct{}, 1), patience: 5 * time.Second, follows: map[string]*follow{},
	}
}

// Through makes runtime the one whose instances are followed, and returns it
// with what collecting needs added: what it starts is followed, and what it
// removes was collected to the last line before.
func (c *Collector) Through(runtime switcher.Runtime) switcher.Runtime {
	c.mu.Lock()
	c.runtime = runtime
	c.mu.Unlock()
	c.hurry()
	return collected{runtime, c}
}

func (c *Collector) hurry() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

const (
	lookEvery  = 30 * time.Second
	firstRetry = 500 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Run follows the instances until ctx ends, and closes the files. What it finds
// when it begins includes those that ran while nobody looked.
func (c *Collector) Run(ctx context.Context) error {
	c.mu.Lock()
	c.life = ctx
	for _, f := range c.follows {
		c.begin(f)
	}
	c.mu.Unlock()
	for pause := firstRetry; ; {
		wait := lookEvery
		if err := c.look(ctx); err != nil {
			c.log.Debug("instances to be followed are not known yet", "error", err)
			wait, pause = pause, min(2*pause, lastRetry)
		} else {
			pause = firstRetry
		}
		select {
		case <-time.After(wait):
		case <-c.wake:
		case <-ctx.Done():
			c.running.Wait()
			for _, file := range c.options.Files {
				if err := file.Close(); err != nil {
					c.log.Warn("closing a log file", "file", file.Path(), "error", err)
				}
			}
			return nil
		}
	}
}

// look follows what the runtime has and nobody follows, and forgets what it no
// longer has.
func (c *Collector) look(ctx context.Context) error {
	runtime := c.current()
	if runtime == nil {
		return nil
	}
	instances, err := runtime.List(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range instances {
		there[i.ID] = true
		c.follow(source{i.ID, i.Colour, i.Release, i.Commit}, i.Running)
	}
	for id, f := range c.follows {
		if !there[id] && !f.leaving && time.Since(f.added) > lookEvery {
			f.cancel()
			delete(c.follows, id)
		}
	}
	return nil
}

func (c *Collector) current() switcher.Runtime {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runtime
}

// follow sees to an instance; again says that it may have written more since it
// was read to the end. Called with c.mu held.
func (c *Collector) follow(s source, again bool) {
	file := c.options.Files[s.Colour]
	f := c.follows[s.Instance]
	switch {
	case file == nil:
		return
	case f == nil:
		f = &follow{source: s, file: file, encoder: newEncoder(c.options.App, s), added: time.Now()}
		c.follows[s.Instance] = f
	case f.leaving || !again || !f.isDone():
		return
	}
	c.begin(f)
}

// begin starts the reading of an instance. Called with c.mu held.
func (c *Collector) begin(f *follow) {
	if c.life == nil || c.life.Err() != nil || f.leaving {
		return
	}
	ctx, cancel := context.WithCancel(c.life)
	done := make(chan struct{})
	f.cancel, f.done = cancel, done
	c.running.Go(func() {
		defer close(done)
		defer cancel()
		c.read(ctx, f)
	})
}

// knows reports whether an instance is followed.
func (c *Collector) knows(instance string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follows[instance] != nil
}
