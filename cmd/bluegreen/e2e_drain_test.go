package main

import (
	"context"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

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
