package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/load"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

// roots are what clients trust.
func (e *testEdge) roots() *x509.CertPool {
	e.t.Helper()
	if e.trusted != nil {
		return e.trusted
	}
	root, err := edgetls.Root(filepath.Join(e.dir, "state"))
	if err != nil {
		e.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	return pool
}

// rounds is how often production is moved there and back; `make soak` asks for
// a thousand.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("BLUEGREEN_SOAK"))
	if err != nil {
		return 20
	}
	return n
}

// Invariants 1 and 2: a request that starts after switch or rollback has
// returned is never served by the other slot, and no request shorter than the
// drain deadline fails. The load never retries; each transfer is compared by
// its SHA-256.
func TestSwitchesAndRollbacksUnderLoadLoseNothing(t *testing.T) {
	e := newTestEdge(t, "    switch: { bake: 10m }\n")
	e.Drain, e.WebSockets = "20s", "5s" // longer than what the load asks for, also on a busy machine
	e.configure()
	e.start()
	e.must("deploy", "r0")
	traffic := load.New(load.Options{Address: e.HTTPS, Host: "app.localhost", RootCAs: e.roots()})
	traffic.Fence("r0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- traffic.Run(ctx) }()

	look := func() { time.Sleep(300 * time.Millisecond) } // traffic under a fence
	// The API answers before the command that asked it returns.
	move := func(release string, do request) {
		t.Helper()
		traffic.Fence("")
		if _, err := e.operate(do); err != nil {
			t.Fatalf("moving production to %s: %v", release, err)
		}
		traffic.Fence(release)
		look()
	}
	switchOver := switching(switcher.SwitchRequest{})
	live := "r0"
	look()
	for n := 1; n <= rounds(t); n++ {
		next := fmt.Sprintf("r%d", n)
		e.deploy(next)
		before := traffic.Snapshot().Sockets.Open[live]
		move(next, switchOver)
		move(live, rollingBack)
		if got := traffic.Snapshot().Sockets.Open[live]; got < before {
			t.Errorf("round %d: %d WebSockets of %s are left of %d from before the switch", n, got, live, before)
		}
		if n%5 == 0 { // and on from the other slot
			e.deploy(next)
			move(next, switchOver)
			e.must("confirm")
			live = next
		}
		if s := traffic.Snapshot(); s.Failed()+s.Stale() > 0 {
			t.Errorf("round %d: %d failed, %d stale: %q", n, s.Failed(), s.Stale(), s.Errors())
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	stats := traffic.Snapshot()
	for _, kind := range load.Kinds() {
		k := stats.Kinds[kind]
		t.Logf("%-20s %6d done, %d failed, %d stale, p50 %v, p99 %v", kind, k.Done, k.Failed, k.Stale, k.P50, k.P99)
		if k.Done == 0 {
			t.Errorf("no %s was done: nothing is known of it", kind)
		}
	}
	t.Logf("WebSockets: %d opened, %d closed with 1012 at their deadline", stats.Sockets.Opened, stats.Sockets.ClosedByEdge)
	if stats.Failed()+stats.Stale() > 0 || len(stats.Sockets.Broken) > 0 {
		t.Errorf("%d failed, %d stale, broken sockets %v: %q", stats.Failed(), stats.Stale(), stats.Sockets.Broken, stats.Errors())
	}
	e.eventually("idle", func(st admin.Status) bool {
		b, g := st.Slots["blue"], st.Slots["green"]
		return b.InFlight+b.Upgraded+g.InFlight+g.Upgraded == 0
	})
}

// dialSocket opens a WebSocket through the edge.
func (e *testEdge) dialSocket(ctx context.Context) *websocket.Conn {
	e.t.Helper()
	conn, _, err := websocket.Dial(ctx, "https://app.localhost/ws", &websocket.DialOptions{HTTPClient: e.client()})
	if err != nil {
		e.t.Fatal(err)
	}
	if _, _, err := conn.Read(ctx); err != nil { // the greeting
		e.t.Fatal(err)
	}
	return conn
}

func TestAWebSocketLivesUntilItsOwnDeadline(t *testing.T) {
	e := newTestEdge(t, "")
	e.WebSockets = "10s"
	e.configure()
	e.start()
	e.must("deploy", "a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn := e.dialSocket(ctx)
	defer conn.CloseNow()
	e.must("deploy", "b")
	e.must("switch")
	drain := e.status().Drain
	if drain == nil || drain.UpgradedUntil == nil {
		t.Fatalf("drain = %+v, want one that waits for the WebSocket", drain)
	}
	_, _, err := conn.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.StatusServiceRestart {
		t.Errorf("the socket ended with %v, want close code 1012", err)
	}
	if early := time.Until(*drain.UpgradedUntil); early > 0 {
		t.Errorf("the socket was closed %v before its deadline", early)
	}
	if got := e.release("app.localhost"); got != "b" {
		t.Errorf("production shows %s", got)
	}
}

func TestAWebSocketLivesAcrossARollbackToItsSlot(t *testing.T) {
	e := newTestEdge(t, "")
	e.start()
	e.must("deploy", "a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn := e.dialSocket(ctx)
	defer conn.CloseNow()
	e.must("deploy", "b")
	e.must("switch")
	e.must("rollback", "--wait") // until green is drained and stopped
	time.Sleep(2500 * time.Millisecond)
	if err := conn.Ping(conn.CloseRead(ctx)); err != nil {
		t.Errorf("the socket did not survive: %v", err)
	}
}

// A deploy over a candidate drains it first. Discarding the deploy at that
// moment must not cut short what the drain was waiting for.
func TestADiscardedDeployLetsTheOldCandidateFinish(t *testing.T) {
	e := newTestEdge(t, "")
	e.Drain = "20s"
	e.configure()
	e.start()
	e.deploy("a")
	e.deploy("b")
	answer := make(chan error, 1)
	go func() {
		response, err := e.client().Get("https://internal.app.localhost/slow?for=3s")
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		if err == nil && response.StatusCode != http.StatusOK {
			err = errors.New(response.Status)
		}
		answer <- err
	}()
	e.eventually("asked", func(st admin.Status) bool { return st.Slots["green"].InFlight > 0 })
	deploy := make(chan result, 1)
	go func() { deploy <- e.cli("deploy", "c") }()
	e.eventually("draining", func(st admin.Status) bool { return st.Operation != nil && st.Operation.Step == "clear" })
	e.must("discard")
	if r := <-deploy; r.code != 1 {
		t.Errorf("the discarded deploy: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if err := <-answer; err != nil {
		t.Errorf("a request of 3s with a drain deadline of 20s: %v", err)
	}
	e.eventually("one instance left", func(admin.Status) bool { return len(instances(e.dir)) == 1 })
}
