package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
)

const (
	// queueSize is how many spans wait to be sent; those beyond are dropped.
	queueSize = 2048
	// batchSize and batchWait say when what waits is sent: at so many spans,
	// or so long after the first of them.
	batchSize = 512
	batchWait = time.Second
	// stopWait is how long a stop may take to send what still waits.
	stopWait = 2 * time.Second
)

// Target is where spans go, and how many.
type Target struct {
	// Endpoint is the base URL of a collector, to which /v1/traces is added.
	Endpoint string
	// Headers go with every request to it; they may hold secrets.
	Headers map[string]string
	// Sample is the part of the requests that is recorded, from 0 to 1.
	Sample float64
}

// Options make an Exporter.
type Options struct {
	// Target is the first target; nil records nothing.
	Target *Target
	// Version is that of the program, and Host the name of the machine.
	Version, Host string
	// Logger is told when spans are lost; nil discards it.
	Logger *slog.Logger
}

// Exporter takes spans from requests and sends them in batches.
type Exporter struct {
	log      *slog.Logger
	resource *resource.Resource
	scope    *common.InstrumentationScope
	client   *http.Client
	target   atomic.Pointer[Target]
	queue    chan *recorded
	dropped  atomic.Int64 // found no place in the queue

	batchWait, firstRetry, stopWait time.Duration

	// What follows belongs to Run.
	failing bool      // the log was told of a loss last
	told    time.Time // when the log was last told of a loss
	lost    int64     // since then
}

// tellEvery is how often the log is told of losses that go on.
const tellEvery = time.Minute

// New returns an exporter that sends with Run.
func New(o Options) *Exporter {
	e := &Exporter{
		log: o.Logger,
		resource: &resource.Resource{Attributes: []*common.KeyValue{
			text("service.name", "bluegreen"), text("service.version", o.Version), text("host.name", o.Host),
		}},
		scope:     &common.InstrumentationScope{Name: "bluegreen", Version: valid(o.Version)},
		client:    newClient(),
		queue:     make(chan *recorded, queueSize),
		batchWait: batchWait, firstRetry: firstRetry, stopWait: stopWait,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.Apply(o.Target)
	return e
}

// Apply has what is sent from now on go to another target, which nobody changes
// afterwards; nil drops it. Tracers that exist keep the sample they had.
func (e *Exporter) Apply(t *Target) { e.target.Store(t) }

// Tracer returns what records the requests of a route while it leads to a slot
// and a release; nil when nothing is recorded.
func (e *Exporter) Tracer(app, route, colour, release string) *Tracer {
	target := e.target.Load()
	if target == nil {
		return nil
	}
	return &Tracer{
		exporter: e, sample: target.Sample,
		labels: []*common.KeyValue{
			text("bluegreen.app", app), text("bluegreen.route", route), text("bluegreen.colour", colour), text("bluegreen.release", release),
		},
	}
}

// Run sends until ctx ends, then what still waits, for a moment.
func (e *Exporter) Run(ctx context.Context) error {
	defer e.client.CloseIdleConnections()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.stopWait, end) })()
	for {
		batch := e.collect(ctx)
		if len(batch) == 0 { // ctx has ended, and nothing waits
			e.lost += e.dropped.Swap(0)
			e.tell(errStopped)
			return nil
		}
		e.deliver(ctx, life, batch)
	}
}

// collect waits for a batch. Once ctx has ended it returns at once, with what
// there is.
func (e *Exporter) collect(ctx context.Context) (batch []*recorded) {
	var full <-chan time.Time
	for len(batch) < batchSize {
		select {
		case r := <-e.queue: // sooner than ctx
			batch = append(batch, r)
			continue
		default:
		}
		if full == nil && len(batch) > 0 {
			full = time.After(e.batchWait)
		}
		select {
		case r := <-e.queue:
			batch = append(batch, r)
		case <-full:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// deliver sends a batch, and again for as long as the collector asks for that
// and ctx lasts.
func (e *Exporter) deliver(ctx, life context.Context, batch []*recorded) {
	target := e.target.Load()
	if target == nil {
		return // nobody wants them any more
	}
	body, err := e.encode(batch)
	if err != nil {
		e.lose(len(batch), err)
		return
	}
	for attempt := range attempts {
		rejected, err := e.send(life, target, body)
		if wait := e.pause(attempt, err); wait == 0 || !sleep(ctx, wait) {
			e.sent(len(batch), rejected, err)
			return
		}
	}
}

// sleep waits, and reports whether ctx has lasted so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sent notes how a batch has ended.
func (e *Exporter) sent(spans int, rejected int64, err error) {
	switch {
	case err != nil:
		e.lose(spans, err)
	case rejected > 0:
		e.lose(int(rejected), errRejected)
	default:
		e.lose(0, errQueue)
		if e.failing {
			e.failing = false
			e.log.Info("spans reach their collector again")
		}
	}
}

// lose counts spans that are lost, and those that found no place meanwhile, and
// tells the log, but not each time.
func (e *Exporter) lose(spans int, err error) {
	e.lost += int64(spans) + e.dropped.Swap(0)
	if time.Since(e.told) >= tellEvery {
		e.tell(err)
	}
}

func (e *Exporter) tell(err error) {
	if e.lost == 0 {
		return
	}
	e.log.Warn("spans are lost; requests are not affected", "spans", e.lost, "error", err)
	e.told, e.lost, e.failing = time.Now(), 0, true
}
