package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

func TestEveryCodeSurvivesTheWire(t *testing.T) {
	for _, code := range []switcher.Code{
		switcher.CodeFailed, switcher.CodeUsage, switcher.CodeRefused, switcher.CodeBusy, switcher.CodeUnhealthy,
		switcher.CodeTimeout, switcher.CodeForbidden, switcher.CodeUnreachable,
	} {
		sent := &switcher.Error{Code: code, What: "it failed", Err: errors.New("so it is"), Hint: "do this", Output: []string{"a", "b"},
			Findings: []switcher.SchemaFinding{{Code: "c", Object: "o", Verdict: switcher.SchemaBlock, What: "w"}}, Plan: "p"}
		p := ProblemOf(sent)
		got := p.Err()
		if got.Code != code || got.Error() != sent.Error() || got.Hint != sent.Hint || !slices.Equal(got.Output, sent.Output) ||
			!slices.Equal(got.Findings, sent.Findings) || got.Plan != sent.Plan {
			t.Errorf("%s arrived as %+v", code, got)
		}
		if p.Status < 400 || p.Title == "" || !strings.HasSuffix(p.Type, ":"+string(code)) {
			t.Errorf("%s is told as %+v", code, p)
		}
	}
	if p := ProblemOf(errors.New("boom")); p.Code != switcher.CodeFailed || p.Status != 500 {
		t.Errorf("an error without a code is told as %+v", p)
	}
}

func TestRequestsFromWebPagesAreRefused(t *testing.T) {
	e := startEdge(t)
	for _, header := range [][2]string{
		{"Host", "evil.example"}, {"Origin", "https://evil.example"}, {"Referer", "https://evil.example/"}, {"Sec-Fetch-Site", "cross-site"},
	} {
		answer := e.send(t, "GET", "/v1/apps", "", header[0], header[1])
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("with %s %s: answered %s", header[0], header[1], answer.Status)
		}
	}
	if answer := e.send(t, "GET", "/v1/apps", "", "Host", "localhost"); answer.StatusCode != http.StatusOK {
		t.Errorf("host localhost, as curl sends it: answered %s", answer.Status)
	}
}

