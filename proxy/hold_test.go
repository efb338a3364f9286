package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// heldRoute is a route of e to b whose requests wait.
func (e *edge) heldRoute(b *Backend, label string, h *Hold) *Route {
	r := e.route(b, label)
	r.Hold = h
	return r
}

// asked sends a request and returns where its answer will be.
func (e *edge) asked(h2 bool, method string) <-chan string {
	answer := make(chan string, 1)
	client := e.client(h2)
	go func() {
		var body string
		if method == http.MethodPost {
			body = "payload"
		}
		request, _ := http.NewRequestWithContext(e.t.Context(), method, "https://"+appHost+"/", strings.NewReader(body))
		response, err := client.Do(request)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		text := new(strings.Builder)
		_ = response.Write(text)
		answer <- text.String()
	}()
	return answer
}

func wantAnswer(t *testing.T, answer <-chan string, parts ...string) {
	t.Helper()
	got := receive(t, "the answer", answer)
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("answered without %q:\n%s", part, got)
		}
	}
}

// Pause, switch, drain, resume: nothing is lost, the drain does not wait for
// what is held, and all of it goes to the new slot.
func TestHeldRequestsGoToTheSlotOfTheRelease(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		blue, green := startBackend(t, says("blue")), startBackend(t, says("green"))
		e := startEdge(t, blue)
		h := NewHold()
		e.service.Set(e.heldRoute(blue, "blue", h))
		get, post := e.asked(h2, http.MethodGet), e.asked(h2, http.MethodPost)
		eventually(t, "both wait", func() bool { return h.Waiting() == 2 })

		e.service.Set(e.heldRoute(green, "green", h))
		if r := drained(t, blue, DrainLimits{}); r.Requests != 0 {
			t.Errorf("the drain of the old slot has cut %+v", r)
		}
		if h.Waiting() != 2 || green.InFlight() != 0 {
			t.Errorf("after the switch %d wait and %d are on the new slot, want 2 and 0", h.Waiting(), green.InFlight())
		}
		e.service.Set(e.route(green, "green"))
		h.Release()
		wantAnswer(t, get, "200 OK", "green")
		wantAnswer(t, post, "200 OK", "green")
		if h.Waiting() != 0 || h.Total() != 2 || h.TurnedAway() != 0 {
			t.Errorf("%d wait, %d have waited, %d were turned away; want 0, 2 and 0", h.Waiting(), h.Total(), h.TurnedAway())
		}
	})
}

// The hold is loaded, then production is switched and the hold released, then
// the request begins to wait.
func TestReleaseBetweenLoadingAndWaitingIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blue, green := NewBackend(BackendOptions{}), NewBackend(BackendOptions{})
		h := NewHold()
		service := NewService(&Route{Backend: blue, Hold: h})
		var once sync.Once
		service.loaded = func() {
			once.Do(func() {
				service.Set(&Route{Backend: green})
				h.Release()
			})
		}
		f := new(flight)
		if failure := New(Options{}).enter(f, service, httptest.NewRequest("GET", "/", nil)); failure != FailureNone {
			t.Errorf("refused: %v", failure)
		}
		if f.route.Backend != green || blue.InFlight() != 0 || green.InFlight() != 1 {
			t.Errorf("in flight: blue %d, green %d; want 0 and 1", blue.InFlight(), green.InFlight())
		}
	})
}

// A request that a release lets go meets the next pause before it is counted.
func TestRequestThatIsLetGoMeetsTheNextHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBackend(BackendOptions{})
		first, second := NewHold(), NewHold()
		service := NewService(&Route{Backend: b, Hold: first})
		f := new(flight)
		entered := make(chan Failure, 1)
		go func() { entered <- New(Options{}).enter(f, service, httptest.NewRequest("GET", "/", nil)) }()
		synctest.Wait()
		service.Set(&Route{Backend: b, Hold: second})
		first.Release()
		synctest.Wait()
		if len(entered) != 0 || second.Waiting() != 1 || b.InFlight() != 0 {
			t.Fatalf("%d wait on the second hold, %d in flight; want 1 and 0", second.Waiting(), b.InFlight())
		}
		time.Sleep(time.Minute)
		service.Set(&Route{Backend: b})
		second.Release()
		if failure := <-entered; failure != FailureNone || b.InFlight() != 1 || f.held != time.Minute {
			t.Errorf("%v, %d in flight, held for %v", failure, b.InFlight(), f.held)
		}
	})
}

