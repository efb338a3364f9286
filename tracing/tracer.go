package tracing

import (
	"math/rand/v2"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"

	"sofiacall.com/bluegreen/proxy"
)

// Tracer records the requests of one route. It implements proxy.Tracer.
type Tracer struct {
	exporter *Exporter
	sample   float64
	labels   []*common.KeyValue
}

var _ proxy.Tracer = (*Tracer)(nil)

// Sample implements proxy.Tracer.
func (t *Tracer) Sample() bool { return rand.Float64() < t.sample }

// Record implements proxy.Tracer.
func (t *Tracer) Record(s proxy.Span) {
	if len(t.exporter.queue) == cap(t.exporter.queue) {
		t.exporter.dropped.Add(1)
		return
	}
	select {
	case t.exporter.queue <- keep(t, s):
	default:
		t.exporter.dropped.Add(1)
	}
}

// recorded is a span that waits to be sent.
type recorded struct {
	tracer *Tracer
	proxy.Span
}

// keep makes copies of what would hold the header of the request in memory.
func keep(t *Tracer, s proxy.Span) *recorded {
	for _, text := range [...]*string{&s.Parent, &s.Method, &s.Host, &s.Target, &s.Agent, &s.Request} {
		*text = strings.Clone(*text)
	}
	return &recorded{t, s}
}
