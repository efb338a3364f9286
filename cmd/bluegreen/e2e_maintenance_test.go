package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// page asks a host with a client and returns status and body.
func (e *testEdge) page(client *http.Client, url string) (int, string) {
	e.t.Helper()
	answer, err := client.Get(url)
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestMaintenanceShutsEverybodyOutButTheTeam(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "    switch: { bake: 1h }")
	e.start()
	e.deploy("a")
	var answer switcher.Answer
	if err := json.Unmarshal([]byte(e.must("maintenance", "on", "--message", "Back at <b>14:00</b>", "--json").stdout), &answer); err != nil || len(answer.Links) != 1 {
		t.Fatalf("answer = %+v, %v", answer, err)
	}
	status, body := e.page(e.client(), "https://app.localhost/release")
	if status != 503 || !strings.Contains(body, "Back at &lt;b&gt;14:00&lt;/b&gt;") {
		t.Errorf("production answers %d\n%s", status, body)
	}
	if got := e.release("internal.app.localhost"); got != "a" {
		t.Errorf("internal shows %q", got)
	}

	team := e.client()
	team.Jar, _ = cookiejar.New(nil)
	if status, body := e.page(team, strings.Replace(answer.Links[0].URL, "/?", "/release?", 1)); status != 200 || !strings.Contains(body, `"a"`) {
		t.Errorf("the link leads to %d %s", status, body)
	}

	// Health, switch and automatic rollback go on behind the page.
	e.deploy("sickens")
	e.must("switch")
	if status, body := e.page(team, "https://app.localhost"+e.HTTPS[strings.LastIndexByte(e.HTTPS, ':'):]+"/release"); status != 200 || !strings.Contains(body, "sickens") {
		t.Errorf("after the switch the team sees %d %s", status, body)
	}
	e.eventually("rolled back", func(st admin.Status) bool { return st.Active == "blue" && st.Operation == nil })

	e.kill()
	e.start()
	if status, _ := e.page(e.client(), "https://app.localhost/release"); status != 503 {
		t.Errorf("after a kill production answers %d", status)
	}
	if status, _ := e.page(team, "https://app.localhost"+e.HTTPS[strings.LastIndexByte(e.HTTPS, ':'):]+"/release"); status != 200 {
		t.Errorf("after a kill the team gets %d", status)
	}
	if out := e.must("status").stdout; !strings.Contains(out, "maintenance  on, for ") || !strings.Contains(out, "Back at <b>14:00</b>") {
		t.Errorf("status does not tell of it:\n%s", out)
	}
	out := e.must("maintenance", "on", "--message", "Soon").stdout
	if !strings.Contains(out, "on already, since ") || !strings.Contains(out, "its message is replaced") || !strings.Contains(out, "  https://app.localhost:") {
		t.Errorf("a second time it says\n%s", out)
	}
	e.must("maintenance", "off")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("afterwards production shows %q", got)
	}
	if out := e.must("maintenance", "off").stdout; out != "maintenance is off\n" {
		t.Errorf("off once more: %q", out)
	}
	e.fails(2, []string{"longer than 500 characters"}, "maintenance", "on", "--message", strings.Repeat("x", 501))
	if log := e.logged(); strings.Contains(log, "bluegreen_link=") {
		t.Errorf("the log tells a link")
	}
}

// Invariant 4 for the two durable writes of a maintenance, with real kills.
func TestAfterAKillMaintenanceIsAsOnDisk(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.env = []string{envFailFile + "=" + e.file("armed")}
	e.start()
	e.deploy("a")
	for _, c := range []struct {
		command, point string
		on             bool
	}{
		{"on", "maintenance/on/before", false},
		{"on", "maintenance/on/after", true},
		{"off", "maintenance/off/before", true},
		{"off", "maintenance/off/after", false},
	} {
		e.write("armed", c.point)
		e.fails(8, nil, "maintenance", c.command)
		e.dead()
		os.Remove(e.file("armed"))
		if on := e.recorded().Maintenance != nil; on != c.on {
			t.Errorf("%s: on disk it is on: %v", c.point, on)
		}
		e.start()
		if status, _ := e.page(e.client(), "https://app.localhost/release"); (status == 503) != c.on {
			t.Errorf("%s: production answers %d", c.point, status)
		}
		if st := e.status(); (st.Maintenance != nil) != c.on {
			t.Errorf("%s: the status says %+v", c.point, st.Maintenance)
		}
	}
}

func TestOfflineSummaryTellsOfMaintenance(t *testing.T) {
	s := &switcher.State{Generation: 7, Active: "blue", Internal: "green", Maintenance: &switcher.Maintenance{}}
	if got := summary(s); got != "generation 7, production on blue, internal on green, in maintenance" {
		t.Errorf("summary = %q", got)
	}
}
