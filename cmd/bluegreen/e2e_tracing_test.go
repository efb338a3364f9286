package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sofiacall.com/bluegreen/switcher"
)

// spanSink is a collector that keeps the attributes of spans.
type spanSink struct {
	*httptest.Server
	t    *testing.T
	hang chan struct{} // answers when it is closed; nil: at once

	mu    sync.Mutex
	spans []map[string]string
	auth  string
}

func newSpanSink(t *testing.T, hang chan struct{}) *spanSink {
	t.Helper()
	s := &spanSink{t: t, hang: hang}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	if hang != nil {
		t.Cleanup(func() { close(hang) })
	}
	return s
}

func (s *spanSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := new(collector.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if err != nil || len(request.ResourceSpans) != 1 {
		s.t.Errorf("%s: %v", r.URL, err)
		return
	}
	s.mu.Lock()
	s.auth = r.Header.Get("Authorization")
	for _, span := range request.ResourceSpans[0].ScopeSpans[0].Spans {
		got := map[string]string{"trace": hex.EncodeToString(span.TraceId), "span": hex.EncodeToString(span.SpanId), "parent": hex.EncodeToString(span.ParentSpanId)}
		for _, a := range span.Attributes {
			got[a.Key] = a.Value.GetStringValue()
		}
		s.spans = append(s.spans, got)
	}
	s.mu.Unlock()
	if s.hang != nil {
		<-s.hang
	}
}

// await waits for the span of a path.
func (s *spanSink) await(e *testEdge, path string) (span map[string]string) {
	e.t.Helper()
	e.await("the span of "+path+" arrives", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, one := range s.spans {
			if one["url.path"] == path {
				span = one
			}
		}
		return span != nil
	})
	return span
}

// From the configuration file to the collector, over two reloads: spans name
// the release, the access log names the span, and a collector that hangs keeps
// nobody.
func TestTracesReachTheCollectorOfTheConfiguration(t *testing.T) {
	t.Parallel()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	first, hanging := newSpanSink(t, nil), newSpanSink(t, make(chan struct{}))
	e := newTestEdge(t, "")
	on := `tracing: { endpoint: "` + first.URL + `", sample: 1, headers: { Authorization: "Bearer ${TRACE_TOKEN}" } }` + "\n"
	e.edit("apps:\n", on+"apps:\n")
	e.env = append(e.env, "TRACE_TOKEN=s3cret")
	e.start()
	e.deploy("a")
	e.deploy("b")
	ask := func(host, path string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+path+"?token=s3cret", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-00")
		response, err := e.client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	ask("app.localhost", "/one")
	ask("internal.app.localhost", "/two")
	status := e.status()
	for path, want := range map[string][2]string{"/one": {"production", "blue"}, "/two": {"internal", "green"}} {
		span := first.await(e, path)
		if span["bluegreen.app"] != e.App || span["bluegreen.route"] != want[0] || span["bluegreen.colour"] != want[1] ||
			span["bluegreen.release"] != status.Slots[switcher.Colour(want[1])].Release.ID || span["trace"] != trace || span["parent"] != parent {
			t.Errorf("%s: %v", path, span)
		}
	}
	if first.auth != "Bearer s3cret" {
		t.Errorf("the collector was told %q", first.auth)
	}

	e.edit(first.URL, hanging.URL)
	e.must("reload")
	ask("app.localhost", "/three")
	hanging.await(e, "/three")

	e.edit(strings.Replace(on, first.URL, hanging.URL, 1), "")
	e.must("reload")
	ask("app.localhost", "/four")
	e.stop()
	lines := e.accessLines("blue")
	if len(lines) != 3 {
		t.Fatalf("%d lines in the access log, want 3: %+v", len(lines), lines)
	}
	for i, span := range []string{first.await(e, "/one")["span"], hanging.await(e, "/three")["span"], parent} {
		if lines[i].Trace != trace || lines[i].Span != span {
			t.Errorf("line %+v, want span %s", lines[i], span)
		}
	}
	if strings.Contains(e.logged(), "s3cret") {
		t.Error("a secret is in the log")
	}
}
