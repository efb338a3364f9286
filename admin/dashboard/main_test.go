package dashboard

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a dashboard before a real app.
type site struct {
	*apptest.Bench
	server *Server
}

// start serves the app "chat" until the test ends.
func start(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	return startOf(t, apptest.Start(t, "chat"), change...)
}

func startOf(t *testing.T, b *apptest.Bench, change ...func(*Options)) *site {
	t.Helper()
	s := &site{Bench: b}
	o := Options{
		Apps: func() []*switcher.App { return []*switcher.App{s.App} },
		Drain: func(string) switcher.DrainSettings {
			return switcher.DrainSettings{Timeout: 30 * time.Second, Websockets: 5 * time.Minute}
		},
	}
	for _, f := range change {
		f(&o)
	}
	s.server = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	apptest.Eventually(t, "the dashboard runs", func() bool {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		return s.server.life != nil
	})
	return s
}

// visitor is a browser without a window.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, base, &http.Client{Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// link makes a one-time link for somebody.
func (s *site) link(t *testing.T, actor switcher.Actor, scope admin.Scope) admin.DashboardLink {
	t.Helper()
	link, err := s.server.Open(actor, scope, "chat")
	if err != nil {
		t.Fatalf("making a link: %v", err)
	}
	return link
}

// enter opens a link.
func (s *site) enter(t *testing.T, actor switcher.Actor, scope admin.Scope) *visitor {
	t.Helper()
	link := s.link(t, actor, scope)
	v := newVisitor(t, "http://"+link.Address)
	if answer, _ := v.get(strings.TrimPrefix(link.URL, v.base)); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("opening the link: %s", answer.Status)
	}
	return v
}

func (v *visitor) get(path string, header ...string) (*http.Response, string) {
	v.t.Helper()
	return v.ask(http.MethodGet, path, "", header...)
}

// post sends a form as a page of the site would.
func (v *visitor) post(path string, form url.Values, header ...string) (*http.Response, string) {
	v.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, header...)
	return v.ask(http.MethodPost, path, form.Encode(), header...)
}

func (v *visitor) ask(method, path, body string, header ...string) (*http.Response, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	answer, err := v.client.Do(request)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer, string(text)
}

// confirmation is the form of an action's page at this moment, confirmed.
func (s *site) confirmation(kind switcher.Kind) url.Values {
	st := s.App.Status()
	form := url.Values{"expect_active": {string(st.Active)}, "expect_running": {runningOf(st)}, "confirm": {"chat"}}
	if r := st.Slots[subjectOf(kind, st)].Release; r != nil {
		form.Set("expect_release", r.ID)
	}
	return form
}
