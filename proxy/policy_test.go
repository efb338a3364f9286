package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// under moves the service to its backend under a changed policy. The hosts of
// the harness all lead to the service from then on.
func (e *edge) under(adjust func(*Policy)) {
	e.t.Helper()
	r := *e.service.Route()
	adjust(&r.Policy)
	e.service.Set(&r)
	e.SetTable(mustTable(e.t, TableOptions{Services: map[string]*Service{appHost: e.service, otherHost: e.service}}))
}

// A request pays for no rule that its route does not have, nor with memory for
// the cheap ones that it has.
func TestRulesOnTheWayAllocateNothing(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://"+appHost+"/some/path?q=1", nil)
	for name, policy := range map[string]Policy{
		"off": {},
		"on": {
			Canonical: appHost, Rate: NewRateLimit(1e9, 1e9), BodyLimit: 1 << 20,
			Paths: NewPaths([]PathOptions{{Path: "/app/", Backend: NewBackend(BackendOptions{Address: "127.0.0.1:1"})}, {Path: "/some/path/deep"}}),
		},
	} {
		s := New(Options{})
		f := &flight{server: s, route: &Route{Policy: policy}, client: addr("192.0.2.1"), start: time.Now()}
		allocated := testing.AllocsPerRun(100, func() {
			if f.astray(r) || s.overLimit(f, r) || s.elsewhere(f, r) || f.withinLimit() != nil {
				t.Error("the request was kept from its backend")
			}
		})
		if allocated != 0 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}
