package tracing

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"sofiacall.com/bluegreen/proxy"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a collector: what it answers is what answer says, and nil takes
// everything.
type receiver struct {
	t      *testing.T
	target *Target
	answer http.HandlerFunc

	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest
	headers  []http.Header
	bodies   []string
}

func startReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: answer}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.target = &Target{Endpoint: server.URL, Sample: 1}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	decoded := new(collector.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(body, decoded)
	}
	if err != nil || request.Method != http.MethodPost || request.URL.Path != "/v1/traces" || request.Header.Get("Content-Type") != "application/x-protobuf" {
		r.t.Errorf("%s %s with %s: %v", request.Method, request.URL, request.Header.Get("Content-Type"), err)
	}
	r.mu.Lock()
	r.requests, r.headers, r.bodies = append(r.requests, decoded), append(r.headers, request.Header), append(r.bodies, string(body))
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, request)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// spans waits for n spans and returns them.
func (r *receiver) spans(n int) (spans []*trace.Span) {
	r.t.Helper()
	eventually(r.t, "the spans arrive", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		spans = nil
		for _, request := range r.requests {
			for _, of := range request.ResourceSpans {
				for _, scope := range of.ScopeSpans {
					spans = append(spans, scope.Spans...)
				}
			}
		}
		return len(spans) >= n
	})
	if len(spans) != n {
		r.t.Fatalf("%d spans, want %d", len(spans), n)
	}
	return spans
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// values are the attributes by their names.
func values(attributes []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.Key] = v.IntValue
		}
	}
	return all
}

// logText keeps what was logged.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is an Exporter that runs.
type running struct {
	*Exporter
	log  logText
	stop func()
}

// start runs an exporter which does not keep a test waiting.
func start(t *testing.T, target *Target) *running {
	t.Helper()
	r := new(running)
	r.Exporter = New(Options{Target: target, Version: "1.2.3", Host: "edge-1", Logger: slog.New(slog.NewTextHandler(&r.log, nil))})
	r.batchWait, r.firstRetry, r.stopWait = time.Millisecond, time.Millisecond, 50*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("running: %v", err)
			}
		case <-time.After(patience):
			t.Error("the exporter does not stop")
		}
	})
	t.Cleanup(r.stop)
	return r
}

// edge is a real edge in front of a real backend.
type edge struct {
	t      *testing.T
	server *httptest.Server
	told   chan http.Header // of the requests that the backend got
}

// startEdge routes every request to a backend that answers with the status in
// its path.
func startEdge(t *testing.T, tracer proxy.Tracer, trusted ...func(*proxy.TableOptions)) *edge {
	t.Helper()
	e := &edge{t: t, told: make(chan http.Header, 1)}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.told <- r.Header
		status := map[string]int{"/bad": http.StatusInternalServerError, "/gone": http.StatusNotFound}[r.URL.Path]
		if status == 0 {
			status = http.StatusOK
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(origin.Close)
	backend := proxy.NewBackend(proxy.BackendOptions{Address: origin.Listener.Addr().String()})
	t.Cleanup(backend.Close)
	o := proxy.TableOptions{Services: map[string]*proxy.Service{
		"example.com": proxy.NewService(&proxy.Route{Backend: backend, Policy: proxy.Policy{Public: true}, Tracer: tracer}),
	}}
	for _, f := range trusted {
		f(&o)
	}
	table, err := proxy.NewTable(o)
	if err != nil {
		t.Fatal(err)
	}
	e.server = httptest.NewUnstartedServer(proxy.New(proxy.Options{Table: table}))
	e.server.EnableHTTP2 = true
	e.server.StartTLS()
	t.Cleanup(e.server.Close)
	return e
}

// get asks the edge and returns what it told the backend.
func (e *edge) get(target string, header ...string) http.Header {
	e.t.Helper()
	client := e.server.Client() // knows the certificate of example.com
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", e.server.Listener.Addr().String())
	}
	transport.TLSClientConfig.MinVersion = tls.VersionTLS12
	r, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, "https://example.com"+target, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	_ = response.Body.Close()
	select {
	case h := <-e.told:
		return h
	case <-time.After(patience):
		e.t.Fatal("the backend was not asked")
		return nil
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func hexed(b []byte) string { return hex.EncodeToString(b) }
