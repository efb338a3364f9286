package switcher

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	usageInterval = 10 * time.Second
	usageTimeout  = 5 * time.Second // of one question to the runtime
	// usageKept is how long a sample is told. An engine that is stuck must not
	// make old figures look like new ones.
	usageKept = 3 * usageInterval
)

// Usage is what an instance uses of the machine.
type Usage struct {
	CPUSeconds  float64 `json:"cpu_seconds"` // since it was last started
	Memory      int64   `json:"memory_bytes"`
	MemoryLimit int64   `json:"memory_limit_bytes,omitempty"` // 0: none
	Restarts    int     `json:"restarts"`                     // after deaths
}

// UsageStatus is the last sample of an instance's usage.
type UsageStatus struct {
	Usage
	Processors float64   `json:"processors"` // in use on average since the sample before
	At         time.Time `json:"at"`
}

// usages are the last samples.
type usages struct {
	mu   sync.Mutex
	last map[string]UsageStatus // by instance; nil before the first
}

func (u *usages) of(instance string) *UsageStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	last, known := u.last[instance]
	if !known || time.Since(last.At) > usageKept {
		return nil
	}
	return &last
}

func (u *usages) note(instance string, now Usage) {
	u.mu.Lock()
	defer u.mu.Unlock()
	sample := UsageStatus{Usage: now, At: time.Now()}
	if before, known := u.last[instance]; known && now.CPUSeconds >= before.CPUSeconds {
		sample.Processors = (now.CPUSeconds - before.CPUSeconds) / sample.At.Sub(before.At).Seconds()
	}
	if u.last == nil {
		u.last = map[string]UsageStatus{}
	}
	u.last[instance] = sample
}

// forget drops the samples of all other instances.
func (u *usages) forget(but []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := map[string]UsageStatus{}
	for _, instance := range but {
		if last, known := u.last[instance]; known {
			kept[instance] = last
		}
	}
	u.last = kept
}

// watchUsage samples what the instances of the slots use until ctx ends, so
// that nobody who asks has to wait for an engine.
func (a *App) watchUsage(ctx context.Context) error {
	tick := time.NewTicker(usageInterval)
	defer tick.Stop()
	for {
		a.sampleUsage(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *App) sampleUsage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, usageTimeout)
	defer cancel()
	state, runtime := a.state.Load(), a.settings.Load().Runtime
	var group errgroup.Group
	var instances []string
	for _, slot := range state.Slots {
		if !slot.warm() && slot.State != Starting || runtime == nil {
			continue
		}
		instances = append(instances, slot.Instance)
		group.Go(func() error {
			used, err := runtime.Usage(ctx, slot.Instance)
			if err != nil {
				a.log.Debug("usage is not known", "instance", slot.Instance, "error", err)
				return nil
			}
			a.usage.note(slot.Instance, used)
			return nil
		})
	}
	group.Wait()
	a.usage.forget(instances)
}
