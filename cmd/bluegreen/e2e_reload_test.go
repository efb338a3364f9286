package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/chat"
	"sofiacall.com/bluegreen/switcher"
)

// edit replaces text in the configuration file.
func (e *testEdge) edit(pairs ...string) {
	e.t.Helper()
	old := mustRead(e.t, e.config())
	next := strings.NewReplacer(pairs...).Replace(old)
	if next == old {
		e.t.Fatalf("nothing to replace for %q in\n%s", pairs, old)
	}
	e.write("bluegreen.yaml", next)
}

// Invariant 2, for a reload: what is in flight goes on.
func TestAReloadAppliesWithoutTouchingConnections(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := e.client()
	socket, _, err := websocket.Dial(ctx, "wss://app.localhost/ws", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	var hello chat.Frame
	if err := wsjson.Read(ctx, socket, &hello); err != nil || hello.Release != "a" {
		t.Fatalf("hello = %+v, %v", hello, err)
	}
	const size, rate = 150_000, 50_000 // three seconds
	download, err := client.Get(fmt.Sprintf("https://app.localhost/download?seed=7&bytes=%d&rate=%d", size, rate))
	if err != nil {
		t.Fatal(err)
	}
	defer download.Body.Close()

	for host, reload := range map[string]func(){
		"new.localhost":   func() { e.must("reload") },
		"newer.localhost": func() { e.process.Process.Signal(syscall.SIGHUP) },
	} {
		e.edit("production: [", "production: ["+host+", ")
		reload()
		e.await(host+" is served", func() bool {
			answer, err := client.Get("https://" + host + "/release")
			if err != nil {
				return false
			}
			answer.Body.Close()
			return answer.Header.Get(chat.HeaderRelease) == "a"
		})
		sent := chat.Frame{Type: chat.FrameEcho, Text: host}
		if err := wsjson.Write(ctx, socket, sent); err != nil {
			t.Fatalf("after the reload: %v", err)
		}
		var echo chat.Frame
		if err := wsjson.Read(ctx, socket, &echo); err != nil || echo.Text != host {
			t.Errorf("echo after the reload = %+v, %v", echo, err)
		}
	}
	e.edit("new.localhost, ", "")
	e.must("reload")
	if answer, err := client.Get("https://new.localhost/release"); err == nil {
		answer.Body.Close()
		if answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("a host that is gone from the file is answered with %d", answer.StatusCode)
		}
	}

	got, err := io.ReadAll(download.Body)
	if err != nil {
		t.Fatalf("the download that was open during the reloads: %v", err)
	}
	want, _ := io.ReadAll(io.LimitReader(chat.Content(7), size))
	if sha256.Sum256(got) != sha256.Sum256(want) || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, not those that were sent", len(got))
	}
	if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing the WebSocket: %v", err)
	}
}

func TestAReloadRefusesWhatARunningEdgeCannotTakeOver(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("a")
	good := mustRead(t, e.config())
	ports := freePorts(t, 2)
	for name, change := range map[string]struct {
		edit []string
		says string
	}{
		"the listener":          {[]string{e.HTTPS, loopback(ports[0])}, "edge.https"},
		"the admin socket":      {[]string{"admin.sock", "other.sock"}, "admin"},
		"the state":             {[]string{e.dir + "/state", e.dir + "/elsewhere"}, "state"},
		"the issuer":            {[]string{"issuer: internal", "issuer: acme"}, "tls"},
		"the runtime":           {[]string{"runtime: process", "runtime: docker", "process: {", "image: example.test/chat\n    #"}, "runtime"},
		"a deployed app's name": {[]string{"\n  chat:", "\n  renamed:"}, "app chat is gone from the file while it is deployed"},
	} {
		t.Run(name, func(t *testing.T) {
			e.edit(change.edit...)
			e.untouched(func() { e.fails(3, []string{change.says, "restart"}, "reload") })
			e.write("bluegreen.yaml", good)
		})
	}
	e.must("reload")
}

func TestAReloadedPortAppliesAtTheNextDeployAndAnIntervalAtOnce(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.Interval = "10m"
	e.configure()
	e.start()
	e.deploy("a")
	before := e.eventually("probed at rest", func(st admin.Status) bool { return st.Slots["blue"].Health.CheckedAt != nil })
	ports := freePorts(t, 2)
	e.edit("interval: 10m", "interval: 100ms", fmt.Sprint(e.Blue), fmt.Sprint(ports[0]), fmt.Sprint(e.Green), fmt.Sprint(ports[1]))
	e.must("reload")
	checked := *before.Slots["blue"].Health.CheckedAt
	for range 3 { // the first may be the one that the reload asks for
		st := e.eventually("probed again", func(st admin.Status) bool { return st.Slots["blue"].Health.CheckedAt.After(checked) })
		checked = *st.Slots["blue"].Health.CheckedAt
	}
	if got := e.status().Slots["blue"].Address; got != loopback(e.Blue) {
		t.Errorf("blue is now said to be at %s, its instance listens on %d", got, e.Blue)
	}
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %q after the reload", got)
	}
	e.must("deploy", "b")
	if got := e.status().Slots["green"].Address; got != loopback(ports[1]) {
		t.Errorf("the next deploy went to %s, want port %d", got, ports[1])
	}
	e.must("switch")
	e.must("confirm")
	e.must("deploy", "c")
	st := e.status()
	if got := st.Slots["blue"].Address; got != loopback(ports[0]) || st.Slots["blue"].State != switcher.Testing {
		t.Errorf("blue is %s at %s, want testing at port %d", st.Slots["blue"].State, got, ports[0])
	}
	for host, want := range map[string]string{"app.localhost": "b", "internal.app.localhost": "c"} {
		if got := e.release(host); got != want {
			t.Errorf("%s shows %q, want %q", host, got, want)
		}
	}
}
