package metrics

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func testOptions() Options {
	return Options{
		Version: "v1", Phases: []string{"steady", "baking"}, SlotStates: []string{"empty", "active"}, Operations: []string{"deploy", "switch"},
		Healths: []string{"healthy", "unhealthy", "unknown"}, Verdicts: []string{"good", "bad", "undecided"},
		Failures: []Failure{{Name: "none"}, {"dial", true}, {Name: "denied"}},
	}
}

func testState() State {
	return State{
		Apps: []App{{
			Name: "shop", Up: true, Phase: "baking", Rollback: true, Verdict: "undecided", BakeEnd: time.Unix(1_800_000_000, 0),
			Routes: map[string]string{"production": "blue", "internal": "green"},
			Slots: map[string]Slot{
				"blue": {State: "active", Release: &Release{"r\xff1", "c1", "shop:1"}, InFlight: 3, Upgraded: 2, Health: "healthy", Latency: time.Millisecond,
					Usage: &Usage{CPU: 1500 * time.Millisecond, Memory: 1 << 20, MemoryLimit: 1 << 30, Restarts: 2}},
				"green": {State: "empty"},
			},
			Drain:     &Drain{Colour: "green", InFlight: 1, Upgraded: 4, CutRequests: 5, CutUpgraded: 6},
			LinesLost: map[string]int64{"access-blue": 7},
			Database:  &Database{Up: true, Backup: time.Now().Add(-time.Hour)},
		}},
		Disks:        map[string]float64{"logs": 0.75},
		Certificates: []Certificate{{Host: "shop.example.com", NotAfter: time.Unix(1_900_000_000, 0), OK: true}, {Host: "none.example.com"}},
	}
}

func scrape(t *testing.T, m *Metrics, accept string) map[string]*dto.MetricFamily {
	t.Helper()
	var complaints strings.Builder
	h := m.Handler(testState, slog.New(slog.NewTextHandler(&complaints, nil)))
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	if w.Code != http.StatusOK || complaints.Len() != 0 {
		t.Fatalf("status %d, complaints %q: %s", w.Code, complaints.String(), w.Body)
	}
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
	if accept == "" {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return families
	}
	for {
		var f dto.MetricFamily
		err := decoder.Decode(&f)
		if err == io.EOF {
			return families
		}
		if err != nil {
			t.Fatal(err)
		}
		families[f.GetName()] = &f
	}
}

