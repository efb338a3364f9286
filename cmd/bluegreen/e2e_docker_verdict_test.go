package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/chat"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// crowd are users of production who note who has answered them, and how.
type crowd struct {
	mu      sync.Mutex
	answers map[string]int // by release and status; "" is nobody
	stop    func()
}

// crowd asks production over connections that are kept, and never asks twice
// for the same thing: what fails stays failed.
func (e *testEdge) crowd(size int) *crowd {
	e.t.Helper()
	c := &crowd{answers: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	browser := e.client()
	var users sync.WaitGroup
	for range size {
		users.Go(func() {
			for ctx.Err() == nil {
				c.ask(browser)
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	c.stop = sync.OnceFunc(func() { cancel(); users.Wait() })
	e.t.Cleanup(c.stop)
	return c
}

func (c *crowd) ask(browser *http.Client) {
	// A POST is not sent again by the client or by the edge.
	answer, err := browser.Post("https://app.localhost/api/messages", "application/json", strings.NewReader(`{"author": "crowd", "text": "hello"}`))
	said := "nobody " + fmt.Sprint(err)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		said = fmt.Sprint(answer.Header.Get(chat.HeaderRelease), " ", answer.StatusCode)
		if err != nil {
			said += " broken off"
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[said]++
}

func (c *crowd) said() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.answers)
}

// Its health checks succeed all the time, so that nothing but the figures can
// tell.
func TestAReleaseThatTurnsBadLongAfterTheSwitchIsRolledBackByItsFigures(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newDockerEdge(t, enginetest.Require(t), "a", "turning")
	e.Extra = tells(m.url)
	e.configure()
	e.start()
	e.must("deploy", "a")
	users := e.crowd(4)
	e.await("the first release has some traffic", func() bool { return users.said()["a 201"] >= 500 })
	e.must("deploy", "turning")
	e.must("switch")
	switched := time.Now()
	failed := e.status().Slots["green"].Instance
	e.await("it was well", func() bool { return users.said()["turning 201"] >= 200 })
	e.await("it turns bad", func() bool { return users.said()["turning 500"] > 0 })
	turned := time.Now()
	e.eventually("rolled back", func(st admin.Status) bool { return st.Active == switcher.Blue && st.Operation == nil })
	t.Logf("turned bad %v after the switch, was back %v later", turned.Sub(switched).Round(time.Second), time.Since(turned).Round(10*time.Millisecond))
	before := users.said()
	e.await("production goes on", func() bool { return users.said()["a 201"] >= before["a 201"]+200 })
	users.stop()

	// Who failed was answered by the bad release itself, and only by that.
	after := users.said()
	for _, said := range slices.Sorted(maps.Keys(after)) {
		if said != "a 201" && said != "turning 201" && said != "turning 500" {
			t.Errorf("%d requests got %q", after[said], said)
		}
	}
	if after["turning 500"] != before["turning 500"] {
		t.Errorf("%d requests failed after the rollback", after["turning 500"]-before["turning 500"])
	}
	t.Logf("answers: %v", after)

	history := e.recorded().History
	if i := slices.IndexFunc(history, func(r switcher.Record) bool { return r.Kind == switcher.KindRollback }); i < 0 ||
		history[i].Actor != switcher.Self || !strings.Contains(history[i].Reason, "figures speak against") || !strings.Contains(history[i].Reason, "failed") {
		t.Errorf("the history says %+v", history)
	}
	e.asRecorded("after the rollback") // the failed container is stopped
	var kept bool
	for _, c := range e.inspect() {
		if strings.Contains(fmt.Sprint(c.Config.Labels), failed) {
			logs, err := e.api.ContainerLogs(t.Context(), c.ID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(logs)
			kept = err == nil && strings.Contains(string(text), "listening")
			logs.Close()
		}
	}
	if !kept {
		t.Error("the output of the failed container was not kept")
	}

	e.await("the team has heard of it", func() bool { return len(m.heard()) >= 4 })
	if got, want := strings.Join(m.heard(), ", "), "switched a, ready turning, switched turning, rolled_back a"; got != want {
		t.Errorf("the team heard %q, want %q", got, want)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.told[len(m.told)-1]; !strings.Contains(last.Cause, "requests") || !strings.Contains(last.Text, "failed, ") {
		t.Errorf("the alert does not say the figures: %+v", last)
	} else {
		t.Logf("the team reads:\n%s", last.Text)
	}
}
