package chat

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a chat that the test can stop.
type running struct {
	url    string
	client *http.Client
	stop   func() error // returns what Run returned
}

func run(t *testing.T, o Options) running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Listener = listener
	if o.Release == "" {
		o.Release, o.Colour, o.Instance = "r1", "blue", "i1"
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	client := &http.Client{Transport: &http.Transport{}}
	var result error
	stopped := false
	stop := func() error {
		cancel()
		if !stopped {
			result, stopped = <-ended, true
		}
		return result
	}
	t.Cleanup(func() { client.CloseIdleConnections(); stop() })
	return running{url: "http://" + listener.Addr().String(), client: client, stop: stop}
}

func (c running) get(t *testing.T, path string) (int, []byte) {
	t.Helper()
	answer, err := c.client.Get(c.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Header.Get(HeaderRelease) != "r1" {
		t.Errorf("%s does not tell its release", path)
	}
	return answer.StatusCode, body
}

func (c running) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), c.url+"/ws", &websocket.DialOptions{HTTPClient: c.client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	if hello := receive(t, conn); hello.Type != FrameHello || hello.Release != "r1" || hello.Colour != "blue" {
		t.Fatalf("first frame %+v", hello)
	}
	return conn
}

func receive(t *testing.T, conn *websocket.Conn) Frame {
	t.Helper()
	var frame Frame
	if err := wsjson.Read(t.Context(), conn, &frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestEveryPageTellsTheRelease(t *testing.T) {
	c := run(t, Options{})
	for path, want := range map[string]string{
		"/": `<span id="release">r1</span>`, "/health": "ok", "/slow?for=1ms": `"r1"`, "/api/messages": "[]",
		"/release": `{"release":"r1","colour":"blue","instance":"i1"}`,
	} {
		if status, body := c.get(t, path); status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := c.get(t, "/nothing"); status != 404 {
		t.Errorf("unknown path: %d", status)
	}
}

func TestPostedMessageReachesEverybody(t *testing.T) {
	c := run(t, Options{})
	one, two := c.dial(t), c.dial(t)
	answer, err := c.client.Post(c.url+"/api/messages", "application/json", strings.NewReader(`{"author":"ana","text":"hola"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("posted: %d", answer.StatusCode)
	}
	for _, conn := range []*websocket.Conn{one, two} {
		if f := receive(t, conn); f.Type != FrameMessage || f.Author != "ana" || f.Text != "hola" {
			t.Errorf("received %+v", f)
		}
	}
	wsjson.Write(t.Context(), one, Frame{Type: FrameEcho, Text: "me"})
	if f := receive(t, one); f.Type != FrameEcho || f.Text != "me" || f.Release != "r1" {
		t.Errorf("echo %+v", f)
	}
	wsjson.Write(t.Context(), one, Frame{Type: FrameMessage, Author: "eva", Text: "adiós"})
	if f := receive(t, two); f.Text != "adiós" {
		t.Errorf("after the echo the other one received %+v", f)
	}
	var all []Message
	_, body := c.get(t, "/api/messages")
	if err := json.Unmarshal(body, &all); err != nil || len(all) != 2 || all[1].ID != 2 {
		t.Errorf("%v, %+v", err, all)
	}
}

func TestRoomIsBounded(t *testing.T) {
	r := newRoom()
	_, leave := r.enter() // never reads, and holds up nobody
	defer leave()
	for range maxMessages + 50 {
		r.say(Message{Text: "x"})
	}
	if all := r.all(); len(all) != maxMessages || all[0].ID != 51 {
		t.Errorf("%d messages from %d on", len(all), all[0].ID)
	}
}

func TestBadMessagesAreRefused(t *testing.T) {
	c := run(t, Options{})
	for _, body := range []string{"", "{", `{"text":" "}`, `{"text":"` + strings.Repeat("x", maxText+1) + `"}`, strings.Repeat(" ", maxBody+1)} {
		answer, err := c.client.Post(c.url+"/api/messages", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 400 {
			t.Errorf("%.20q: %d", body, answer.StatusCode)
		}
	}
}

func TestTransfersCanBeCheckedByTheOtherEnd(t *testing.T) {
	c := run(t, Options{})
	content, _ := io.ReadAll(io.LimitReader(Content(7), 100_000))
	for _, rate := range []int{0, 2_000_000} {
		if _, got := c.get(t, fmt.Sprintf("/download?bytes=100000&seed=7&rate=%d", rate)); !bytes.Equal(got, content) {
			t.Errorf("rate %d: %d wrong bytes", rate, len(got))
		}
	}
	if _, other := c.get(t, "/download?bytes=100000&seed=8"); bytes.Equal(other, content) {
		t.Error("two seeds give the same bytes")
	}
	answer, err := c.client.Post(c.url+"/upload", "", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var receipt Receipt
	json.NewDecoder(answer.Body).Decode(&receipt)
	if want := (Receipt{100_000, fmt.Sprintf("%x", sha256.Sum256(content))}); receipt != want {
		t.Errorf("receipt %+v, want %+v", receipt, want)
	}
	if status, _ := c.get(t, "/download?bytes=-1"); status != 400 {
		t.Errorf("negative size: %d", status)
	}
}

func TestEventsTellTheReleaseThenTick(t *testing.T) {
	c := run(t, Options{})
	answer, err := c.client.Get(c.url + "/events?every=1ms")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var lines []string
	for s := bufio.NewScanner(answer.Body); len(lines) < 5 && s.Scan(); {
		lines = append(lines, s.Text())
	}
	want := []string{"event: release", `data: {"release":"r1","colour":"blue","instance":"i1"}`, "", "event: tick", `data: {"n":1}`}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", lines)
	}
}

func TestStopFinishesRequestsAndSaysGoodbye(t *testing.T) {
	c := run(t, Options{Grace: time.Minute})
	conn := c.dial(t)
	events, err := c.client.Get(c.url + "/events?every=1m")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	slow, err := c.client.Get(c.url + "/download?bytes=20000&rate=100000") // the header comes at once
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	closed := make(chan error, 1)
	go func() {
		_, _, err := conn.Read(context.Background())
		closed <- err
	}()
	ended := make(chan error, 1)
	go func() { ended <- c.stop() }()
	if body, err := io.ReadAll(slow.Body); err != nil || len(body) != 20000 {
		t.Errorf("the download gave %d bytes, %v", len(body), err)
	}
	if body, err := io.ReadAll(events.Body); err != nil || !strings.HasSuffix(string(body), "event: bye\ndata: {}\n\n") {
		t.Errorf("the events ended with %q, %v", body, err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestStopIsBounded(t *testing.T) {
	c := run(t, Options{Grace: 10 * time.Millisecond, Fault: "sick-after=1h"})
	answer, err := c.client.Get(c.url + "/download?bytes=200000000&rate=1")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestFaultExit(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), Options{Fault: "exit", Output: &out})
	if !errors.Is(err, ErrFault) || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%v, output:\n%s", err, &out)
	}
}

func TestFaultNeverHealthy(t *testing.T) {
	c := run(t, Options{Fault: "never-healthy"})
	if status, _ := c.get(t, "/health"); status != 503 {
		t.Errorf("health: %d", status)
	}
	if status, _ := c.get(t, "/release"); status != 200 {
		t.Errorf("release: %d", status)
	}
}

func TestFaultSickAfterRequests(t *testing.T) {
	c := run(t, Options{Fault: "sick-after-requests=2"})
	var got []int
	for _, path := range []string{"/health", "/release", "/health", "/release", "/release", "/health"} {
		status, _ := c.get(t, path)
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[200 200 200 200 500 500]" {
		t.Error(got)
	}
}

func TestFaultSickAfter(t *testing.T) {
	c := run(t, Options{Fault: "sick-after=1ns"})
	for _, path := range []string{"/health", "/api/messages"} {
		if status, _ := c.get(t, path); status != 500 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestFaultHangDoesNotHoldUpTheEnd(t *testing.T) {
	c := run(t, Options{Fault: "hang"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", c.url+"/health", nil)
	if answer, err := c.client.Do(request); err == nil {
		answer.Body.Close()
		t.Error("it answered")
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestUnknownFaultIsRefused(t *testing.T) {
	for _, f := range []string{"boom", "sick-after=", "sick-after-requests=many"} {
		if err := Run(t.Context(), Options{Address: "127.0.0.1:0", Fault: f}); err == nil || !strings.Contains(err.Error(), f) {
			t.Errorf("%s: %v", f, err)
		}
	}
}
