package load

import (
	"errors"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// Stats are the counts of a load at one moment.
type Stats struct {
	Kinds   map[Kind]KindStats `json:"kinds"`
	Sockets SocketStats        `json:"sockets"`
}

// KindStats counts the requests of one kind; of WebSockets, the openings and
// the round trips.
type KindStats struct {
	Done     int64            `json:"done"`   // answered, and every check passed
	Failed   int64            `json:"failed"` // not done; never tried again
	Stale    int64            `json:"stale"`  // answered by another release than the fence allowed
	Releases map[string]int64 `json:"releases"`
	Errors   []string         `json:"errors,omitempty"` // the first few different ones

	// Latency of what was done, up to the last byte, within 4 percent.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// SocketStats counts WebSockets.
type SocketStats struct {
	Open         map[string]int64 `json:"open"`           // now, by the release they started on
	Opened       int64            `json:"opened"`         // ever
	ClosedByEdge int64            `json:"closed_by_edge"` // with 1012, after which they connect again
	Broken       map[string]int64 `json:"broken"`         // by reason; each is a failure too
}

// Done returns how many requests and round trips succeeded.
func (s Stats) Done() int64 { return s.sum(func(k KindStats) int64 { return k.Done }) }

// Failed returns how many failed.
func (s Stats) Failed() int64 { return s.sum(func(k KindStats) int64 { return k.Failed }) }

// Stale returns how many were answered by a release that the fence forbade.
func (s Stats) Stale() int64 { return s.sum(func(k KindStats) int64 { return k.Stale }) }

// Errors returns the first few failures of every kind, each with its kind.
func (s Stats) Errors() []string {
	var all []string
	for _, kind := range Kinds() {
		for _, text := range s.Kinds[kind].Errors {
			all = append(all, string(kind)+": "+text)
		}
	}
	return all
}

func (s Stats) sum(of func(KindStats) int64) (total int64) {
	for _, k := range s.Kinds {
		total += of(k)
	}
	return total
}

// Snapshot returns the counts so far. Kinds without workers are left out.
func (l *Load) Snapshot() Stats {
	stats := Stats{Kinds: make(map[Kind]KindStats), Sockets: l.sockets.snapshot()}
	for kind, workers := range l.options.Workers {
		if c := l.counts[kind]; c != nil && workers > 0 {
			stats.Kinds[kind] = c.snapshot()
		}
	}
	return stats
}

const maxErrors = 5

// counter counts one kind.
type counter struct {
	mu      sync.Mutex
	stats   KindStats
	latency histogram
}

func newCounter() *counter {
	return &counter{stats: KindStats{Releases: make(map[string]int64)}}
}

func (c *counter) add(release string, took time.Duration, stale bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stale {
		c.stats.Stale++
	}
	if err != nil {
		c.stats.Failed++
		if text := err.Error(); len(c.stats.Errors) < maxErrors && !slices.Contains(c.stats.Errors, text) {
			c.stats.Errors = append(c.stats.Errors, text)
		}
		return
	}
	c.stats.Done++
	c.stats.Releases[release]++
	c.stats.Max = max(c.stats.Max, took)
	c.latency.add(took)
}

func (c *counter) snapshot() KindStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Releases = maps.Clone(stats.Releases)
	stats.Errors = slices.Clone(stats.Errors)
	stats.P50 = min(c.latency.quantile(0.50), stats.Max)
	stats.P99 = min(c.latency.quantile(0.99), stats.Max)
	return stats
}

// histogram counts durations in microseconds: exactly below 64, then in 32
// steps for each power of two.
type histogram struct {
	total   int64
	buckets [32 * 40]int64
}

func (h *histogram) add(d time.Duration) {
	h.total++
	h.buckets[min(bucket(d), len(h.buckets)-1)]++
}

func bucket(d time.Duration) int {
	us := uint64(max(0, d.Microseconds()))
	shift := max(0, bits.Len64(us)-6)
	return shift*32 + int(us>>shift)
}

// upper is the largest duration of a bucket.
func upper(bucket int) time.Duration {
	shift := max(0, bucket/32-1)
	return time.Duration((uint64(bucket-shift*32)+1)<<shift-1) * time.Microsecond
}

// quantile returns the duration that a share q of all durations do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	left := int64(q*float64(h.total) + 0.5)
	for i, n := range h.buckets {
		if left -= n; left <= 0 && n > 0 {
			return upper(i)
		}
	}
	return 0
}

// socketCounter counts WebSockets.
type socketCounter struct {
	mu    sync.Mutex
	stats SocketStats
}

func (c *socketCounter) opened(release string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Open == nil {
		c.stats.Open, c.stats.Broken = make(map[string]int64), make(map[string]int64)
	}
	c.stats.Opened++
	c.stats.Open[release]++
}

func (c *socketCounter) closed(release string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Open[release]--; c.stats.Open[release] == 0 {
		delete(c.stats.Open, release)
	}
	switch {
	case errors.Is(err, errByEdge):
		c.stats.ClosedByEdge++
	case err != nil:
		c.stats.Broken[err.Error()]++
	}
}

func (c *socketCounter) snapshot() SocketStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Open, stats.Broken = maps.Clone(stats.Open), maps.Clone(stats.Broken)
	return stats
}
