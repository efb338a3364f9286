package tracing

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sofiacall.com/bluegreen/proxy"
)

// example is a span such as the edge records.
func example() proxy.Span {
	return proxy.Span{
		Observation: proxy.Observation{Method: "GET", Status: 200, Duration: time.Millisecond, FirstByte: time.Millisecond},
		Trace:       aTrace, ID: aSpan, Start: time.Now(),
		Client: "192.0.2.1", Host: "example.com", Target: "/", Proto: "HTTP/1.1", Agent: "test",
	}
}

func (r *running) record(n int) {
	tracer := r.Tracer("chat", "production", "blue", "r1")
	for range n {
		tracer.Record(example())
	}
}

// refusing returns an endpoint at which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return "http://" + l.Addr().String()
}

// A collector that is down, or that hangs, is nobody's trouble: requests go
// through, spans beyond the queue are dropped, the stop is prompt, and the log
// is told once.
func TestADeadCollectorDisturbsNothing(t *testing.T) {
	release := make(chan struct{})
	hanging := startReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) }) // before the receiver is closed
	failing := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	for name, endpoint := range map[string]string{"down": refusing(t), "hanging": hanging.target.Endpoint, "failing": failing.target.Endpoint} {
		t.Run(name, func(t *testing.T) {
			x := start(t, &Target{Endpoint: endpoint, Sample: 1, Headers: map[string]string{"Authorization": "Bearer s3cret"}})
			e := startEdge(t, x.Tracer("chat", "production", "blue", "r1"))
			for range 20 {
				if told := e.get("/"); !strings.HasSuffix(told.Get("Traceparent"), "-01") {
					t.Fatalf("the backend is told %q", told.Get("Traceparent"))
				}
			}
			x.record(4 * queueSize)
			x.stop()
			log := x.log.String()
			if n := strings.Count(log, "\n"); n < 1 || n > 2 { // the first loss, and the end
				t.Errorf("%d lines in the log:\n%s", n, log)
			}
			if !strings.Contains(log, "spans are lost; requests are not affected") || strings.Contains(log, "s3cret") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
}

func TestWhatACollectorAsksForAgainIsSentAgain(t *testing.T) {
	for _, status := range []int{429, 502, 503, 504} {
		var asked atomic.Int64
		r := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) < 3 {
				w.WriteHeader(status)
			}
		})
		x := start(t, r.target)
		x.record(1)
		eventually(t, "it is sent three times", func() bool { return r.count() == 3 })
		x.stop()
		if log := x.log.String(); log != "" || asked.Load() != 3 {
			t.Errorf("after %d: asked %d times, the log says %s", status, asked.Load(), log)
		}
	}
	for _, status := range []int{301, 400, 401, 413, 500} {
		r := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/v1/traces")
			w.WriteHeader(status)
		})
		x := start(t, r.target)
		x.record(1)
		eventually(t, "it is lost", func() bool { return strings.Contains(x.log.String(), "spans are lost") })
		if x.stop(); r.count() != 1 {
			t.Errorf("after %d it is sent %d times", status, r.count())
		}
	}
}

func TestACollectorMayAskForPatience(t *testing.T) {
	e := New(Options{})
	for value, want := range map[string]time.Duration{"7": 7 * time.Second, "3600": longestRetry, "99999999999": 0, "-1": 0, "soon": 0, "": 0} {
		wait := e.pause(0, &refusal{status: 429, after: retryAfter(value)})
		if want > 0 && wait != want || want == 0 && (wait < firstRetry/2 || wait > 2*firstRetry) {
			t.Errorf("Retry-After %q: %v", value, wait)
		}
	}
	if e.pause(attempts-1, &refusal{status: 429}) != 0 {
		t.Error("it is sent for ever")
	}
}

func TestRejectedSpansAreTold(t *testing.T) {
	r := startReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		body, err := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 3, ErrorMessage: "too old"}})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(body)
	})
	x := start(t, r.target)
	x.record(5)
	eventually(t, "it is told", func() bool { return strings.Contains(x.log.String(), "spans=3") })
}

func FuzzRejectedSpans(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x08, 0x03})
	f.Fuzz(func(t *testing.T, response []byte) {
		want := new(collector.ExportTraceServiceResponse)
		if proto.Unmarshal(response, want) == nil && len(response) < 5 && rejectedSpans(response) != want.GetPartialSuccess().GetRejectedSpans() {
			t.Errorf("%x: %d, want %d", response, rejectedSpans(response), want.GetPartialSuccess().GetRejectedSpans())
		}
	})
}

