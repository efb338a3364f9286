package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// exposed is a histogram as Prometheus is told it: classic and native at once.
// client_golang has no constant histogram with both.
type exposed struct {
	desc      *prometheus.Desc
	labels    []*dto.LabelPair
	histogram *dto.Histogram
}

// Desc implements prometheus.Metric.
func (e *exposed) Desc() *prometheus.Desc { return e.desc }

// Write implements prometheus.Metric.
func (e *exposed) Write(m *dto.Metric) error {
	m.Label, m.Histogram = e.labels, e.histogram
	return nil
}

func newExposed(f family, h *histogram, began time.Time, values ...string) *exposed {
	counts := new(plainHistogram)
	counts.addAll(h)
	return &exposed{f.desc, prometheus.MakeLabelPairs(f.desc, values), counts.expose(began)}
}

// expose renders the buckets in both ways.
func (p *plainHistogram) expose(began time.Time) *dto.Histogram {
	h := &dto.Histogram{
		SampleSum:        new(time.Duration(p.sum).Seconds()),
		Schema:           new(int32(schema)),
		ZeroThreshold:    new(nativeBound(lowestNative).Seconds()),
		ZeroCount:        new(uint64(p.buckets[0])),
		CreatedTimestamp: timestamppb.New(began),
	}
	var total, before int64
	next := lowestNative + 1 // index after the last native bucket that was told
	for i, n := range p.buckets {
		total += n
		if index := int(layout.native[i]); index != lowestNative && n != 0 {
			switch told := len(h.PositiveDelta); {
			case told > 0 && index == next-1: // the second half of a native bucket
				h.PositiveDelta[told-1] += n
				before += n
				continue
			case told == 0 || index > next:
				h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: new(int32(index - offsetBase(told, next))), Length: new(uint32(0))})
			}
			*h.PositiveSpan[len(h.PositiveSpan)-1].Length++
			h.PositiveDelta = append(h.PositiveDelta, n-before)
			before, next = n, index+1
		}
	}
	h.SampleCount = new(uint64(total))
	if total == 0 { // otherwise it would be no native histogram
		h.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32(0)), Length: new(uint32(0))}}
	}
	p.exposeClassic(h)
	return h
}

// offsetBase is what the offset of a span counts from: of the first from index
// 0, of others from the end of the one before.
func offsetBase(told, next int) int {
	if told == 0 {
		return 0
	}
	return next
}

func (p *plainHistogram) exposeClassic(h *dto.Histogram) {
	var below int64
	i := 0
	for _, bound := range classic {
		for ; i < buckets && layout.upper[i] <= bound; i++ {
			below += p.buckets[i]
		}
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: new(bound.Seconds()), CumulativeCount: new(uint64(below))})
	}
}
