package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/switcher"
)

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the client is gone
	return nil
}

func alive(w http.ResponseWriter, _ *http.Request) error {
	_, _ = io.WriteString(w, "ok\n")
	return nil
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	if s.options.Ready != nil {
		if err := s.options.Ready(); err != nil {
			return &switcher.Error{Code: switcher.CodeUnreachable, What: "the edge is not ready", Err: err}
		}
	}
	return alive(w, r)
}

func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	s.options.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *Server) listApps(w http.ResponseWriter, _ *http.Request) error {
	list := Apps{Version: s.options.Version, Apps: []Status{}}
	for _, app := range s.options.Apps() {
		list.Apps = append(list.Apps, s.status(app))
	}
	return writeJSON(w, list)
}

func (s *Server) showStatus(app *switcher.App, w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, s.status(app))
}

// status adds the certificates of the app's own hosts.
func (s *Server) status(app *switcher.App) Status {
	st := Status{Status: app.Status(), Certificates: []Certificate{}}
	if s.options.Certificates == nil {
		return st
	}
	for _, c := range s.options.Certificates() {
		for _, route := range st.Routes {
			if slices.Contains(route.Hosts, c.Host) {
				st.Certificates = append(st.Certificates, c)
				break
			}
		}
	}
	return st
}

func showHistory(app *switcher.App, w http.ResponseWriter, _ *http.Request) error {
	history := app.History()
	if history == nil {
		history = []switcher.Record{}
	}
	return writeJSON(w, History{history})
}

func showChecks(app *switcher.App, w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, HealthHistory{app.HealthHistory()})
}

// checkHealth probes the slot that was asked for, or every slot in which
// something runs, at the same time.
func checkHealth(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	colours, err := coloursToProbe(app, switcher.Colour(r.URL.Query().Get("colour")))
	if err != nil {
		return err
	}
	found := make([]switcher.Health, len(colours))
	probes, ctx := errgroup.WithContext(r.Context())
	for i, c := range colours {
		probes.Go(func() (err error) {
			found[i], err = app.CheckHealth(ctx, c)
			return err
		})
	}
	if err := probes.Wait(); err != nil {
		return err
	}
	report := HealthReport{make(map[switcher.Colour]switcher.Health)}
	for i, c := range colours {
		report.Health[c] = found[i]
	}
	return writeJSON(w, report)
}

func coloursToProbe(app *switcher.App, asked switcher.Colour) ([]switcher.Colour, error) {
	if asked != "" {
		return []switcher.Colour{asked}, checkColour(asked)
	}
	var running []switcher.Colour
	status := app.Status()
	for _, c := range switcher.Colours() {
		if state := status.Slots[c].State; state != switcher.Empty && state != switcher.Failed {
			running = append(running, c)
		}
	}
	if len(running) == 0 {
		return nil, &switcher.Error{Code: switcher.CodeRefused, What: "no slot holds a running release", Hint: "deploy one first"}
	}
	return running, nil
}

func checkColour(c switcher.Colour) error {
	if !c.Valid() {
		return wrong(http.StatusBadRequest, "the colours are blue and green", fmt.Sprintf("%q is not a colour", c))
	}
	return nil
}

func planSwitch(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	request, err := parseSwitch(r.URL.Query())
	if err != nil {
		return err
	}
	plan, err := app.Plan(r.Context(), request)
	if err != nil {
		return err
	}
	return writeJSON(w, plan)
}

// parseSwitch reads a SwitchRequest from a query that has its members' names.
// The bake is a Go duration such as 10m.
func parseSwitch(query url.Values) (switcher.SwitchRequest, error) {
	var request switcher.SwitchRequest
	for name := range query {
		value := query.Get(name)
		switch name {
		case "expect_active":
			request.ExpectActive = switcher.Colour(value)
		case "expect_release":
			request.ExpectRelease = value
		case "force":
			request.Force = value
		case "allow":
			request.Allow = query[name]
		case "reason":
			request.Reason = value
		case "bake":
			bake, err := time.ParseDuration(value)
			if err != nil {
				return request, wrong(http.StatusBadRequest, "write it like 10m", fmt.Sprintf("bake %q is not a duration", value))
			}
			request.Bake = &bake
		default:
			return request, wrong(http.StatusBadRequest, "", fmt.Sprintf("unknown parameter %q", name))
		}
	}
	return request, validSwitch(request)
}

func validSwitch(r switcher.SwitchRequest) error {
	if r.ExpectActive != "" {
		if err := checkColour(r.ExpectActive); err != nil {
			return err
		}
	}
	if r.Bake != nil && *r.Bake < 0 {
		return wrong(http.StatusBadRequest, "0 means no bake", "the bake cannot be negative")
	}
	return nil
}

// reload does not stop half-way when the client goes away.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	if err := s.options.Reload(detached(r)); err != nil {
		return err
	}
	return writeJSON(w, struct {
		Reloaded bool `json:"reloaded"`
	}{true})
}
