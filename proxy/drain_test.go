package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// moment is a drain limit that has as good as passed.
const moment = 20 * time.Millisecond

// hold returns a backend whose requests wait until the test ends, and a
// channel that tells when one has arrived.
func hold(t *testing.T, answer func(http.ResponseWriter)) (*Backend, chan struct{}) {
	t.Helper()
	arrived := make(chan struct{}, 16)
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if answer != nil {
			answer(w)
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	return b, arrived
}

func drained(t *testing.T, b *Backend, l DrainLimits) DrainResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := b.Drain(ctx, l)
	if err != nil {
		t.Fatalf("drain: %v (in flight %d, upgraded %d)", err, b.InFlight(), b.Upgraded())
	}
	if b.InFlight() != 0 || b.Upgraded() != 0 {
		t.Errorf("drained with %d in flight and %d upgraded", b.InFlight(), b.Upgraded())
	}
	return result
}

func TestDrainLetsARequestEnd(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{})
	b := startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	e := startEdge(t, b)
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "")
	<-arrived
	if b.InFlight() != 1 {
		t.Errorf("in flight %d", b.InFlight())
	}
	e.service.Set(nil)
	result := make(chan DrainResult, 1)
	go func() {
		r, _ := b.Drain(context.Background(), DrainLimits{Requests: patience})
		result <- r
	}()
	eventually(t, "the drain waits", func() bool { return b.waiting.Load() == 1 })
	close(release)
	if response, body := c.response(); response.StatusCode != 200 || body != "whole" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
	if r := receive(t, "the drain ends", result); r.Requests != 0 {
		t.Errorf("cut %d", r.Requests)
	}
}

func TestDrainAnswersAStragglerWithoutAnswer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		b, arrived := hold(t, nil)
		e := startEdge(t, b)
		got := make(chan *http.Response, 1)
		go func() {
			response, err := e.client(h2).Get("https://" + appHost + "/")
			if err != nil {
				t.Errorf("no page: %v", err)
				response = &http.Response{Body: http.NoBody}
			}
			_ = response.Body.Close()
			got <- response
		}()
		receive(t, "the request arrives", arrived)
		e.service.Set(nil)
		if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 || r.Elapsed < moment {
			t.Errorf("h2 %v: %+v", h2, r)
		}
		if response := receive(t, "the client is answered", got); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
			t.Errorf("h2 %v: status %d", h2, response.StatusCode)
		}
		if o := e.recorder.only(t); o.Failure != FailureDrained || o.Status != 503 {
			t.Errorf("recorded %+v", o)
		}
	}
}

func TestDrainBreaksOffAStragglerBeingAnswered(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		b, arrived := hold(t, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "begun") })
		e := startEdge(t, b)
		response, err := e.client(h2).Get("https://" + appHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		receive(t, "the request arrives", arrived)
		e.service.Set(nil)
		if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 {
			t.Errorf("cut %d", r.Requests)
		}
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("half a response looks whole")
		}
		_ = response.Body.Close()
		if o := e.recorder.only(t); o.Failure != FailureDrained {
			t.Errorf("recorded %+v", o)
		}
	}
}

// endless writes as much as the client takes.
func endless(w http.ResponseWriter, r *http.Request) {
	chunk := make([]byte, 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestDrainOvercomesAClientThatDoesNotRead(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		var writes atomic.Int64
		b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			chunk := make([]byte, 64<<10)
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
				writes.Add(1)
			}
		})
		e := startEdge(t, b)
		client := e.client(h2)
		client.Timeout = 0 // only the drain ends this
		response, err := client.Get("https://" + appHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		stalled(t, &writes)
		e.service.Set(nil)
		if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 {
			t.Errorf("h2 %v: cut %d", h2, r.Requests)
		}
		_ = response.Body.Close()
	}
}

// stalled waits until n has not moved for a while: every buffer on the way is
// full.
func stalled(t *testing.T, n *atomic.Int64) {
	t.Helper()
	last, since := int64(-1), time.Now()
	eventually(t, "every buffer is full", func() bool {
		if now := n.Load(); now != last {
			last, since = now, time.Now()
		}
		return last > 0 && time.Since(since) > 300*time.Millisecond
	})
}

func TestDrainOvercomesAClientThatHangsWhileUploading(t *testing.T) {
	arrived := make(chan struct{}, 1)
	b := startBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	for _, h2 := range []bool{false, true} {
		e := startEdge(t, b)
		body, upload := io.Pipe()
		got := make(chan int, 1)
		go func() {
			r, _ := http.NewRequest(http.MethodPost, "https://"+appHost+"/", body)
			response, err := e.client(h2).Do(r)
			if err != nil {
				got <- 0
				return
			}
			_ = response.Body.Close()
			got <- response.StatusCode
		}()
		_, _ = io.WriteString(upload, strings.Repeat("x", 1000))
		receive(t, "the request arrives", arrived)
		e.service.Set(nil)
		if r := drained(t, b, DrainLimits{Requests: moment}); r.Requests != 1 {
			t.Errorf("h2 %v: cut %d", h2, r.Requests)
		}
		if status := receive(t, "the client is answered", got); status != 503 {
			t.Errorf("h2 %v: status %d", h2, status)
		}
		_ = upload.Close()
	}
}

func TestDrainIsCancellableAndLeavesTheBackendServing(t *testing.T) {
	b, arrived := hold(t, nil)
	e := startEdge(t, b)
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "")
	receive(t, "the request arrives", arrived)
	why := errors.New("rolled back")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := b.Drain(ctx, DrainLimits{Requests: time.Hour}); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
	if b.InFlight() != 1 {
		t.Errorf("in flight %d", b.InFlight())
	}
}

func TestDrainNeverCutsWhatBeganAfterIt(t *testing.T) {
	b, arrived := hold(t, nil)
	e := startEdge(t, b)
	b.acquire() // keeps the drain waiting
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan DrainResult, 1)
	go func() {
		r, _ := b.Drain(ctx, DrainLimits{Requests: time.Nanosecond})
		result <- r
	}()
	eventually(t, "the drain waits", func() bool { return b.waiting.Load() == 1 })
	c := e.dial(appHost)
	c.send("GET / HTTP/1.1", "Host: "+appHost, "")
	receive(t, "the request arrives", arrived)
	time.AfterFunc(3*sweepEvery, cancel)
	if r := receive(t, "the drain ends", result); r.Requests != 0 {
		t.Errorf("cut %d requests of a backend that is routed again", r.Requests)
	}
	b.release()
}

func TestDrainOfAnIdleBackendReturnsAtOnce(t *testing.T) {
	if r := drained(t, NewBackend(BackendOptions{}), DrainLimits{}); r.Requests != 0 || r.Upgraded != 0 {
		t.Errorf("%+v", r)
	}
}

func TestKeepAliveConnectionOutlivesASwitchAndADrain(t *testing.T) {
	blue, green := startBackend(t, says("blue")), startBackend(t, says("green"))
	e := startEdge(t, blue)
	c := e.dial(appHost)
	for i, want := range []string{"blue", "green"} {
		c.send("POST / HTTP/1.1", "Host: "+appHost, "Content-Length: 1", "", "x")
		c.Conn.SetDeadline(time.Now().Add(patience))
		if _, body := c.response(); body != want {
			t.Errorf("request %d: served by %q", i, body)
		}
		e.service.Set(e.route(green, "green"))
		drained(t, blue, DrainLimits{Requests: moment})
	}
}
