package admin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// serveAs asks the handler directly as somebody.
func serveAs(e *edge, who identity, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	e.server.Handler().ServeHTTP(w, r.WithContext(withIdentity(r.Context(), who)))
	return w
}

func TestEveryRequestNeedsItsScope(t *testing.T) {
	needed := map[string]Scope{
		"GET /healthz":                      ScopeNone,
		"GET /readyz":                       ScopeNone,
		"GET /metrics":                      ScopeRead,
		"GET /v1/apps":                      ScopeRead,
		"GET /v1/apps/{app}":                ScopeRead,
		"GET /v1/apps/{app}/health":         ScopeRead,
		"GET /v1/apps/{app}/health/history": ScopeRead,
		"GET /v1/apps/{app}/history":        ScopeRead,
		"GET /v1/apps/{app}/logs":           ScopeRead,
		"GET /v1/apps/{app}/plan":           ScopeRead,
		"GET /v1/apps/{app}/compare":        ScopeRead,
		"GET /v1/apps/{app}/events":         ScopeRead,
		"POST /v1/apps/{app}/deploy":        ScopeDeploy,
		"POST /v1/apps/{app}/discard":       ScopeDeploy,
		"POST /v1/apps/{app}/switch":        ScopeOperate,
		"POST /v1/apps/{app}/confirm":       ScopeOperate,
		"POST /v1/apps/{app}/rollback":      ScopeOperate,
		"POST /v1/apps/{app}/drain":         ScopeOperate,
		"POST /v1/apps/{app}/cleanup":       ScopeOperate,
		"POST /v1/apps/{app}/pause":         ScopeOperate,
		"POST /v1/apps/{app}/resume":        ScopeOperate,
		"POST /v1/apps/{app}/link":          ScopeOperate,
		"GET /v1/apps/{app}/notify":         ScopeRead,
		"POST /v1/apps/{app}/notify/test":   ScopeOperate,
		"POST /v1/apps/{app}/maintenance":   ScopeOperate,
		"GET /v1/apps/{app}/db/check":       ScopeRead,
		"GET /v1/apps/{app}/db/backups":     ScopeRead,
		"GET /v1/apps/{app}/db/restore":     ScopeOperate,
		"POST /v1/apps/{app}/db/backup":     ScopeOperate,
		"POST /v1/apps/{app}/db/verify":     ScopeOperate,
		"POST /v1/apps/{app}/db/plan":       ScopeOperate,
		"POST /v1/apps/{app}/db/accept":     ScopeOperate,
		"POST /v1/apps/{app}/db/contract":   ScopeAdmin,
		"POST /v1/apps/{app}/db/down":       ScopeAdmin,
		"POST /v1/apps/{app}/db/restore":    ScopeAdmin,
		"POST /v1/apps/{app}/recover":       ScopeAdmin,
		"POST /v1/reload":                   ScopeAdmin,
		"POST /v1/dashboard":                ScopeRead,
	}
	e := startEdge(t, func(o *Options) { // what takes neither a body nor a query
		o.Metrics, o.Alerts = http.NotFoundHandler(), func(string) Alerts { return Alerts{} }
		o.Reload = func(context.Context) error { return nil }
	})
	e.Deploy(t, "a")
	e.Deploy(t, "b")

	var have []string
	for _, r := range e.server.routes() {
		have = append(have, r.method+" "+r.path)
	}
	slices.Sort(have)
	if want := slices.Sorted(maps.Keys(needed)); !slices.Equal(have, want) {
		t.Fatalf("the routes are\n%s\nthe table has\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	for request, scope := range needed {
		method, path, _ := strings.Cut(request, " ")
		path = strings.ReplaceAll(path, "{app}", "chat")
		for s := ScopeNone; s <= ScopeAdmin; s++ {
			// A wrong body and query: allowed requests stop short of doing anything.
			got := serveAs(e, identity{"maria@host", s}, method, path+"?bake=no", `{"no": 1}`)
			if refused := got.Code == http.StatusForbidden; refused != (s < scope) {
				t.Errorf("%s with scope %s: answered %d, it needs %s", request, s, got.Code, scope)
			}
		}
	}
}

func TestForceNeedsScopeAdmin(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b")
	e.SetSick("b", true)
	body := `{"force": "we know"}`
	if got := serveAs(e, identity{"maria@host", ScopeOperate}, "POST", "/v1/apps/chat/switch", body); got.Code != 403 {
		t.Fatalf("forced with scope operate: answered %d %s", got.Code, got.Body)
	}
	if active := e.App.Status().Active; active != "blue" {
		t.Fatalf("active = %s", active)
	}
	if got := serveAs(e, identity{"root@host", ScopeAdmin}, "POST", "/v1/apps/chat/switch", body); got.Code != 200 {
		t.Errorf("forced with scope admin: answered %d %s", got.Code, got.Body)
	}
}

func TestScopeDeployNeverReachesProduction(t *testing.T) {
	e := startEdge(t)
	robot := identity{"robot", ScopeDeploy}
	deploy := func(commit string) *httptest.ResponseRecorder {
		return serveAs(e, robot, "POST", "/v1/apps/chat/deploy", fmt.Sprintf(`{"commit": %q}`, commit))
	}
	if got := deploy("a"); got.Code != 403 {
		t.Fatalf("first release, which becomes active: answered %d %s", got.Code, got.Body)
	}
	e.Deploy(t, "a")
	if got := deploy("b"); got.Code != 200 {
		t.Fatalf("second release: answered %d %s", got.Code, got.Body)
	}
	if got := serveAs(e, robot, "POST", "/v1/apps/chat/switch", ""); got.Code != 403 {
		t.Errorf("switch: answered %d %s", got.Code, got.Body)
	}
	if active := e.App.Status().Active; active != "blue" {
		t.Errorf("active = %s, want blue", active)
	}
}

func TestScopeDeployDiscardsItsOwnCandidateOnly(t *testing.T) {
	e := startEdge(t)
	e.Deploy(t, "a")
	e.Deploy(t, "b") // by maria
	discard := func(who identity) int { return serveAs(e, who, "POST", "/v1/apps/chat/discard", "").Code }
	if got := discard(identity{"robot", ScopeDeploy}); got != 403 {
		t.Errorf("somebody else's candidate: answered %d, want 403", got)
	}
	if got := discard(identity{"maria@host", ScopeDeploy}); got != 200 {
		t.Errorf("one's own candidate: answered %d, want 200", got)
	}
}
