package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// sample is one measurement of one contender.
type sample struct {
	Round    int     `json:"round"`
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_us"` // microseconds a request
	Rate     float64 `json:"rate"`   // requests a second
	Busy     float64 `json:"busy"`   // share of its core that the proxy has used
	P50      float64 `json:"p50_us"` // microseconds
	P99      float64 `json:"p99_us"`
	P999     float64 `json:"p999_us"`
	memory
}

// window is a span of time in which a contender's CPU time was measured.
type window struct {
	from, to time.Time
	cpu      time.Duration
	memory   memory
}

// window waits, then measures for the duration. The load goes on before, after
// and meanwhile.
func (c *contender) window(ctx context.Context, after, duration time.Duration) (w window, err error) {
	if err := pause(ctx, after); err != nil {
		return w, err
	}
	w.from = time.Now()
	before, err := cpuTime(c.pids)
	if err != nil {
		return w, err
	}
	if err := pause(ctx, duration); err != nil {
		return w, err
	}
	w.to = time.Now()
	spent, err := cpuTime(c.pids)
	if err != nil {
		return w, err
	}
	w.cpu = spent - before
	w.memory, err = memoryOf(c.pids)
	return w, err
}

// sample counts the requests that have ended within the window.
func (w window) sample(requests []request) (sample, error) {
	var took []float64
	var failures int
	first, last := w.to, w.from
	var longest time.Duration
	for _, r := range requests {
		if r.start.Before(first) {
			first = r.start
		}
		end := r.start.Add(r.took)
		if end.After(last) {
			last = end
		}
		longest = max(longest, r.took)
		if end.Before(w.from) || !end.Before(w.to) {
			continue
		}
		if r.failed {
			failures++
			continue
		}
		took = append(took, float64(r.took)/float64(time.Microsecond))
	}
	if len(took)+failures == 0 || first.After(w.from) || last.Add(longest).Before(w.to) {
		return sample{}, errUneven
	}
	if len(took) == 0 {
		return sample{}, fmt.Errorf("none of %d requests was answered well while it was measured", len(requests))
	}
	slices.Sort(took)
	s := w.count(len(took))
	s.Failures = failures
	s.P50, s.P99, s.P999 = percentile(took, 0.50), percentile(took, 0.99), percentile(took, 0.999)
	return s, nil
}

// count makes a sample of a number of requests in the window.
func (w window) count(requests int) sample {
	seconds := w.to.Sub(w.from).Seconds()
	return sample{
		Requests: requests,
		Seconds:  seconds,
		CPU:      float64(w.cpu.Microseconds()) / float64(requests),
		Rate:     float64(requests) / seconds,
		Busy:     w.cpu.Seconds() / seconds,
		memory:   w.memory,
	}
}

var errUneven = errors.New("the load did not last from before the measurement until after it; is the machine too busy?")

var errInterrupted = errors.New("interrupted")

// pause waits for the duration, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errInterrupted
	}
}
