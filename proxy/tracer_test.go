package proxy

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// spans is a Tracer that keeps what it records.
type spans struct {
	sample atomic.Bool
	kept   chan Span
}

func (s *spans) Sample() bool     { return s.sample.Load() }
func (s *spans) Record(span Span) { s.kept <- span }

// trace gives the edge's route a Tracer.
func (e *edge) trace(sample bool) *spans {
	s := &spans{kept: make(chan Span, 16)}
	s.sample.Store(sample)
	route := *e.service.Route()
	route.Tracer = s
	e.service.Set(&route)
	return s
}

// tracingBackend tells the header of each request.
func tracingBackend(t *testing.T) (*Backend, <-chan http.Header) {
	t.Helper()
	told := make(chan http.Header, 1)
	return startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		told <- r.Header
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "hello")
			return
		}
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context())
		}
	}), told
}

// ways are the ways in which a request with a header comes to the edge.
func (e *edge3) ways() map[string]func(header ...string) {
	target := "https://" + appHost + "/"
	return map[string]func(...string){
		"http/1.1": func(h ...string) { e.get(false, target, h...) },
		"h2":       func(h ...string) { e.get(true, target, h...) },
		"h3":       func(h ...string) { e.exchange(e.client3().Do, http.MethodGet, target, nil, h...) },
		"websocket": func(h ...string) {
			header := http.Header{}
			for i := 0; i < len(h); i += 2 {
				header.Add(h[i], h[i+1])
			}
			c, _, err := websocket.Dial(e.t.Context(), "wss://"+appHost+"/", &websocket.DialOptions{HTTPClient: e.client(false), HTTPHeader: header})
			if err != nil {
				e.t.Fatal(err)
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
		},
	}
}

func TestWithoutATracerTracesPassUntouched(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge3(t, backend)
	for way, ask := range e.ways() {
		for _, given := range [][]string{
			{},
			{traceParentHeader, aParent, traceStateHeader, "foo=1,bar=2"},
			{traceParentHeader, "not one", traceStateHeader, "FOO, neither"},
			{traceParentHeader, aParent, traceParentHeader, "01-" + aParent[3:], traceStateHeader, "a=1", traceStateHeader, "b=2"},
		} {
			ask(given...)
			h := receive(t, "the backend is asked", told)
			want := http.Header{}
			for i := 0; i < len(given); i += 2 {
				want.Add(given[i], given[i+1])
			}
			for _, name := range []string{traceParentHeader, traceStateHeader} {
				if !slices.Equal(h[name], want[name]) {
					t.Errorf("%s: %s is %q, was %q", way, name, h[name], want[name])
				}
			}
		}
	}
}

func TestTheEdgeIsTheParentOfItsBackend(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge3(t, backend)
	spans := e.trace(true)
	for way, ask := range e.ways() {
		for _, given := range []struct{ parent, state, wantTrace, wantState string }{
			{"", "", "", ""},
			{"", "foo=1", "", ""},
			{aParent, "foo=1,bar=2", aTrace, "foo=1,bar=2"},
			{"cc" + aParent[2:] + "-more", "", aTrace, ""},
			{aParent, "FOO=1", aTrace, ""},
			{strings.ToUpper(aParent[:54]) + "X", "foo=1", "", ""},
		} {
			var header []string
			for _, field := range [][2]string{{traceParentHeader, given.parent}, {traceStateHeader, given.state}} {
				if field[1] != "" {
					header = append(header, field[0], field[1])
				}
			}
			ask(header...)
			h, span := receive(t, "the backend is asked", told), receive(t, "the span is recorded", spans.kept)
			got := parseTraceParent(h[traceParentHeader])
			if got == "" || got.trace() != span.Trace || got.span() != span.ID || !got.sampled() {
				t.Fatalf("%s with %+v: the backend is told %q, and recorded is %s of %s", way, given, h[traceParentHeader], span.ID, span.Trace)
			}
			wantParent := ""
			if given.wantTrace != "" {
				wantParent = aSpan
			}
			if given.wantTrace != "" && span.Trace != given.wantTrace || span.Trace == aTrace != (given.wantTrace != "") || span.Parent != wantParent || span.ID == aSpan {
				t.Errorf("%s with %+v: span %s of %s, parent %q", way, given, span.ID, span.Trace, span.Parent)
			}
			if state := strings.Join(h[traceStateHeader], "|"); state != given.wantState {
				t.Errorf("%s with %+v: tracestate %q", way, given, state)
			}
		}
	}
}

// An outsider who could say what is recorded could have everything recorded.
func TestOnlyATrustedProxyDecidesWhatIsRecorded(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge(t, backend)
	spans := e.trace(false)
	trusting := mustTable(t, TableOptions{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Services:       map[string]*Service{appHost: e.service},
	})
	for _, c := range []struct {
		trusted, asked, sample, want bool
	}{
		{trusted: false, asked: true, sample: false, want: false},
		{trusted: false, asked: false, sample: true, want: true},
		{trusted: true, asked: true, sample: false, want: true},
		{trusted: true, asked: false, sample: true, want: false},
	} {
		if c.trusted {
			e.SetTable(trusting)
		}
		spans.sample.Store(c.sample)
		parent := aParent[:53] + map[bool]string{false: "00", true: "01"}[c.asked]
		e.get(true, "https://"+appHost+"/", traceParentHeader, parent)
		got := parseTraceParent(receive(t, "the backend is asked", told)[traceParentHeader])
		if got == "" || got.trace() != aTrace || got.sampled() != c.want {
			t.Errorf("%+v: the backend is told %q", c, got)
		}
		if c.want {
			receive(t, "the span is recorded", spans.kept)
		}
	}
	_ = e.stop()
	if len(spans.kept) > 0 {
		t.Errorf("recorded against the decision: %+v", <-spans.kept)
	}
}

func TestASpanTellsWhatHappened(t *testing.T) {
	backend := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	})
	e := startEdge(t, backend)
	spans := e.trace(true)
	began := time.Now()
	response, _ := e.do(true, http.MethodPost, "https://"+appHost+"/pot%2F1?token=s3cret", strings.NewReader("tea"),
		"User-Agent", "kettle/1", "Cookie", "s3cret", "Authorization", "Bearer s3cret")
	s := receive(t, "the span is recorded", spans.kept)
	if s.Method != "POST" || s.Status != 418 || s.BytesIn != 3 || s.BytesOut != 15 || s.Failure != FailureNone || s.Client != "127.0.0.1" ||
		s.Host != appHost || s.Target != "/pot%2F1" || s.Proto != "HTTP/2.0" || s.Agent != "kettle/1" || s.Request != response.Header.Get(requestIDHeader) {
		t.Errorf("span %+v", s)
	}
	if s.Start.Before(began) || s.Asked <= 0 || s.Answered < s.Asked || s.FirstByte < s.Answered || s.Duration < s.FirstByte {
		t.Errorf("from %v asked after %v, answered after %v, first byte after %v, end after %v", s.Start, s.Asked, s.Answered, s.FirstByte, s.Duration)
	}
}

