package troubles

import (
	"context"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// every is how often a Watcher looks.
const every = 10 * time.Second

// Options make a Watcher; all are required. Each is asked anew at every look.
type Options struct {
	// Tell takes what is wrong or is over, again and again while that is so. It
	// never blocks.
	Tell func(switcher.Notice)
	// Certificates are those of all hosts.
	Certificates func() []Certificate
	// Folders are those whose disks are looked at, and from how many per cent on
	// a disk is full.
	Folders func() (folders []string, full float64)
	// Apps are those whose production is looked at.
	Apps func() []App
	// Figures counts what a release has served on the production route.
	Figures func(app string, colour switcher.Colour, release string, from, to time.Time) (requests, errors int64)
}

// Watcher looks for troubles and when they are over.
type Watcher struct {
	options Options
	disk    func(dir string) (Disk, error)

	began   time.Time            // of the figures
	failing map[string]time.Time // since when a host's certificate cannot be renewed
	full    map[string]bool      // by folder
	ill     map[string]bool      // whether production fails, by app
}

// New returns a Watcher that has seen nothing yet.
func New(options Options) *Watcher {
	return &Watcher{
		options: options, disk: DiskOf, began: time.Now(),
		failing: map[string]time.Time{}, full: map[string]bool{}, ill: map[string]bool{},
	}
}

// Run looks until ctx ends. A disk that does not answer does not keep it.
func (w *Watcher) Run(ctx context.Context) error {
	looked := make(chan struct{}, 1)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		go func() {
			w.look(time.Now())
			looked <- struct{}{}
		}()
		select {
		case <-looked:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *Watcher) look(now time.Time) {
	w.certificates(now)
	w.disks(now)
	for _, app := range w.options.Apps() {
		w.production(app, now)
	}
}