// Bytes that are no text must not take the other spans of a batch along.
func TestBytesOfAClientSpoilNoBatch(t *testing.T) {
	r := startReceiver(t, nil)
	x := start(t, r.target)
	s := example()
	s.Method, s.Target, s.Agent, s.Host = "BREW", "/\xff", "\xc3(", "example.com:8443"
	x.Tracer("chat", "production", "blue", "r1").Record(s)
	got := values(r.spans(1)[0].Attributes)
	for name, want := range map[string]any{
		"http.request.method": "_OTHER", "http.request.method_original": "BREW", "url.path": "/\uFFFD", "user_agent.original": "\uFFFD(",
		"server.address": "example.com", "server.port": int64(8443),
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

func TestASpanTellsWhatIsNotSoOfEveryRequest(t *testing.T) {
	r := startReceiver(t, nil)
	x := start(t, r.target)
	s := example()
	s.Status, s.Held, s.Retries, s.Path, s.Failure = 502, 1500*time.Microsecond, 2, "/app/", proxy.FailureReset
	x.Tracer("chat", "production", "blue", "r1").Record(s)
	got := values(r.spans(1)[0].Attributes)
	for name, want := range map[string]any{
		"bluegreen.held_us": int64(1500), "bluegreen.retries": int64(2), "bluegreen.path_route": "/app/",
		"bluegreen.failure": "reset", "error.type": "reset", "http.response.status_code": int64(502),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func TestServersAndVersionsAreNamedAsTheConventionsWant(t *testing.T) {
	for host, want := range map[string]struct {
		name string
		port int64
	}{
		"a.example": {"a.example", 443}, "a.example:8443": {"a.example", 8443}, "[2001:db8::1]:80": {"2001:db8::1", 80},
		"[2001:db8::1]": {"2001:db8::1", 443}, "a.example:": {"a.example", 443}, "": {"", 443},
	} {
		if name, port := server(host); name != want.name || port != want.port {
			t.Errorf("%q: %q and %d, want %+v", host, name, port, want)
		}
	}
	for proto, want := range map[string]string{"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3"} {
		if got := version(proto); got != want {
			t.Errorf("%s: %s, want %s", proto, got, want)
		}
	}
}

// A stop sends what waits, and no more than it has time for.
func TestAStopSendsWhatWaits(t *testing.T) {
	r := startReceiver(t, nil)
	x := start(t, r.target)
	x.stopWait = patience
	x.record(2 * batchSize)
	x.stop()
	r.spans(2 * batchSize)
	for _, request := range r.requests {
		if n := len(request.ResourceSpans[0].ScopeSpans[0].Spans); n > batchSize {
			t.Errorf("a batch of %d", n)
		}
	}
}

func TestHeadersGoToTheCollectorAndAReloadMovesIt(t *testing.T) {
	first, second := startReceiver(t, nil), startReceiver(t, nil)
	first.target.Headers = map[string]string{"Authorization": "Bearer one", "X-Tenant": "chat"}
	x := start(t, first.target)
	x.record(1)
	first.spans(1)
	if h := first.headers[0]; h.Get("Authorization") != "Bearer one" || h.Get("X-Tenant") != "chat" || h.Get("User-Agent") != "bluegreen/1.2.3" {
		t.Errorf("headers %v", h)
	}
	x.Apply(second.target)
	x.record(1)
	second.spans(1)
	if h := second.headers[0]; h["Authorization"] != nil {
		t.Errorf("headers %v", h)
	}
	tracer := x.Tracer("chat", "production", "blue", "r1")
	x.Apply(nil)
	if x.Tracer("chat", "production", "blue", "r1") != nil {
		t.Error("there is a tracer without a target")
	}
	tracer.Record(example()) // of a request that began before
	x.stop()
	if first.count() != 1 || second.count() != 1 || x.log.String() != "" {
		t.Errorf("%d and %d requests, the log says %s", first.count(), second.count(), &x.log)
	}
}

func TestTheLogIsToldOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logText)
		e := New(Options{Target: &Target{}, Logger: slog.New(slog.NewTextHandler(log, nil))})
		for range 150 {
			e.sent(10, 0, errRejected)
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "spans are lost"); n != 3 {
			t.Errorf("told %d times in 150 s", n)
		}
		e.sent(10, 0, nil)
		e.sent(10, 0, nil)
		if n := strings.Count(log.String(), "spans reach their collector again"); n != 1 {
			t.Errorf("told %d times that it works again", n)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name string
		full bool
	}{{"taken", false}, {"dropped", true}} {
		b.Run(c.name, func(b *testing.B) {
			e := New(Options{Target: &Target{Sample: 1}})
			tracer, s := e.Tracer("chat", "production", "blue", "r1"), example()
			for c.full && len(e.queue) < cap(e.queue) {
				tracer.Record(s)
			}
			b.ReportAllocs()
			for b.Loop() {
				tracer.Record(s)
				if !c.full {
					<-e.queue
				}
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	e := New(Options{Target: &Target{Sample: 1}})
	r := keep(e.Tracer("chat", "production", "blue", "r1"), example())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.encode([]*recorded{r}); err != nil {
			b.Fatal(err)
		}
	}
}
