package metrics

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// client_golang's own histogram is the measure of ours, bucket by bucket.
func TestHistogramsAreThoseOfTheClientLibrary(t *testing.T) {
	for name, durations := range map[string]func() time.Duration{
		"of requests":  func() time.Duration { return time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond)) },
		"of all sizes": func() time.Duration { return time.Duration(rand.Int64N(1 << (10 + rand.IntN(34)))) },
		"on the bounds": func() time.Duration {
			return layout.upper[rand.IntN(buckets-1)] + time.Duration(rand.IntN(3)-1)
		},
	} {
		theirs := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "h", Buckets: seconds(classic[:]), NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: nativeBound(lowestNative).Seconds(),
		})
		ours := new(histogram)
		for range 3000 {
			d := max(durations(), 0)
			theirs.Observe(d.Seconds())
			ours.observe(d)
		}
		want, got := write(t, theirs), write(t, newExposed(names.duration, ours, time.Now(), "app", "production", "blue"))
		if got.GetSampleCount() != want.GetSampleCount() || got.GetSchema() != want.GetSchema() || got.GetZeroCount() != want.GetZeroCount() {
			t.Errorf("%s: count %d, schema %d, zero count %d, want %d, %d, %d", name, got.GetSampleCount(), got.GetSchema(), got.GetZeroCount(),
				want.GetSampleCount(), want.GetSchema(), want.GetZeroCount())
		}
		if off := got.GetSampleSum() / want.GetSampleSum(); off < 0.999999 || off > 1.000001 {
			t.Errorf("%s: sum %v, want %v", name, got.GetSampleSum(), want.GetSampleSum())
		}
		gotNative, wantNative := native(got), native(want)
		for i := lowestNative - 100; i <= highestNative+100; i++ {
			if gotNative[i] != wantNative[i] {
				t.Errorf("%s: native bucket %d holds %d, want %d", name, i, gotNative[i], wantNative[i])
			}
		}
		for i, b := range want.Bucket {
			if g := got.Bucket[i]; g.GetCumulativeCount() != b.GetCumulativeCount() || g.GetUpperBound() != b.GetUpperBound() {
				t.Errorf("%s: classic bucket %v holds %v, want %v", name, g.GetUpperBound(), g, b)
			}
		}
	}
}

func TestEmptyHistogramIsANativeOne(t *testing.T) {
	h := write(t, newExposed(names.duration, new(histogram), time.Now(), "app", "production", "blue"))
	if len(h.PositiveSpan) == 0 && h.GetZeroThreshold() == 0 || len(h.Bucket) != classicBuckets {
		t.Errorf("an empty histogram is %v", h)
	}
}

func write(t *testing.T, m prometheus.Metric) *dto.Histogram {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Histogram
}

// native returns the counts by index.
func native(h *dto.Histogram) map[int]int64 {
	counts := map[int]int64{}
	index, n, delta := 0, int64(0), 0
	for _, span := range h.PositiveSpan {
		index += int(span.GetOffset())
		for range span.GetLength() {
			n += h.PositiveDelta[delta]
			counts[index] = n
			index++
			delta++
		}
	}
	return counts
}

func seconds(all []time.Duration) (s []float64) {
	for _, d := range all {
		s = append(s, d.Seconds())
	}
	return s
}