// Invariant 1 with holds in between: who asks after Set has returned is never
// given the backend of before.
func TestHoldsUnderSwitchesCountOnTheRouteOfTheMoment(t *testing.T) {
	backends := []*Backend{NewBackend(BackendOptions{}), NewBackend(BackendOptions{})}
	service := NewService(&Route{Backend: backends[0]})
	server := New(Options{})
	var mu sync.RWMutex // held for writing while the route moves
	now, moves := backends[0], 0
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				f := new(flight)
				mu.RLock()
				before := moves
				mu.RUnlock()
				server.enter(f, service, httptest.NewRequest("GET", "/", nil))
				mu.RLock()
				if before == moves && f.route.Backend != now && f.held == 0 {
					t.Error("counted on a slot that production had left before")
				}
				mu.RUnlock()
				f.route.Backend.release()
			}
		})
	}
	for i := range 500 {
		h := NewHold()
		service.Set(&Route{Backend: now, Hold: h})
		mu.Lock()
		now, moves = backends[(i+1)%2], moves+1
		service.Set(&Route{Backend: now, Hold: h})
		mu.Unlock()
		service.Set(&Route{Backend: now})
		h.Release()
	}
	close(stop)
	workers.Wait()
	for i, b := range backends {
		if n := b.InFlight(); n != 0 {
			t.Errorf("backend %d: %d in flight at the end", i, n)
		}
	}
}

func TestHoldWithoutAPlaceLeftAnswers503(t *testing.T) {
	b := startBackend(t, says("blue"))
	e := startEdge(t, b)
	h := NewHold()
	h.places = 1
	e.service.Set(e.heldRoute(b, "blue", h))
	first := e.asked(false, http.MethodGet)
	eventually(t, "one waits", func() bool { return h.Waiting() == 1 })
	response, _ := e.get(true, "https://"+appHost+"/")
	if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("without a place: %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	if o := e.recorder.only(t); o.Failure != FailureHeld || o.Status != 503 {
		t.Errorf("recorded %+v", o)
	}
	e.service.Set(e.route(b, "blue"))
	h.Release()
	wantAnswer(t, first, "200 OK")
	if b.InFlight() != 0 || h.TurnedAway() != 1 {
		t.Errorf("in flight %d, turned away %d", b.InFlight(), h.TurnedAway())
	}
}

func TestClientThatLeavesFreesItsPlace(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: " + appHost + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: " + appHost + "\r\nContent-Length: 4\r\n\r\nbody",
	} {
		b := startBackend(t, says("blue"))
		e := startEdge(t, b)
		h := NewHold()
		e.service.Set(e.heldRoute(b, "blue", h))
		c := e.dial(appHost)
		c.send(request)
		eventually(t, "it waits", func() bool { return h.Waiting() == 1 })
		_ = c.Conn.Close()
		eventually(t, "its place is free", func() bool { return h.Waiting() == 0 })
		if o := e.recorder.only(t); o.Failure != FailureClientGone || b.InFlight() != 0 {
			t.Errorf("recorded %+v, in flight %d", o, b.InFlight())
		}
	}
}

func TestClientThatResetsItsStreamFreesItsPlace(t *testing.T) {
	b := startBackend(t, says("blue"))
	e := startEdge(t, b)
	h := NewHold()
	e.service.Set(e.heldRoute(b, "blue", h))
	ctx, leave := context.WithCancel(t.Context())
	client := e.client(true)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+appHost+"/", strings.NewReader("payload"))
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	eventually(t, "it waits", func() bool { return h.Waiting() == 1 })
	leave()
	<-gone
	eventually(t, "its place is free", func() bool { return h.Waiting() == 0 })
}

