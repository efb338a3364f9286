package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// heldRequests asks production n times at once, every other time with a body,
// and returns which release has served each; "" for a failure.
func (e *testEdge) heldRequests(n int) <-chan string {
	e.t.Helper()
	served := make(chan string, n)
	for i := range n {
		client := e.client()
		go func() {
			method, path, body := http.MethodGet, "/release", ""
			if i%2 == 1 {
				method, path, body = http.MethodPost, "/upload", "payload"
			}
			request, _ := http.NewRequestWithContext(e.t.Context(), method, "https://app.localhost"+path, strings.NewReader(body))
			answer, err := client.Do(request)
			if err != nil {
				e.t.Errorf("a held request: %v", err)
				served <- ""
				return
			}
			defer answer.Body.Close()
			_, _ = io.Copy(io.Discard, answer.Body)
			served <- answer.Header.Get("X-Chat-Release")
		}()
	}
	return served
}

func (e *testEdge) held() int64 {
	if p := e.status().Pause; p != nil {
		return p.Held
	}
	return 0
}

// The reason for a pause: migrate and switch while nobody writes. Nothing is
// lost, and whoever has waited is served by the new release.
func TestRequestsThatAPauseHeldAreServedByTheNewRelease(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	e.deploy("b")
	e.must("pause", "--max", "1m", "--wait")
	served := e.heldRequests(40)
	e.await("all are held", func() bool { return e.held() == 40 })
	if got := e.status().Slots["blue"].InFlight; got != 0 {
		t.Errorf("%d held requests are counted on the active slot", got)
	}
	if got := e.release("internal.app.localhost"); got != "b" {
		t.Errorf("internal is held as well: %q", got)
	}
	e.must("switch")
	e.must("drain", "blue")
	if got := e.held(); got != 40 {
		t.Errorf("after the switch %d are held, want 40", got)
	}
	if out := e.must("status").stdout; !strings.Contains(out, "paused       40 requests held") {
		t.Errorf("status does not tell of the pause:\n%s", out)
	}
	if out := e.must("resume").stdout; !strings.Contains(out, "held: 40 requests") {
		t.Errorf("resume said %q", out)
	}
	for range 40 {
		if got := <-served; got != "b" {
			t.Errorf("a held request was served by %q, want b", got)
		}
	}
	if out := e.must("resume").stdout; out != "production is not paused\n" {
		t.Errorf("a second resume said %q", out)
	}
	out := e.must("history").stdout
	for _, part := range []string{"pause", "production is paused, for 1m0s at most", "resume", "held: 40 requests"} {
		if !strings.Contains(out, part) {
			t.Errorf("the history does not say %q:\n%s", part, out)
		}
	}
}

func TestAPauseThatIsForgottenEndsByItself(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	var answer switcher.Answer
	if err := json.Unmarshal([]byte(e.must("pause", "--max", "1s", "--json").stdout), &answer); err != nil || !answer.Changed || answer.Pause == nil {
		t.Fatalf("answer = %+v, %v", answer, err)
	}
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("held for longer than asked: %q", got)
	}
	e.eventually("it goes on", func(st admin.Status) bool { return st.Pause == nil })
	r := e.recorded().History
	if last := r[len(r)-1]; last.Kind != switcher.KindResume || last.Actor != switcher.Self {
		t.Errorf("the history ends with %+v", last)
	}
}

func TestAPauseDoesNotOutliveTheEdge(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	for _, end := range []func(){e.kill, e.stop} {
		e.must("pause", "--max", "10m")
		end()
		e.start()
		if got := e.release("app.localhost"); got != "a" {
			t.Errorf("after a restart production shows %q", got)
		}
		if st := e.status(); st.Pause != nil {
			t.Errorf("after a restart: %+v", st.Pause)
		}
	}
}

func TestWaitingForAPauseToTakeFullEffect(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	slow := make(chan time.Time, 1)
	client := e.client()
	go func() {
		answer, err := client.Get("https://app.localhost/slow?for=4s")
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		slow <- time.Now()
	}()
	e.await("a slow request is in flight", func() bool { return e.status().Slots["blue"].InFlight == 1 })
	e.fails(6, []string{"the pause has ended with 1 request still in flight"}, "pause", "--wait", "--max", "300ms")
	e.must("pause", "--wait")
	returned := time.Now()
	if ended := <-slow; ended.After(returned) {
		t.Errorf("pause --wait returned %v before the request in flight had ended", ended.Sub(returned))
	}
}
