package metrics

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector tells Prometheus everything, computed when it asks.
type collector struct {
	metrics *Metrics
	state   func() State
}

// Describe implements prometheus.Collector. Which series there are depends on
// the configuration and on what has happened.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	t := teller{c.metrics, to}
	t.tell(names.build, 1, c.metrics.options.Version, runtime.Version())
	t.counted()
	s := c.state()
	for _, app := range s.Apps {
		t.app(app)
	}
	for folder, used := range s.Disks {
		t.tell(names.diskUsed, used, folder)
	}
	for _, cert := range s.Certificates {
		t.tell(names.certificateOK, truth(cert.OK), cert.Host)
		t.moment(names.certificate, cert.NotAfter, cert.Host)
	}
}

// teller tells Prometheus of one scrape's figures.
type teller struct {
	metrics *Metrics
	to      chan<- prometheus.Metric
}

func (t teller) tell(f family, value float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "?")
	}
	if f.kind == prometheus.CounterValue {
		t.to <- prometheus.MustNewConstMetricWithCreatedTimestamp(f.desc, f.kind, value, t.metrics.began, labels...)
		return
	}
	t.to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

func (t teller) sum(f family, n *atomic.Int64, labels ...string) {
	t.tell(f, float64(n.Load()), labels...)
}

// moment tells a time, unless there is none.
func (t teller) moment(f family, at time.Time, labels ...string) {
	if !at.IsZero() {
		t.tell(f, float64(at.UnixMilli())/1000, labels...)
	}
}

// oneOf tells 1 for the value that is, and 0 for those that could be.
func (t teller) oneOf(f family, all []string, is string, labels ...string) {
	for _, value := range all {
		t.tell(f, truth(value == is), append(slices.Clone(labels), value)...)
	}
}

func (t teller) histogram(f family, h *histogram, labels ...string) {
	t.to <- newExposed(f, h, t.metrics.began, labels...)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// counted tells what was recorded.
func (t teller) counted() {
	m := t.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	elsewhere := map[slotKey]*answers{} // by app, route and, in place of the colour, path
	for key, s := range m.slots {
		total := s.total()
		t.slot(key, total)
		for path, a := range total.byPath() {
			key := slotKey{key.app, key.route, path}
			if elsewhere[key] == nil {
				elsewhere[key] = new(answers)
			}
			elsewhere[key].absorb(a)
		}
	}
	for key, a := range elsewhere {
		t.answers(names.pathRequests, a, key.app, key.route, key.colour)
		t.histogram(names.pathDuration, &a.duration, key.app, key.route, key.colour)
	}
	for _, app := range m.appNames() {
		for _, operation := range m.options.Operations {
			for _, result := range []string{resultOf(true), resultOf(false)} {
				t.tell(names.operations, float64(m.ended[endKey{app, operation, result}]), app, operation, result)
			}
		}
	}
}

func (m *Metrics) appNames() (all []string) {
	for key := range m.slots {
		all = append(all, key.app)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (t teller) slot(key slotKey, r *Route) {
	labels := []string{key.app, key.route, cmp.Or(key.colour, "none")}
	t.answers(names.requests, &r.answers, labels...)
	t.sum(names.errors, &r.errors, labels...)
	t.sum(names.bytesIn, &r.bytesIn, labels...)
	t.sum(names.bytesOut, &r.bytesOut, labels...)
	t.sum(names.retries, &r.retries, labels...)
	t.sum(names.upgrades, &r.upgrades, labels...)
	t.sum(names.upgradesCut, &r.cut, labels...)
	t.histogram(names.duration, &r.duration, labels...)
	t.histogram(names.firstByte, &r.firstByte, labels...)
	t.histogram(names.lasting, &r.lasting, labels...)
	for i, failure := range t.metrics.options.Failures {
		family := names.unserved
		if failure.Upstream {
			family = names.upstream
		}
		if i > 0 {
			t.sum(family, &r.failures[i], append(slices.Clone(labels), failure.Name)...)
		}
	}
}

// answers tells of the methods and classes that have occurred.
func (t teller) answers(f family, a *answers, labels ...string) {
	for class := range a.requests {
		for method := range a.requests[class] {
			if n := a.requests[class][method].Load(); n != 0 {
				t.tell(f, float64(n), append(slices.Clone(labels), methodNames[method], classNames[class])...)
			}
		}
	}
}

// app tells the state of an app.
func (t teller) app(a App) {
	t.tell(names.up, truth(a.Up), a.Name)
	t.tell(names.attention, truth(a.Attention), a.Name)
	t.tell(names.rollback, truth(a.Rollback), a.Name)
	t.tell(names.paused, truth(a.Paused), a.Name)
	t.tell(names.maintenance, truth(a.Maintenance), a.Name)
	t.moment(names.bakeEnd, a.BakeEnd, a.Name)
	if a.Verdict != "" {
		t.oneOf(names.verdict, t.metrics.options.Verdicts, a.Verdict, a.Name)
	}
	if d := a.Database; d != nil {
		t.tell(names.database, truth(d.Up), a.Name)
		if !d.Backup.IsZero() {
			t.tell(names.backupAge, time.Since(d.Backup).Seconds(), a.Name)
		}
	}
	t.oneOf(names.phase, t.metrics.options.Phases, a.Phase, a.Name)
	for colour, slot := range a.Slots {
		t.slotState(a.Name, colour, slot)
		for route, to := range a.Routes {
			t.tell(names.route, truth(to == colour), a.Name, route, colour)
		}
		d := Drain{}
		if a.Drain != nil && a.Drain.Colour == colour {
			d = *a.Drain
		}
		t.tell(names.draining, truth(d.Colour != ""), a.Name, colour)
		t.tell(names.drainLeft, float64(d.InFlight), a.Name, colour, "requests")
		t.tell(names.drainLeft, float64(d.Upgraded), a.Name, colour, "upgraded")
		t.tell(names.drainCut, float64(d.CutRequests), a.Name, colour, "requests")
		t.tell(names.drainCut, float64(d.CutUpgraded), a.Name, colour, "upgraded")
	}
	for file, n := range a.LinesLost {
		t.tell(names.linesLost, float64(n), a.Name, file)
	}
}

func (t teller) slotState(app, colour string, s Slot) {
	t.oneOf(names.slot, t.metrics.options.SlotStates, s.State, app, colour)
	t.tell(names.inFlight, float64(s.InFlight), app, colour)
	t.tell(names.upgraded, float64(s.Upgraded), app, colour)
	if r := s.Release; r != nil {
		t.tell(names.release, 1, app, colour, r.ID, r.Commit, r.Image)
	}
	if s.Health != "" {
		t.oneOf(names.health, t.metrics.options.Healths, s.Health, app, colour)
		t.tell(names.latency, s.Latency.Seconds(), app, colour)
		t.tell(names.failures, float64(s.Failures), app, colour)
	}
	if u := s.Usage; u != nil {
		t.tell(names.cpu, u.CPU.Seconds(), app, colour)
		t.tell(names.memory, float64(u.Memory), app, colour)
		if u.MemoryLimit > 0 {
			t.tell(names.memoryLimit, float64(u.MemoryLimit), app, colour)
		}
		t.tell(names.restarts, float64(u.Restarts), app, colour)
	}
}