func TestProbesPassAHold(t *testing.T) {
	b := startBackend(t, says("blue"))
	e := startEdge(t, b)
	h := NewHold()
	e.service.Set(e.heldRoute(b, "blue", h))
	response, body := e.get(true, "https://"+appHost+"/", ProbeHeader, secret)
	if body != "blue" || response.Header.Get(LabelHeader) != "blue" || h.Total() != 0 {
		t.Errorf("%d %q, %d were held", response.StatusCode, body, h.Total())
	}
}

func TestHoldLeavesOpenWebSocketsAndKeepsNewOnes(t *testing.T) {
	blue, green := startBackend(t, echo(nil, nil)), startBackend(t, echo(nil, nil))
	e := startEdge(t, blue)
	open := e.open()
	h := NewHold()
	e.service.Set(e.heldRoute(blue, "blue", h))
	if err := open.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := open.Read(t.Context()); err != nil || string(got) != "still here" {
		t.Errorf("the open WebSocket got %q, %v", got, err)
	}
	c := e.dial(appHost)
	c.send("GET /ws HTTP/1.1", "Host: "+appHost, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "")
	eventually(t, "the handshake waits", func() bool { return h.Waiting() == 1 })
	e.service.Set(e.route(green, "green"))
	h.Release()
	if response, err := http.ReadResponse(c.Reader, nil); err != nil || response.StatusCode != 101 {
		t.Fatalf("handshake after the release: %v %v", response, err)
	}
	if blue.Upgraded() != 1 || green.Upgraded() != 1 {
		t.Errorf("upgraded: blue %d, green %d; want 1 and 1", blue.Upgraded(), green.Upgraded())
	}
}

// The next process of the edge holds nothing, so that a client does best to
// come again at once.
func TestStopAsksHeldRequestsToComeAgain(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		b := startBackend(t, says("blue"))
		e := startEdge(t, b, func(o *Options) { o.ShutdownGrace = patience })
		h := NewHold()
		e.service.Set(e.heldRoute(b, "blue", h))
		answer := e.asked(h2, http.MethodPost)
		eventually(t, "it waits", func() bool { return h.Waiting() == 1 })
		began := time.Now()
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > patience/2 {
			t.Errorf("the stop has waited for held requests: %v", took)
		}
		wantAnswer(t, answer, "503 Service Unavailable", "Retry-After: ")
	})
}

// What was held is counted after the drain has begun, and only what began
// before is ever cut.
func TestDrainDoesNotCutWhatWasHeldWhenItBegan(t *testing.T) {
	b, arrived := hold(t, nil)
	e := startEdge(t, b)
	straggler := e.asked(false, http.MethodGet)
	receive(t, "the straggler arrives", arrived)
	h := NewHold()
	e.service.Set(e.heldRoute(b, "blue", h))
	e.asked(false, http.MethodGet)
	eventually(t, "it waits", func() bool { return h.Waiting() == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan DrainResult, 1)
	go func() {
		r, _ := b.Drain(ctx, DrainLimits{Requests: 50 * moment})
		ended <- r
	}()
	eventually(t, "the drain waits", func() bool { return b.waiting.Load() == 1 })
	e.service.Set(e.route(b, "blue"))
	h.Release()
	receive(t, "what was held arrives", arrived)
	wantAnswer(t, straggler, "503")
	time.Sleep(4 * sweepEvery)
	cancel()
	if r := receive(t, "the drain ends", ended); r.Requests != 1 || b.InFlight() != 1 {
		t.Errorf("cut %d and left %d in flight, want 1 and 1", r.Requests, b.InFlight())
	}
}

// One client with many connections must not turn everybody else away.
func TestOneClientDoesNotTakeAllPlacesToWait(t *testing.T) {
	h := NewHold()
	hog := func(n int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(n)}) }
	taken := 0
	for i := range heldPerClient + 100 {
		if h.enter(hog(i)) {
			taken++
		}
	}
	if taken != heldPerClient {
		t.Errorf("one network has %d places, want %d", taken, heldPerClient)
	}
	other := netip.MustParseAddr("192.0.2.1")
	if !h.enter(other) {
		t.Error("no place is left for others")
	}
	h.leave(other)
	for i := range taken {
		h.leave(hog(i))
	}
	if h.Waiting() != 0 || len(h.clients) != 0 {
		t.Errorf("%d wait, %d clients are remembered", h.Waiting(), len(h.clients))
	}
}
