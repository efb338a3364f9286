package admin

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/switcher"
)

// handler answers a request or returns the error to be told; it has written
// nothing when it does.
type handler func(w http.ResponseWriter, r *http.Request) error

type route struct {
	method  string
	path    string
	scope   Scope
	handler handler
}

// routes is the whole API, with the scope that each request needs.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/healthz", ScopeNone, alive},
		{"GET", "/readyz", ScopeNone, s.ready},
		{"GET", "/metrics", ScopeRead, s.showMetrics},

		{"GET", "/v1/apps", ScopeRead, s.listApps},
		{"GET", "/v1/apps/{app}", ScopeRead, s.withApp(s.showStatus)},
		{"GET", "/v1/apps/{app}/health", ScopeRead, s.withApp(checkHealth)},
		{"GET", "/v1/apps/{app}/health/history", ScopeRead, s.withApp(showChecks)},
		{"GET", "/v1/apps/{app}/history", ScopeRead, s.withApp(showHistory)},
		{"GET", "/v1/apps/{app}/plan", ScopeRead, s.withApp(planSwitch)},
		{"GET", "/v1/apps/{app}/logs", ScopeRead, s.withApp(s.readLogs)},
		{"GET", "/v1/apps/{app}/events", ScopeRead, s.withApp(followEvents)},
		{"GET", "/v1/apps/{app}/compare", ScopeRead, s.withApp(s.compare)},
		{"GET", "/v1/apps/{app}/notify", ScopeRead, s.withApp(s.showAlerts)},
		{"GET", "/v1/apps/{app}/db/check", ScopeRead, s.withApp(checkDatabase)},
		{"GET", "/v1/apps/{app}/db/backups", ScopeRead, s.withApp(s.listBackups)},

		{"POST", "/v1/apps/{app}/deploy", ScopeDeploy, s.operation(deploy)},
		{"POST", "/v1/apps/{app}/discard", ScopeDeploy, s.operation(discard)},
		{"POST", "/v1/apps/{app}/switch", ScopeOperate, s.operation(switchOver)},
		{"POST", "/v1/apps/{app}/confirm", ScopeOperate, s.operation(plain((*switcher.App).Confirm))},
		{"POST", "/v1/apps/{app}/rollback", ScopeOperate, s.operation(rollback)},
		{"POST", "/v1/apps/{app}/drain", ScopeOperate, s.operation(drain)},
		{"POST", "/v1/apps/{app}/cleanup", ScopeOperate, s.operation(plain((*switcher.App).Cleanup))},
		{"POST", "/v1/apps/{app}/pause", ScopeOperate, control(s, (*switcher.App).Pause)},
		{"POST", "/v1/apps/{app}/resume", ScopeOperate, control(s, resume)},
		{"POST", "/v1/apps/{app}/link", ScopeOperate, s.withApp(s.makeLink)},
		{"POST", "/v1/apps/{app}/maintenance", ScopeOperate, control(s, (*switcher.App).Maintenance)},
		{"POST", "/v1/apps/{app}/notify/test", ScopeOperate, s.withApp(s.testAlerts)},
		{"POST", "/v1/apps/{app}/db/backup", ScopeOperate, s.operation(database(switcher.KindBackup))},
		{"POST", "/v1/apps/{app}/db/verify", ScopeOperate, s.operation(database(switcher.KindVerify))},
		{"POST", "/v1/apps/{app}/db/plan", ScopeOperate, s.operation(database(switcher.KindPlan))},
		{"POST", "/v1/apps/{app}/db/accept", ScopeOperate, s.operation(database(switcher.KindAccept))},
		{"GET", "/v1/apps/{app}/db/restore", ScopeOperate, s.withApp(planRestore)},
		{"POST", "/v1/apps/{app}/db/contract", ScopeAdmin, s.operation(database(switcher.KindContract))},
		{"POST", "/v1/apps/{app}/db/down", ScopeAdmin, s.operation(database(switcher.KindDown))},
		{"POST", "/v1/apps/{app}/db/restore", ScopeAdmin, s.operation(database(switcher.KindRestore))},
		{"POST", "/v1/apps/{app}/recover", ScopeAdmin, s.operation(plain((*switcher.App).Recover))},
		{"POST", "/v1/dashboard", ScopeRead, s.openDashboard},
		{"POST", "/v1/reload", ScopeAdmin, s.reload},
	}
}

// mux answers everything with JSON, also what is not in the routes.
func (s *Server) mux() http.Handler {
	paths := make(map[string]map[string]route)
	for _, r := range s.routes() {
		if paths[r.path] == nil {
			paths[r.path] = make(map[string]route)
		}
		paths[r.path][r.method] = r
	}
	mux := http.NewServeMux()
	for path, methods := range paths {
		mux.Handle(path, s.answer(methods))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, wrong(http.StatusNotFound, "", fmt.Sprintf("there is nothing at %s", r.URL.Path)))
	})
	return mux
}

// answer chooses by method, checks the scope and tells errors.
func (s *Server) answer(methods map[string]route) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		route, known := methods[r.Method]
		if !known {
			w.Header().Set("Allow", allow)
			writeProblem(w, wrong(http.StatusMethodNotAllowed, "", fmt.Sprintf("%s takes %s only", r.URL.Path, allow)))
			return
		}
		who := caller(r.Context())
		if who.scope < route.scope {
			writeProblem(w, s.tooLittle(who, route.scope))
			return
		}
		if err := route.handler(w, r); err != nil {
			s.log.Info("admin: refused", "method", r.Method, "path", r.URL.Path, "actor", who.actor, "error", err)
			writeProblem(w, err)
		}
	})
}

func (s *Server) tooLittle(who identity, needed Scope) error {
	if who.scope == ScopeNone {
		return forbidden(fmt.Sprintf("run it as root or as a member of the group %s", s.options.Group),
			fmt.Sprintf("%s may not use this edge", orNobody(who.actor)))
	}
	return forbidden("", fmt.Sprintf("%s has scope %s, this needs %s", who.actor, who.scope, needed))
}

func orNobody(a switcher.Actor) switcher.Actor {
	if a == "" {
		return "an unknown user"
	}
	return a
}

// withApp finds the app of the path.
func (s *Server) withApp(next func(*switcher.App, http.ResponseWriter, *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		name := r.PathValue("app")
		var names []string
		for _, app := range s.options.Apps() {
			if app.Name() == name {
				return next(app, w, r)
			}
			names = append(names, app.Name())
		}
		return wrong(http.StatusNotFound, "the apps are: "+strings.Join(names, ", "),
			fmt.Sprintf("there is no app %q", name))
	}
}
