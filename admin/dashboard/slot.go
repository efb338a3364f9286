package dashboard

import (
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// slotView is one slot as it is shown.
type slotView struct {
	Colour  switcher.Colour
	Name    string
	Letter  string // that the shape holds
	State   switcher.SlotState
	Tag     string // what the slot is, in one word
	Explain string // and in a sentence
	Live    bool
	Routes  []routeView
	Back    string // whether production could go back to it; empty: it is not the way back

	Release  string // empty: nothing is in it
	Commit   string
	ID       string
	Image    string
	Deployed string
	At       time.Time
	By       string
	Address  string

	Running  bool
	Health   string // healthy, unhealthy or unknown
	Says     string // of the health
	Error    string // of the last probe, or why the release failed
	Bars     []bar
	BarsSay  string
	InFlight string
	Upgraded string
	CPU      string
	Memory   string
	Restarts string
	Restless bool
}

// routeView is a route that leads to a slot.
type routeView struct {
	Name  string
	Hosts []string
	Live  bool
}

func (v *visit) slots(app *switcher.App, st switcher.Status, now time.Time) (all []slotView) {
	checks, history := app.HealthHistory(), app.History()
	for _, c := range switcher.Colours() {
		all = append(all, v.slot(st, c, checks[c], history, now))
	}
	return all
}

func (v *visit) slot(st switcher.Status, c switcher.Colour, checks []switcher.HealthCheck, history []switcher.Record, now time.Time) slotView {
	w, s := v.words, st.Slots[c]
	view := slotView{
		Colour: c, Name: w.t("colour." + string(c)), Letter: strings.ToUpper(string(c[:1])), State: s.State,
		Tag: w.t("state." + string(s.State)), Explain: w.t("explain." + string(s.State)), Address: s.Address,
		Live: st.Active == c, Running: s.State != switcher.Empty && s.State != switcher.Failed,
	}
	for _, name := range []switcher.RouteName{switcher.Production, switcher.Internal} {
		if r := st.Routes[name]; r.Slot == c {
			view.Routes = append(view.Routes, routeView{w.t("route." + string(name)), r.Hosts, name == switcher.Production})
		}
	}
	if r := s.Release; r != nil {
		view.Release, view.Commit, view.ID = short(r), r.Commit, r.ID
		if r.Image != r.Commit { // as it is where no image is configured
			view.Image = r.Image
		}
		view.At, view.By = r.DeployedAt, r.DeployedBy
		view.Deployed = w.Ago(now, r.DeployedAt)
	}
	if s.State == switcher.Failed {
		view.Error = v.failure(c, s.Release, history)
	}
	if !view.Running {
		return view
	}
	if s.State == switcher.Previous {
		view.Back = w.t("rollback.no")
		if st.Rollback.Ready {
			view.Back = w.t("rollback.ready")
		}
	}
	view.Health, view.Says = string(s.Health.Status), v.health(s.Health, now)
	if s.Health.Failures > 0 {
		view.Error = v.words.Say(s.Health.Error)
	}
	view.InFlight, view.Upgraded = w.Whole(s.InFlight), w.Whole(s.Upgraded)
	v.addProbes(&view, checks)
	v.addUsage(&view, s.Usage)
	return view
}

// failure is why the release in a slot has failed: its deploy did, or production
// went back to the other slot.
func (v *visit) failure(c switcher.Colour, release *switcher.Release, history []switcher.Record) string {
	if release == nil {
		return ""
	}
	for _, r := range slices.Backward(history) {
		deploy := r.Kind == switcher.KindDeploy && r.Release == release.ID && !r.OK
		rollback := r.Kind == switcher.KindRollback && r.Colour == c.Other() && r.OK && r.Began.After(release.DeployedAt)
		if deploy || rollback {
			return v.words.Say(r.Result)
		}
	}
	return ""
}

func (v *visit) health(h switcher.Health, now time.Time) string {
	w := v.words
	if h.CheckedAt == nil {
		return w.t("health.unknown")
	}
	if h.Status == switcher.Healthy {
		said := w.t("health.healthy", w.Latency(time.Duration(h.LatencyMS*float64(time.Millisecond))), w.Ago(now, *h.CheckedAt))
		if h.Failures > 0 {
			said += " · " + w.n("failures", int64(h.Failures))
		}
		return said
	}
	return w.t("health."+string(h.Status)+".since", w.n("failures", int64(h.Failures)), w.Ago(now, *h.CheckedAt))
}

func (v *visit) addProbes(view *slotView, probes []switcher.HealthCheck) {
	if len(probes) == 0 {
		return
	}
	var failed int
	view.Bars, failed = sparkline(probes)
	view.BarsSay = v.words.t("probes", v.words.n("probes", int64(len(view.Bars))), v.words.n("failed", int64(failed)))
}

func (v *visit) addUsage(view *slotView, u *switcher.UsageStatus) {
	if u == nil {
		return
	}
	view.CPU, view.Memory = v.words.Percent(u.Processors), v.words.Bytes(u.Memory)
	view.Restarts, view.Restless = v.words.Whole(int64(u.Restarts)), u.Restarts > 0
}
