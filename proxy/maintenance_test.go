package proxy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// inMaintenance is a public route of e to b that shows the page.
func (e *edge) inMaintenance(b *Backend, message string) *Route {
	r := e.route(b, "blue")
	r.Maintenance = &Maintenance{Message: message}
	return r
}

func TestMaintenanceShowsAPageInsteadOfTheBackend(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		b := startBackend(t, func(http.ResponseWriter, *http.Request) { t.Error("the backend was asked") })
		e := startEdge(t, b)
		e.service.Set(e.inMaintenance(b, ""))
		for _, c := range []struct {
			header []string
			want   string
		}{
			{nil, "<h1>Down for maintenance</h1>"},
			{[]string{"Accept-Language", "es-MX"}, "<h1>En mantenimiento</h1>"},
			{[]string{"Accept", "text/plain"}, "Down for maintenance. We are working on the service."},
		} {
			response, body := e.get(h2, "https://"+appHost+"/any?thing=1", c.header...)
			if response.StatusCode != 503 || response.Header.Get("Retry-After") != "60" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v: %d %v", c.header, response.StatusCode, response.Header)
			}
			if !strings.Contains(body, c.want) {
				t.Errorf("%v: the page does not say %q:\n%s", c.header, c.want, body)
			}
		}
		response, body := e.do(h2, http.MethodPost, "https://"+appHost+"/api", strings.NewReader("{}"), "Accept", "application/json")
		var told struct {
			Status        int
			Title, Detail string
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil || told.Status != 503 || told.Title != "Down for maintenance" {
			t.Errorf("to an API client: %d %q, %v", response.StatusCode, body, err)
		}
		if b.InFlight() != 0 {
			t.Errorf("in flight %d", b.InFlight())
		}
	})
}

func TestMessageOfAMaintenanceIsText(t *testing.T) {
	b := startBackend(t, says("blue"))
	e := startEdge(t, b)
	const message = `Back at 14:00 <script>alert("x")</script> & more`
	e.service.Set(e.inMaintenance(b, message))
	if _, body := e.get(false, "https://"+appHost+"/"); strings.Contains(body, "<script>") || !strings.Contains(body, "Back at 14:00 &lt;script&gt;") {
		t.Errorf("the page has\n%s", body)
	}
	if _, body := e.get(false, "https://"+appHost+"/", "Accept", "text/plain"); body != "Down for maintenance. "+message+"\n" {
		t.Errorf("as text: %q", body)
	}
}

func TestMaintenanceLetsProbesAndTheTeamIn(t *testing.T) {
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("backend " + r.Header.Get("Cookie") + r.URL.RawQuery))
	})
	e := startEdge(t, b)
	key, err := NewLinkKey(make([]byte, LinkKeySize), nil)
	if err != nil {
		t.Fatal(err)
	}
	route := e.inMaintenance(b, "")
	route.Policy.Links = key.Links("app")
	e.service.Set(route)

	if response, body := e.get(true, "https://"+appHost+"/", ProbeHeader, secret); body != "backend " || response.Header.Get(LabelHeader) != "blue" {
		t.Errorf("a probe got %d %q", response.StatusCode, body)
	}
	token, err := route.Policy.Links.Sign(appHost, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	response, _ := e.get(false, "https://"+appHost+"/chat?"+url.Values{LinkParameter: {token}}.Encode())
	cookies := response.Cookies()
	if response.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("the link is answered %d with %v", response.StatusCode, cookies)
	}
	if _, body := e.get(false, "https://"+appHost+"/", "Cookie", cookies[0].Name+"="+cookies[0].Value); body != "backend " {
		t.Errorf("with the cookie: %q", body)
	}
	if response, _ := e.get(false, "https://"+appHost+"/", "Cookie", cookies[0].Name+"=Z"+cookies[0].Value[1:]); response.StatusCode != 503 {
		t.Errorf("with a cookie that is not ours: %d", response.StatusCode)
	}
	elsewhere, err := key.Links("app").Sign(otherHost, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if response, _ := e.get(false, "https://"+appHost+"/?"+url.Values{LinkParameter: {elsewhere}}.Encode()); response.StatusCode != 503 {
		t.Errorf("with a link for another host: %d", response.StatusCode)
	}
}

func TestMaintenanceLeavesOpenWebSocketsAndRefusesNewOnes(t *testing.T) {
	b := startBackend(t, echo(nil, nil))
	e := startEdge(t, b)
	open := e.open()
	e.service.Set(e.inMaintenance(b, ""))
	if err := open.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := open.Read(t.Context()); err != nil || string(got) != "still here" {
		t.Errorf("the open WebSocket got %q, %v", got, err)
	}
	_, response, err := websocket.Dial(t.Context(), "wss://"+appHost+"/ws", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err == nil || response == nil || response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("a new one: %v, %v", response, err)
	}
	if o := e.recorder.only(t); o.Failure != FailureMaintenance || o.Status != 503 {
		t.Errorf("recorded %+v", o)
	}
}