// value finds the series that has all the labels, given as name, value.
func value(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
series:
	for _, m := range families[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		for i := 0; i < len(labels); i += 2 {
			if has[labels[i]] != labels[i+1] {
				continue series
			}
		}
		return m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	t.Errorf("%s%q is not told", name, labels)
	return 0
}

const protobuf = `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited`

func TestEverythingIsTold(t *testing.T) {
	m := New(testOptions())
	r := m.Route("shop", "production", "blue", "r1")
	r.Request(request(200, time.Millisecond))
	r.Request(&Request{Method: "BREW", Status: 502, Failure: 1, Counts: true, Error: true, Retries: 2})
	r.Request(&Request{Method: "GET", Status: 403, Failure: 2})
	r.PathRequest("/app/", request(200, time.Millisecond))
	r.UpgradeBegin()
	r.UpgradeEnd(Upgrade{Duration: time.Hour, BytesIn: 3, Cut: true})
	m.Ended("shop", "switch", true)
	m.Ended("shop", "deploy", false)

	for _, accept := range []string{"", protobuf} {
		told := scrape(t, m, accept)
		for _, c := range []struct {
			want   float64
			name   string
			labels []string
		}{
			{1, "requests_total", []string{"app", "shop", "route", "production", "colour", "blue", "method", "GET", "code", "2xx"}},
			{1, "requests_total", []string{"method", "OTHER", "code", "5xx"}},
			{1, "requests_total", []string{"method", "GET", "code", "1xx"}},
			{1, "request_errors_total", []string{"colour", "blue"}},
			{10, "response_bytes_total", nil},
			{3, "request_bytes_total", nil},
			{2, "retries_total", nil},
			{1, "upstream_errors_total", []string{"kind", "dial"}},
			{1, "unserved_requests_total", []string{"reason", "denied"}},
			{1, "upgrades_total", nil},
			{1, "upgrades_cut_total", nil},
			{1, "path_requests_total", []string{"path", "/app/", "route", "production", "method", "GET", "code", "2xx"}},
			{1, "operations_total", []string{"operation", "switch", "result", "ok"}},
			{1, "operations_total", []string{"operation", "deploy", "result", "failed"}},
			{0, "operations_total", []string{"operation", "deploy", "result", "ok"}},
			{1, "build_info", []string{"version", "v1"}},
			{1, "app_up", nil},
			{0, "app_needs_attention", nil},
			{1, "phase", []string{"phase", "baking"}},
			{0, "phase", []string{"phase", "steady"}},
			{1, "route_slot", []string{"route", "production", "colour", "blue"}},
			{0, "route_slot", []string{"route", "production", "colour", "green"}},
			{1, "slot_state", []string{"colour", "green", "state", "empty"}},
			{1, "release_info", []string{"colour", "blue", "release", "r?1", "commit", "c1", "image", "shop:1"}},
			{1, "rollback_ready", nil},
			{1_800_000_000, "bake_end_timestamp_seconds", nil},
			{1, "bake_verdict", []string{"verdict", "undecided"}},
			{0.75, "disk_used_ratio", []string{"folder", "logs"}},
			{0, "paused", nil},
			{0, "maintenance", nil},
			{3, "requests_in_flight", []string{"colour", "blue"}},
			{2, "upgraded", []string{"colour", "blue"}},
			{1, "health", []string{"colour", "blue", "status", "healthy"}},
			{0, "health", []string{"colour", "blue", "status", "unknown"}},
			{0.001, "health_latency_seconds", nil},
			{0, "health_consecutive_failures", nil},
			{1.5, "container_cpu_seconds_total", nil},
			{1 << 20, "container_memory_bytes", nil},
			{1 << 30, "container_memory_limit_bytes", nil},
			{2, "container_restarts", nil},
			{1, "drain_in_progress", []string{"colour", "green"}},
			{0, "drain_in_progress", []string{"colour", "blue"}},
			{4, "drain_remaining", []string{"colour", "green", "kind", "upgraded"}},
			{5, "drain_cut", []string{"colour", "green", "kind", "requests"}},
			{1_900_000_000, "certificate_expiry_timestamp_seconds", []string{"host", "shop.example.com"}},
			{0, "certificate_ok", []string{"host", "none.example.com"}},
			{1, "database_up", []string{"app", "shop"}},
			{7, "log_lines_lost_total", []string{"file", "access-blue"}},
		} {
			if got := value(t, told, namespace+c.name, c.labels...); got != c.want {
				t.Errorf("%s%q is %v, want %v", c.name, c.labels, got, c.want)
			}
		}
		for _, name := range []string{"request_duration_seconds", "request_first_byte_seconds", "upgrade_duration_seconds", "path_request_duration_seconds"} {
			h := told[namespace+name].GetMetric()[0].GetHistogram()
			if h.GetSampleCount() == 0 || len(h.Bucket) < classicBuckets || (accept == protobuf) != (len(h.PositiveSpan) > 0) {
				t.Errorf("%s is %v", name, h)
			}
		}
		if age := value(t, told, namespace+"backup_age_seconds", "app", "shop"); age < 3600 || age > 3700 {
			t.Errorf("the backup is %v s old", age)
		}
		for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
			if told[name] == nil {
				t.Errorf("%s is not told", name)
			}
		}
	}
}

// What a client or a backend can make up must not become a series.
func TestSeriesAreBoundedWhateverIsRecorded(t *testing.T) {
	m := New(testOptions())
	r := m.Route("shop", "production", "blue", "r1")
	series := func() (n int) {
		for range 5000 {
			r.Request(&Request{
				Method: string([]byte{byte(rand.IntN(256)), byte(rand.IntN(256))}), Status: rand.IntN(2000) - 1000, Failure: rand.IntN(200) - 100,
				Duration: time.Duration(rand.Int64() - 1<<62), FirstByte: time.Duration(rand.Int64()), Counts: rand.IntN(2) == 0, Lasting: rand.IntN(2) == 0,
			})
		}
		for _, family := range scrape(t, m, protobuf) {
			n += len(family.Metric)
		}
		return n
	}
	first := series()
	if second := series(); second != first {
		t.Errorf("%d series became %d", first, second)
	}
}

// A slot's counters go on when it gets another release.
func TestCountersOfASlotNeverShrink(t *testing.T) {
	m := New(testOptions())
	var last float64
	for i := range 3 * releasesKept {
		m.Route("shop", "production", "blue", string(rune('a'+i))).Request(request(500, time.Millisecond))
		now := value(t, scrape(t, m, protobuf), namespace+"request_errors_total", "colour", "blue")
		if now != last+1 {
			t.Fatalf("%v errors after %v", now, last)
		}
		last = now
	}
}

func BenchmarkScrape(b *testing.B) {
	m := New(testOptions())
	for _, route := range []string{"production", "internal"} {
		for _, colour := range []string{"blue", "green"} {
			for i := range 5000 {
				m.Route("shop", route, colour, "r1").Request(request(200, time.Duration(i)*time.Microsecond))
			}
		}
	}
	h := m.Handler(testState, slog.New(slog.DiscardHandler))
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", protobuf)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), request)
	}
}
