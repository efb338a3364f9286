package tracing

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"sofiacall.com/bluegreen/proxy"
)

const (
	aTrace  = "0af7651916cd43dd8448eb211c80319c"
	aSpan   = "b7ad6b7169203331"
	aParent = "00-" + aTrace + "-" + aSpan + "-01"
)

func TestTheSpanOfARequestStandsBetweenItsClientAndItsBackend(t *testing.T) {
	r := startReceiver(t, nil)
	e := startEdge(t, start(t, r.target).Tracer("chat", "production", "green", "r7"))
	told := e.get("/some/path?token=s3cret", "Traceparent", aParent, "Tracestate", "vendor=1", "User-Agent", "test/1",
		"Cookie", "session=s3cret", "Authorization", "Bearer s3cret")
	s := r.spans(1)[0]
	if want := "00-" + aTrace + "-" + hexed(s.SpanId) + "-01"; told.Get("Traceparent") != want || told.Get("Tracestate") != "vendor=1" {
		t.Errorf("the backend is told %q and %q, want %q", told.Get("Traceparent"), told.Get("Tracestate"), want)
	}
	if hexed(s.TraceId) != aTrace || hexed(s.ParentSpanId) != aSpan || s.Kind != trace.Span_SPAN_KIND_SERVER || s.Name != "GET" || s.Status != nil || s.Flags != 0x301 {
		t.Errorf("span %v", s)
	}
	got := values(s.Attributes)
	for name, want := range map[string]any{
		"bluegreen.app": "chat", "bluegreen.route": "production", "bluegreen.colour": "green", "bluegreen.release": "r7",
		"bluegreen.request_id": told.Get("X-Request-Id"),
		"http.request.method":  "GET", "http.response.status_code": int64(200), "url.scheme": "https", "url.path": "/some/path",
		"server.address": "example.com", "server.port": int64(443), "client.address": "127.0.0.1",
		"network.protocol.version": "2", "user_agent.original": "test/1",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("attributes that nobody expects: %v", got)
	}
	names := []string{}
	last := s.StartTimeUnixNano
	for _, event := range s.Events {
		if names = append(names, event.Name); event.TimeUnixNano < last || event.TimeUnixNano > s.EndTimeUnixNano {
			t.Errorf("%s at %d, after %d, in %d to %d", event.Name, event.TimeUnixNano, last, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
		last = event.TimeUnixNano
	}
	if want := []string{"bluegreen.backend.asked", "bluegreen.backend.answered", "bluegreen.first_byte"}; !slices.Equal(names, want) {
		t.Errorf("events %q, want %q", names, want)
	}
	if resource := values(r.requests[0].ResourceSpans[0].Resource.Attributes); resource["service.name"] != "bluegreen" || resource["service.version"] != "1.2.3" || resource["host.name"] != "edge-1" {
		t.Errorf("resource %v", resource)
	}
	if strings.Contains(r.bodies[0], "s3cret") {
		t.Error("a secret of the request is sent")
	}
}

func TestARequestWithoutATraceBeginsOne(t *testing.T) {
	r := startReceiver(t, nil)
	e := startEdge(t, start(t, r.target).Tracer("chat", "production", "blue", "r1"))
	for _, parent := range []string{"", "00-" + strings.ToUpper(aTrace) + "-" + aSpan + "-01"} {
		told := e.get("/", "Traceparent", parent, "Tracestate", "vendor=1")
		if told["Tracestate"] != nil {
			t.Errorf("the backend is told %q", told["Tracestate"])
		}
	}
	spans := r.spans(2)
	for _, s := range spans {
		if len(s.TraceId) != 16 || hexed(s.TraceId) == aTrace || len(s.ParentSpanId) != 0 || s.Flags != 0x101 {
			t.Errorf("span %v", s)
		}
	}
	if hexed(spans[0].TraceId) == hexed(spans[1].TraceId) {
		t.Error("two requests are in one trace")
	}
}

func TestOnlyFailuresOfTheBackendAreErrors(t *testing.T) {
	r := startReceiver(t, nil)
	e := startEdge(t, start(t, r.target).Tracer("chat", "production", "blue", "r1"))
	e.get("/gone")
	e.get("/bad")
	spans := r.spans(2)
	if kind := values(spans[0].Attributes)["error.type"]; kind != nil || spans[0].Status != nil {
		t.Errorf("a 404 is an error: %v", kind)
	}
	if kind := values(spans[1].Attributes)["error.type"]; kind != "500" || spans[1].Status.GetCode() != trace.Status_STATUS_CODE_ERROR {
		t.Errorf("a 500 is the error %v", kind)
	}
}

// Neither what a client sends nor a trace id that it chooses gets more recorded.
func TestTheSampleDecides(t *testing.T) {
	r := startReceiver(t, nil)
	trusting := func(o *proxy.TableOptions) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	for _, c := range []struct {
		sample  float64
		parent  string
		trusted []func(*proxy.TableOptions)
		want    bool
	}{
		{0, "", nil, false},
		{0, aParent, nil, false},
		{0, aParent, []func(*proxy.TableOptions){trusting}, true},
		{1, aParent[:54] + "0", nil, true},
		{1, aParent[:54] + "0", []func(*proxy.TableOptions){trusting}, false},
		{1, "", []func(*proxy.TableOptions){trusting}, true},
	} {
		before := r.count()
		x := start(t, &Target{Endpoint: r.target.Endpoint, Sample: c.sample})
		e := startEdge(t, x.Tracer("chat", "production", "blue", "r1"), c.trusted...)
		told := e.get("/", "Traceparent", c.parent)
		if got := strings.HasSuffix(told.Get("Traceparent"), "-01"); got != c.want {
			t.Errorf("%+v: the backend is told %s", c, told.Get("Traceparent"))
		}
		e.server.Close() // waits for the request to end
		x.stop()
		if got := r.count() > before; got != c.want {
			t.Errorf("%+v: recorded is %v", c, got)
		}
	}
}

func TestTheSampleIsKept(t *testing.T) {
	tracer := New(Options{Target: &Target{Sample: 0.25}}).Tracer("chat", "production", "blue", "r1")
	const asked = 100_000
	sampled := 0
	for range asked {
		if tracer.Sample() {
			sampled++
		}
	}
	// Ten standard deviations of 137.
	if sampled < asked/4-1370 || sampled > asked/4+1370 {
		t.Errorf("%d of %d are sampled", sampled, asked)
	}
}
