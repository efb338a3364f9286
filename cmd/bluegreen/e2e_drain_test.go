package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/chat"
	"sofiacall.com/bluegreen/switcher"
)

// Invariant 5: when a drain has ended, nothing is in flight on the slot and
// nothing arrives until it is routed again. What was cut is counted.
func TestADrainedSlotIsIdleUntilItIsRoutedAgain(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, "wss://app.localhost/ws", &websocket.DialOptions{HTTPClient: e.client()})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	e.deploy("b")
	e.must("switch")
	if got := e.status().Slots["blue"].Upgraded; got != 1 {
		t.Fatalf("%d WebSockets are counted on the slot that production has left, want 1", got)
	}
	e.must("drain", "blue")

	idle := func() {
		t.Helper()
		if slot := e.status().Slots["blue"]; slot.InFlight != 0 || slot.Upgraded != 0 || slot.State != switcher.Previous {
			t.Errorf("the drained slot is %s with %d requests and %d WebSockets in flight", slot.State, slot.InFlight, slot.Upgraded)
		}
	}
	idle()
	var frame chat.Frame
	for err = nil; err == nil; {
		err = wsjson.Read(ctx, socket, &frame)
	}
	if got := websocket.CloseStatus(err); got != websocket.StatusServiceRestart {
		t.Errorf("the WebSocket that was cut was told %v (%v), want to come back", got, err)
	}
	for range 20 {
		for _, host := range []string{"app.localhost", "internal.app.localhost"} {
			if got := e.release(host); got != "b" {
				t.Fatalf("%s shows %q after the drain, want b", host, got)
			}
		}
	}
	idle()
	e.must("rollback")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("routed again, the drained slot does not serve: %q", got)
	}
}

// sockets opens n WebSockets on production and returns where each tells the
// close code with which it ended.
func (e *testEdge) sockets(n int) <-chan websocket.StatusCode {
	e.t.Helper()
	ended := make(chan websocket.StatusCode, n)
	for range n {
		socket, _, err := websocket.Dial(e.t.Context(), "wss://app.localhost/ws", &websocket.DialOptions{HTTPClient: e.client()})
		if err != nil {
			e.t.Fatal(err)
		}
		go func() {
			defer socket.CloseNow()
			for {
				if _, _, err := socket.Read(context.WithoutCancel(e.t.Context())); err != nil {
					ended <- websocket.CloseStatus(err)
					return
				}
			}
		}()
	}
	return ended
}

// WebSockets are kept until their deadline and then asked to leave one by one.
// How many have left is shown while it happens.
func TestADrainClosesWebSocketsOneByOneAndShowsIt(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.WebSockets, e.Spread = "500ms", "3s"
	e.configure()
	e.start()
	e.deploy("a")
	const all = 60
	ended := e.sockets(all)
	e.deploy("b")
	e.must("switch")
	st := e.eventually("half of them are closed", func(st admin.Status) bool { return st.Drain != nil && st.Drain.Closed > 0 }).Drain
	if st.Closed+st.ToClose != all || st.ToClose == 0 || st.ClosedBy == nil || st.ClosedBy.Sub(*st.UpgradedUntil) != 3*time.Second {
		t.Errorf("the drain shows %+v", st)
	}
	if out := e.must("status").stdout; !strings.Contains(out, "of 60 closed") {
		t.Errorf("status does not tell of the drain:\n%s", out)
	}
	for range all {
		if code := <-ended; code != websocket.StatusServiceRestart {
			t.Errorf("a WebSocket ended with %v, want to be asked to come back", code)
		}
	}
	e.eventually("drained", func(st admin.Status) bool { return st.Drain == nil && st.Slots["blue"].Upgraded == 0 })
	r := e.recorded().History
	if last := r[len(r)-1]; last.Kind != switcher.KindDrain || !strings.Contains(last.Result, "60 long connections") || last.Took > 10*time.Second {
		t.Errorf("the history ends with %+v", last)
	}

	// The same as an operation, which tells it line by line.
	e.must("rollback")
	e.must("discard")
	ended = e.sockets(10)
	e.deploy("c")
	e.must("switch", "--bake", "0s")
	out := e.must("cleanup", "--json").stdout
	if !strings.Contains(out, `"drain":{"slot":"blue"`) || !strings.Contains(out, "long connections") {
		t.Errorf("cleanup told nothing of its drain:\n%s", out)
	}
	for range 10 {
		<-ended
	}
}