func TestASpanTellsOfAFailureAndOfAHold(t *testing.T) {
	e := startEdge(t, backendAt(t, refusing(t)))
	spans := e.trace(true)
	hold := NewHold()
	held := *e.service.Route()
	free := held
	held.Hold = hold
	e.service.Set(&held)
	answer := e.asked(true, http.MethodGet)
	eventually(t, "it waits", func() bool { return hold.Waiting() == 1 })
	e.service.Set(&free)
	hold.Release()
	wantAnswer(t, answer, "502")
	if s := receive(t, "the span is recorded", spans.kept); s.Failure != FailureDial || s.Status != 502 || s.Held <= 0 || s.Asked < s.Held || s.Answered != 0 {
		t.Errorf("span %+v", s)
	}
}

// Its connection may stay for days; what it says then is in the access log.
func TestTheSpanOfAWebSocketIsItsHandshake(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge(t, backend)
	spans, lines := e.trace(true), e.accessLines()
	c, _, err := websocket.Dial(t.Context(), "wss://"+appHost+"/chat?token=s3cret", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the backend is asked", told)
	s := receive(t, "the span is recorded", spans.kept)
	if s.Status != 101 || s.Target != "/chat" || s.Duration <= 0 || s.Answered <= 0 || s.Duration != s.FirstByte {
		t.Errorf("span %+v", s)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	if line := lines(1)[0]; line["trace_id"] != s.Trace || line["span_id"] != s.ID {
		t.Errorf("line %v of span %s in trace %s", line, s.ID, s.Trace)
	}
	if len(spans.kept) > 0 {
		t.Errorf("recorded twice: %+v", <-spans.kept)
	}
}

func TestProbesAreNotTraced(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge(t, backend)
	spans := e.trace(true)
	e.get(false, "https://"+appHost+"/health", ProbeHeader, secret)
	if h := receive(t, "the backend is asked", told); h[traceParentHeader] != nil {
		t.Errorf("a probe is told %q", h[traceParentHeader])
	}
	_ = e.stop()
	if len(spans.kept) > 0 {
		t.Errorf("recorded: %+v", <-spans.kept)
	}
}

func TestTheAccessLogNamesTheSpanOfTheBackendsParent(t *testing.T) {
	backend, told := tracingBackend(t)
	e := startEdge(t, backend)
	lines := e.accessLines()
	ask := func(header ...string) {
		e.get(true, "https://"+appHost+"/", header...)
		receive(t, "the backend is asked", told)
	}
	ask()
	ask(traceParentHeader, aParent)
	ask(traceParentHeader, "not one")
	e.trace(false)
	ask(traceParentHeader, aParent)
	e.trace(true)
	ask()
	all := lines(5)
	for i, want := range []struct{ trace, span any }{{nil, nil}, {aTrace, aSpan}, {nil, nil}} {
		if all[i]["trace_id"] != want.trace || all[i]["span_id"] != want.span {
			t.Errorf("without a tracer: trace %v, span %v, want %v", all[i]["trace_id"], all[i]["span_id"], want)
		}
	}
	if all[3]["trace_id"] != aTrace || all[3]["span_id"] == aSpan || len(all[3]["span_id"].(string)) != 16 {
		t.Errorf("line %v of a request that is not recorded", all[3])
	}
	if len(all[4]["trace_id"].(string)) != 32 {
		t.Errorf("line %v of a request that is recorded", all[4])
	}
}

func TestTheAccessLogTellsHowLongARequestWasHeld(t *testing.T) {
	b := startBackend(t, says("hello"))
	e := startEdge(t, b)
	lines := e.accessLines()
	hold := NewHold()
	free := *e.service.Route()
	held := free
	held.Hold = hold
	e.service.Set(&held)
	answer := e.asked(false, http.MethodGet)
	eventually(t, "it waits", func() bool { return hold.Waiting() == 1 })
	e.service.Set(&free)
	hold.Release()
	wantAnswer(t, answer, "200 OK")
	e.get(false, "https://"+appHost+"/")
	all := lines(2)
	if us, _ := all[0]["held_us"].(float64); us <= 0 || us > all[0]["duration_us"].(float64) {
		t.Errorf("line of a request that was held: %v", all[0])
	}
	if _, ok := all[1]["held_us"]; ok {
		t.Errorf("line of a request that was not held: %v", all[1])
	}
}
