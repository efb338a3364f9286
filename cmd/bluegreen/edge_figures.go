package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/troubles"
)

// newMetrics returns the figures of an edge.
func newMetrics(version string) *metrics.Metrics {
	o := metrics.Options{
		Version: version,
		Phases:  namesOf(switcher.Phases()), SlotStates: namesOf(switcher.SlotStates()), Healths: namesOf(switcher.HealthStatuses()),
		Verdicts: namesOf(switcher.Outcomes()), Operations: namesOf(switcher.Kinds()),
	}
	for _, f := range proxy.Failures() {
		o.Failures = append(o.Failures, metrics.Failure{Name: f.String(), Upstream: f.Upstream()})
	}
	return metrics.New(o)
}

func namesOf[T ~string](all []T) (names []string) {
	for _, one := range all {
		names = append(names, string(one))
	}
	return names
}

// state is what Prometheus is told besides what was counted.
func (e *edge) state() metrics.State {
	var s metrics.State
	lost := e.linesLost()
	for _, app := range e.sortedApps() {
		e.endings.count(e.metrics, app)
		state := stateOf(app.Status())
		state.LinesLost = lost[app.Name()]
		s.Apps = append(s.Apps, state)
	}
	for _, c := range e.certificates() {
		s.Certificates = append(s.Certificates, metrics.Certificate{Host: c.Host, NotAfter: c.NotAfter, OK: c.OK})
	}
	s.Disks = map[string]float64{}
	for name, folder := range map[string]string{"state": e.options.Config.State.Dir, "logs": e.options.Config.Logs.Dir} {
		if disk, err := troubles.DiskOf(folder); err == nil {
			s.Disks[name] = disk.Used / 100
		}
	}
	return s
}

// linesLost are those of the access logs: the output of instances waits for a
// disk that does not take it.
func (e *edge) linesLost() map[string]map[string]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	lost := map[string]map[string]int64{}
	for name, h := range e.apps {
		lost[name] = h.logs.lost()
	}
	return lost
}

func stateOf(st switcher.Status) metrics.App {
	app := metrics.App{
		Name: st.App, Up: st.Error == "", Attention: st.Error != "" || st.Alert != "", Phase: string(st.Phase),
		Routes: map[string]string{}, Slots: map[string]metrics.Slot{},
		Rollback: st.Rollback.Ready, Paused: st.Pause != nil, Maintenance: st.Maintenance != nil,
	}
	for name, route := range st.Routes {
		app.Routes[string(name)] = string(route.Slot)
	}
	for colour, slot := range st.Slots {
		app.Slots[string(colour)] = stateOfSlot(slot)
	}
	if st.Bake != nil {
		app.BakeEnd = st.Bake.Until
		if v := st.Bake.Verdict; v != nil {
			app.Verdict = string(v.Outcome)
		}
	}
	if d := st.Database; d != nil {
		app.Database = &metrics.Database{Up: d.OK}
		if d.Backup != nil && d.Backup.At != nil {
			app.Database.Backup = *d.Backup.At
		}
	}
	if d := st.Drain; d != nil {
		app.Drain = &metrics.Drain{
			Colour: string(d.Slot), InFlight: d.InFlight, Upgraded: d.Upgraded, CutRequests: d.Cut, CutUpgraded: d.Closed,
		}
	}
	return app
}

func stateOfSlot(st switcher.SlotStatus) metrics.Slot {
	slot := metrics.Slot{State: string(st.State), InFlight: st.InFlight, Upgraded: st.Upgraded}
	if r := st.Release; r != nil {
		slot.Release = &metrics.Release{ID: r.ID, Commit: r.Commit, Image: r.Image}
	}
	if st.State != switcher.Empty && st.State != switcher.Failed {
		slot.Health, slot.Failures = string(st.Health.Status), st.Health.Failures
		slot.Latency = time.Duration(st.Health.LatencyMS * float64(time.Millisecond))
	}
	if u := st.Usage; u != nil {
		slot.Usage = &metrics.Usage{
			CPU: time.Duration(u.CPUSeconds * float64(time.Second)), Memory: u.Memory, MemoryLimit: u.MemoryLimit, Restarts: int64(u.Restarts),
		}
	}
	return slot
}

// endings counts the operations of the apps once each, from their history.
type endings struct {
	mu   sync.Mutex
	last map[string]string // newest operation that was counted, by app
}

// begin leaves out what has ended before.
func (e *endings) begin(app *switcher.App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		e.last = map[string]string{}
	}
	e.last[app.Name()] = newest(app.History())
}

func newest(history []switcher.Record) string {
	if len(history) == 0 {
		return ""
	}
	return history[len(history)-1].ID
}

func (e *endings) count(m *metrics.Metrics, app *switcher.App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	history := app.History()
	known := e.last[app.Name()]
	first := 1 + slices.IndexFunc(history, func(r switcher.Record) bool { return r.ID == known })
	for _, r := range history[first:] {
		m.Ended(app.Name(), string(r.Kind), r.OK)
	}
	e.last[app.Name()] = newest(history)
}

// serveMetrics answers plain scrapes until ctx ends. Whoever reaches the
// listener may read: it holds figures and names, and nothing can be changed.
func (e *edge) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", e.figures)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(e.listeners.metrics)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serving metrics: %w", err)
}
