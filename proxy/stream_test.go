package proxy

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream opens an event stream through the edge and has read its first line.
func (e *edge) stream(h2 bool) *bufio.Reader {
	e.t.Helper()
	response, err := e.client(h2).Get("https://" + appHost + "/events")
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = response.Body.Close() })
	body := bufio.NewReader(response.Body)
	if line, err := body.ReadString('\n'); err != nil || line != "data: 1\n" {
		e.t.Fatalf("first line %q, %v", line, err)
	}
	return body
}

// eventSource is a backend with one event and then silence.
func eventSource(t *testing.T) *Backend {
	t.Helper()
	b, _ := hold(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
	})
	return b
}

// endsWell reads the rest of a stream, which must end as if the backend had
// ended it.
func endsWell(t *testing.T, body io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "\n" {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}

func TestAnEventStreamHasTheDeadlineOfTheUpgraded(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		b := eventSource(t)
		e := startEdge(t, b)
		body := e.stream(h2)
		if b.InFlight() != 0 || b.Upgraded() != 1 {
			t.Errorf("in flight %d, upgraded %d", b.InFlight(), b.Upgraded())
		}
		if r := drained(t, b, DrainLimits{Upgraded: moment}); r.Requests != 0 || r.Upgraded != 1 {
			t.Errorf("cut %+v", r)
		}
		endsWell(t, body)
	})
}

func TestTheDeadlineOfRequestsDoesNotCutAnEventStream(t *testing.T) {
	b := eventSource(t)
	e := startEdge(t, b)
	body := e.stream(false)
	began := time.Now()
	r := drained(t, b, DrainLimits{Requests: moment, Upgraded: 10 * moment})
	if r.Requests != 0 || r.Upgraded != 1 || time.Since(began) < 10*moment {
		t.Errorf("cut %+v after %v", r, time.Since(began))
	}
	endsWell(t, body)
}

func TestAnEventStreamThatEndsByItselfIsUncounted(t *testing.T) {
	b := startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
	})
	e := startEdge(t, b)
	endsWell(t, e.stream(true))
	eventually(t, "nothing is counted", func() bool { return b.InFlight() == 0 && b.Upgraded() == 0 })
}

// A stop must not wait for the whole grace, with its listeners closed, for
// streams that never end.
func TestStopEndsEventStreamsAtOnce(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		e := startEdge(t, eventSource(t), func(o *Options) { o.ShutdownGrace = patience })
		body := e.stream(h2)
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		endsWell(t, body)
	})
}

func TestWhatTheServerSaysIsHeard(t *testing.T) {
	var heard bytes.Buffer
	l := serverLog{slog.New(slog.NewTextHandler(&heard, nil))} // at Info, as shipped
	for _, line := range []string{
		"http: Accept error: accept tcp: too many open files; retrying in 5ms\n",
		"http: TLS handshake error from 192.0.2.1:1234: EOF\n",
	} {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Error(n, err)
		}
	}
	if text := heard.String(); !strings.Contains(text, "too many open files") || strings.Contains(text, "handshake") {
		t.Errorf("heard %q", text)
	}
}
