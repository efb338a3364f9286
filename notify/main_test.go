package notify

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/switcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// moment0 is when the notices of golden files are from.
var moment0 = time.Date(2026, 11, 24, 14, 2, 11, 0, time.UTC)

func candidate() *switcher.Release {
	return &switcher.Release{
		ID: "20261124-2", Commit: "8f2c1ab", Image: "ghcr.io/sofiacall/sofia-chat-backend:8f2c1ab",
		ImageID: "sha256:0011", Digest: "sha256:2233", DeployedAt: moment0.Add(-time.Hour), DeployedBy: "maria",
	}
}

func unhealthy(over bool) switcher.Notice {
	return switcher.Notice{
		Kind: switcher.NoticeUnhealthy, Time: time.Now(), App: "chat", Colour: switcher.Green, Release: candidate(),
		Cause: "GET /health answered 503", Over: over,
	}
}

func event(kind switcher.NoticeKind) switcher.Notice {
	return switcher.Notice{Kind: kind, Time: time.Now(), App: "chat", Colour: switcher.Green, Release: candidate(), Actor: "maria"}
}

// settingsFor tell one app's notices to the services.
func settingsFor(urls ...string) Settings {
	return Settings{Apps: map[string]App{"chat": {Services: urls}}}
}

// start runs a Notifier; stop ends it and waits.
func start(t *testing.T, n *Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := n.Run(ctx); err != nil {
			t.Errorf("running: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

// webhook is a real one that keeps what it gets.
type webhook struct {
	url     string
	mu      sync.Mutex
	got     []map[string]any
	answers []int // statuses, of the first requests; then 200
	asked   int
}

func newWebhook(t *testing.T, answers ...int) *webhook {
	t.Helper()
	w := &webhook{answers: answers}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked++
		if len(w.answers) >= w.asked && w.answers[w.asked-1] != http.StatusOK {
			rw.WriteHeader(w.answers[w.asked-1])
			return
		}
		var document map[string]any
		if err := json.Unmarshal(body, &document); err != nil {
			t.Errorf("the webhook got no JSON: %v in %q", err, body)
		}
		w.got = append(w.got, document)
	}))
	t.Cleanup(server.Close)
	w.url = "generic+" + server.URL + "/hook-s3cr3t?token=t0ps3cr3t"
	return w
}

func (w *webhook) documents() []map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]map[string]any(nil), w.got...)
}

// hanging is a webhook that takes a request and never answers it.
func hanging(t *testing.T) (url string, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	count, over := 0, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		count++
		mu.Unlock()
		<-over
	}))
	t.Cleanup(func() { close(over); server.Close() })
	return "generic+" + server.URL + "/hook", func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// eventually polls until ok, for ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// fake is a team that reads what is sent without a network, for tests whose
// time is not real.
type fake struct {
	mu   sync.Mutex
	told []string
	fail func(url string, m *message) error // nil: nothing fails
}

func (f *fake) send(sv *service, m *message, _ Settings) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(sv.url, m); err != nil {
			return err
		}
	}
	said := string(m.Notice.Kind) + " " + string(m.Stage)
	if len(sv.places) > 0 && strings.HasPrefix(sv.url, "generic+http://two") {
		said = "two: " + said
	}
	f.told = append(f.told, said)
	return nil
}

// heard returns what was told since it was last asked.
func (f *fake) heard() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := strings.Join(f.told, ", ")
	f.told = nil
	return said
}
