package metrics

import (
	"testing"
	"time"
)

var sample = Request{
	Method: "POST", Status: 201, Duration: 3217 * time.Microsecond, FirstByte: 3100 * time.Microsecond,
	BytesIn: 812, BytesOut: 4096, Counts: true,
}

func TestRecordingAllocatesNothing(t *testing.T) {
	r := New(Options{}).Route("app", "production", "blue", "r1")
	r.PathRequest("/app/", &sample)
	failed := Request{Method: "PURGE", Failure: 3, Counts: true, Error: true, Retries: 1, Lasting: true}
	if n := testing.AllocsPerRun(1000, func() {
		r.Request(&sample)
		r.Request(&failed)
		r.PathRequest("/app/", &sample)
		r.UpgradeBegin()
		r.UpgradeEnd(Upgrade{Duration: time.Hour, BytesIn: 1, BytesOut: 1, Cut: true})
	}); n != 0 {
		t.Errorf("recording allocates %v times", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := New(Options{}).Route("app", "production", "blue", "r1")
	b.ReportAllocs()
	for b.Loop() {
		r.Request(&sample)
	}
}

// All processors record into the same buckets, which is the worst there is.
func BenchmarkRecordFromAllProcessors(b *testing.B) {
	r := New(Options{}).Route("app", "production", "blue", "r1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Request(&sample)
		}
	})
}