func TestWrongRequestsAreToldWithoutAnyChange(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	before := e.App.Status().Generation
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		part                     string
	}{
		{"unknown path", "GET", "/v2", "", 404, "nothing at /v2"},
		{"unknown app", "GET", "/v1/apps/chta", "", 404, `no app "chta"`},
		{"wrong method", "GET", "/v1/apps/chat/deploy", "", 405, "takes POST only"},
		{"misspelt member", "POST", "/v1/apps/chat/deploy", `{"comit": "b"}`, 400, `unknown field "comit"`},
		{"not JSON", "POST", "/v1/apps/chat/deploy", `commit=b`, 400, "not acceptable"},
		{"two documents", "POST", "/v1/apps/chat/deploy", `{"commit": "b"} {}`, 400, "something after the request"},
		{"member for an operation without any", "POST", "/v1/apps/chat/cleanup", `{"colour": "blue"}`, 400, "unknown field"},
		{"huge body", "POST", "/v1/apps/chat/deploy", `{"commit": "` + strings.Repeat("b", maxBody) + `"}`, 413, "larger than"},
		{"unknown colour", "POST", "/v1/apps/chat/drain", `{"colour": "red"}`, 400, `"red" is not a colour`},
		{"unknown colour to probe", "GET", "/v1/apps/chat/health?colour=red", "", 400, `"red" is not a colour`},
		{"negative bake", "POST", "/v1/apps/chat/switch", `{"bake": -1}`, 400, "cannot be negative"},
		{"bake that is no duration", "GET", "/v1/apps/chat/plan?bake=soon", "", 400, "not a duration"},
		{"unknown parameter", "GET", "/v1/apps/chat/plan?bakke=1m", "", 400, `unknown parameter "bakke"`},
		{"comparison of no time", "GET", "/v1/apps/chat/compare?since=soon", "", 400, "not a duration"},
		{"comparison of a day", "GET", "/v1/apps/chat/compare?since=24h", "", 400, "since must be from 1s"},
		{"unknown operation", "GET", "/v1/apps/chat/events?operation=x", "", 404, `"x" is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantProblem(t, e.send(t, c.method, c.path, c.body), c.status, switcher.CodeUsage, c.part)
		})
	}
	if after := e.App.Status().Generation; after != before {
		t.Errorf("generation went from %d to %d", before, after)
	}
}

func TestStatusCarriesTheCertificatesOfTheAppsHosts(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	e := startEdge(t, func(o *Options) {
		o.Version = "v1"
		o.Certificates = func() []Certificate {
			return []Certificate{{Host: "chat.test", NotAfter: until, OK: true}, {Host: "internal.chat.test"}, {Host: "other.test"}}
		}
	})
	status, err := e.client.Status(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	want := []Certificate{{Host: "chat.test", NotAfter: until, OK: true}, {Host: "internal.chat.test"}}
	if status.App != "chat" || !slices.Equal(status.Certificates, want) {
		t.Errorf("status = %+v", status)
	}
	list, err := e.client.Apps(t.Context())
	if err != nil || list.Version != "v1" || len(list.Apps) != 1 || list.Apps[0].App != "chat" {
		t.Errorf("apps = %+v, %v", list, err)
	}
}

func TestHealthProbesNow(t *testing.T) {
	e := startEdge(t)
	_, err := e.client.Health(t.Context(), "chat", "")
	wantError(t, err, switcher.CodeRefused, "no slot holds a running release")
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	e.SetSick("b", true)
	report, err := e.client.Health(t.Context(), "chat", "")
	if err != nil {
		t.Fatal(err)
	}
	if blue := report.Health["blue"]; blue.Status != switcher.Healthy || blue.Error != "" {
		t.Errorf("blue = %+v", blue)
	}
	if green := report.Health["green"]; !strings.Contains(green.Error, "503") {
		t.Errorf("green = %+v, it answers 503", green)
	}
	if only, err := e.client.Health(t.Context(), "chat", "blue"); err != nil || len(only.Health) != 1 {
		t.Errorf("asked for blue, got %+v, %v", only, err)
	}
}

func TestTheLastChecksOfBothSlotsCanBeRead(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	e.SetSick("b", true)
	apptest.Eventually(t, "a failed check is told", func() bool {
		found, err := e.client.HealthHistory(t.Context(), "chat")
		if err != nil {
			t.Fatal(err)
		}
		blue, green := found.Checks["blue"], found.Checks["green"]
		return len(blue) > 0 && blue[len(blue)-1].OK && len(green) > 0 && strings.Contains(green[len(green)-1].Error, "503")
	})
}

func TestPlanTellsWhatASwitchWouldDoAndDoesNothing(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	bake := 3 * time.Minute
	plan, err := e.client.Plan(t.Context(), "chat", switcher.SwitchRequest{ExpectActive: "blue", ExpectRelease: "b", Bake: &bake})
	if err != nil || plan.From != "blue" || plan.To != "green" || plan.Bake != bake || !plan.Possible {
		t.Errorf("plan = %+v, %v", plan, err)
	}
	_, err = e.client.Plan(t.Context(), "chat", switcher.SwitchRequest{ExpectActive: "green"})
	wantError(t, err, switcher.CodeRefused, "blue is active, not green as expected")
	if active := e.App.Status().Active; active != "blue" {
		t.Errorf("active = %s", active)
	}
}

func TestReloadPassesOnWhatWasRefused(t *testing.T) {
	var refusal error
	e := startEdge(t, func(o *Options) { o.Reload = func(context.Context) error { return refusal } })
	if err := e.client.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	refusal = &switcher.Error{Code: switcher.CodeUsage, What: "2 problems", Output: []string{"f:1: one", "f:2: two"}}
	err := e.client.Reload(t.Context())
	wantError(t, err, switcher.CodeUsage, "2 problems")
	var told *switcher.Error
	if !errors.As(err, &told) || len(told.Output) != 2 {
		t.Errorf("error = %+v", err)
	}
}

func TestReadinessIsNotLiveness(t *testing.T) {
	reason := errors.New("the certificates are being loaded")
	e := startEdge(t, func(o *Options) { o.Ready = func() error { return reason } })
	if answer := e.send(t, "GET", "/healthz", ""); answer.StatusCode != 200 {
		t.Errorf("healthz answered %s", answer.Status)
	}
	wantProblem(t, e.send(t, "GET", "/readyz", ""), 503, switcher.CodeUnreachable, reason.Error())
}
