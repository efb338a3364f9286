package proxy

import (
	"bufio"
	"io"
	"net/http"
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

func TestAnEndedEventStreamIsOneRequestThatWasDrained(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		b := eventSource(t)
		e := startEdge(t, b)
		body := e.stream(h2)
		drained(t, b, DrainLimits{Upgraded: moment})
		endsWell(t, body)
		if o := e.recorder.only(t); o.Failure != FailureDrained || o.Status != 200 || o.BytesOut == 0 || !o.Lasting {
			t.Errorf("recorded %+v", o)
		}
		if e.recorder.begun != 0 {
			t.Error("recorded as a WebSocket")
		}
	})
}

// A backend may answer a handshake it refuses with anything.
func TestAnEventStreamInsteadOfAWebSocketEndsWell(t *testing.T) {
	b := eventSource(t)
	e := startEdge(t, b)
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket", "")
	eventually(t, "the stream has begun", func() bool { return b.Upgraded() == 1 })
	if r := drained(t, b, DrainLimits{Upgraded: moment}); r.Upgraded != 1 {
		t.Errorf("cut %+v", r)
	}
	if _, body := c.response(); body != "data: 1\n\n" {
		t.Errorf("body %q", body)
	}
}

// A read deadline would have the server take the connection for broken when the
// body has arrived in full.
func TestConnectionOfAnEndedEventStreamStaysUsable(t *testing.T) {
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	e := startEdge(t, b)
	c := e.dial(appHost)
	c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 3", "", "ask")
	eventually(t, "the stream has begun", func() bool { return b.Upgraded() == 1 })
	e.service.Set(e.route(startBackend(t, says("green")), "green"))
	drained(t, b, DrainLimits{Upgraded: moment})
	if response, _ := c.response(); response.Close {
		t.Error("asked to connect anew")
	}
	c.send("GET / HTTP/1.1", "Host: "+appHost, "")
	if _, body := c.response(); body != "green" {
		t.Errorf("then served by %q", body)
	}
}
