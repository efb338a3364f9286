package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// alert is what a webhook is told, as far as these tests look.
type alert struct {
	ID, Kind, Stage, App, Colour, Release, Commit, Cause, Text, Actor string
	Over                                                              bool
	Time                                                              time.Time
}

// team is a real webhook. While it is away it refuses what it is told.
type team struct {
	url  string
	mu   sync.Mutex
	away bool
	told []alert
}

func newTeam(t *testing.T) *team {
	t.Helper()
	m := &team{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var a alert
		if err := json.Unmarshal(body, &a); err != nil {
			t.Errorf("the webhook got %q: %v", body, err)
		}
		m.told = append(m.told, a)
	}))
	t.Cleanup(server.Close)
	m.url = "generic+" + server.URL + "/hook?token=s3cr3t"
	return m
}

// heard lists what was told, as kinds with their commits, each message once.
func (m *team) heard() (said []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]bool{}
	for _, a := range m.told {
		if !seen[a.ID] {
			said = append(said, a.Kind+" "+a.Commit)
		}
		seen[a.ID] = true
	}
	return said
}

func (m *team) leaves(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

// deaf is a webhook that takes a request and never answers.
func deaf(t *testing.T) string {
	t.Helper()
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); server.Close() })
	return "generic+" + server.URL + "/deaf"
}

func tells(urls ...string) string {
	quoted, _ := json.Marshal(urls)
	return fmt.Sprintf("    notify: { services: %s }", quoted)
}

// A service that hangs and one that refuses are there all the time: neither an
// operation nor the stop of the edge waits for them.
func TestTheTeamIsToldOfAReleasesLife(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newTestEdge(t, tells(deaf(t), "generic+http://127.0.0.1:1/refuses", m.url))
	e.start()
	e.deploy("a")
	e.deploy("b")
	e.must("switch")
	e.must("rollback", "--reason", "too slow")
	e.await("the team has heard of all", func() bool { return len(m.heard()) >= 4 })
	if got, want := strings.Join(m.heard(), ", "), "switched a, ready b, switched b, rolled_back a"; got != want {
		t.Errorf("the team heard %q, want %q", got, want)
	}
	m.mu.Lock()
	last := m.told[len(m.told)-1]
	m.mu.Unlock()
	if last.App != "chat" || last.Colour != "blue" || last.Release == "" || last.Cause != "too slow" || last.Actor == "" || last.Time.IsZero() ||
		!strings.Contains(last.Text, "bluegreen logs green -n 100 --app chat") {
		t.Errorf("the last message is %+v", last)
	}
	e.process.Process.Signal(syscall.SIGTERM)
	e.dead()
	if log := e.logged(); strings.Contains(log, "s3cr3t") || strings.Contains(log, "/deaf") || !strings.Contains(log, "generic #2") {
		t.Error("the log holds a part of a service's URL, or does not name one that fails")
	}
}

func TestWhatTheTeamWasNotToldBeforeAKillIsToldAfterIt(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	m.leaves(true)
	e := newTestEdge(t, tells(m.url))
	e.edit("apps:\n", "language: es\napps:\n")
	e.start()
	e.deploy("a")
	e.await("it is on disk", func() bool {
		data, _ := os.ReadFile(e.file("state/notify/queue.json"))
		if strings.Contains(string(data), "s3cr3t") {
			t.Error("the file holds the service's URL")
		}
		return strings.Contains(string(data), `"switched"`)
	})
	e.kill()
	m.leaves(false)
	e.start()
	e.await("the team hears of it", func() bool { return len(m.heard()) > 0 })
	if got := strings.Join(m.heard(), ", "); got != "switched a" {
		t.Errorf("the team heard %q", got)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if text := m.told[0].Text; !strings.Contains(text, "producción está ahora en azul") || !strings.Contains(text, "es la primera versión de la aplicación") {
		t.Errorf("the team was not told in Spanish: %s", text)
	}
}

func TestATestOfAlertsTellsHowEachServiceDid(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newTestEdge(t, "")
	e.start()
	e.fails(2, []string{"app chat has no services to tell", "apps.chat.notify.services"}, "notify", "test")
	e.edit("health: {", "notify: { services: ['"+m.url+"', 'generic+http://127.0.0.1:1/s3cr3t'] }\n    health: {")
	e.must("reload")
	r := e.fails(1, []string{"not delivered: generic #2"}, "notify", "test")
	for _, want := range []string{"generic #1   delivered in ", "generic #2   failed after ", "connection refused"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("notify test does not say %q:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout+r.stderr, "s3cr3t") {
		t.Errorf("notify test tells a secret:\n%s%s", r.stdout, r.stderr)
	}
	if got := strings.Join(m.heard(), ", "); got != "test " {
		t.Errorf("the team heard %q", got)
	}
	if out := e.must("notify", "status").stdout; !strings.Contains(out, "no trouble lasts") || !strings.Contains(out, "generic #1   delivers") {
		t.Errorf("notify status said:\n%s", out)
	}
	e.edit("generic+http://127.0.0.1:1/s3cr3t", "pager://s3cr3t")
	refused := e.fails(2, []string{"apps.chat.notify.services[1]", "there is no service \"pager\""}, "reload")
	checked := e.fails(2, []string{"apps.chat.notify.services[1]"}, "config", "check", e.config())
	if strings.Contains(refused.stderr+checked.stderr, "s3cr3t") {
		t.Errorf("a refusal tells a secret:\n%s%s", refused.stderr, checked.stderr)
	}
}

func TestANearlyFullDiskIsTold(t *testing.T) {
	t.Parallel()
	m := newTeam(t)
	e := newTestEdge(t, tells(m.url))
	e.edit("apps:\n", "disk: { warn: 0.001 }\napps:\n")
	e.start()
	e.await("the team hears of it", func() bool { return len(m.heard()) > 0 })
	m.mu.Lock()
	first := m.told[0]
	m.mu.Unlock()
	if first.Kind != "disk" || first.App != "" || first.Over || !strings.Contains(first.Text, e.file("state")) || !strings.Contains(first.Cause, "% of it") {
		t.Errorf("the team was told %+v", first)
	}
	if out := e.must("notify", "status").stdout; !strings.Contains(out, "disk") || !strings.Contains(out, e.file("state")) {
		t.Errorf("notify status said:\n%s", out)
	}
}
