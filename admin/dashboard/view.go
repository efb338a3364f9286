package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// overviewPage shows all apps.
type overviewPage struct {
	frame
	Cards []appCard
}

// appCard is one app of the overview.
type appCard struct {
	Name  string
	URL   string
	Phase string
	At    switcher.Phase
	Hosts []string
	Alert string
	Slots []slotView
	Doing string
	Notes []string // that production is held, or shows a page
}

// appPage shows one app.
type appPage struct {
	frame
	App     string
	URL     string
	Phase   string
	At      switcher.Phase
	Summary string // what has just changed, for who does not see it
	Alerts  []string
	Notes   []string // that production is held, or shows a page
	Slots   []slotView
	Actions []action
	MayAct  bool

	Rollback   statusLine
	Database   *databaseView
	Bake       *bakeView
	Drain      *statusLine
	Operation  *operationView
	Charts     []chart
	Rows       []row
	Reaches    []reach
	Reach      string // in words
	History    []event
	Logs       []logView
	Certs      []certView
	ShowMarks  bool
	Now        time.Time
	NowRunning bool
}

// statusLine is something with a state and a sentence.
type statusLine struct {
	State string // good, bad, busy or idle
	Title string
	Text  string
}

// event is a line of the history.
type event struct {
	Time   time.Time
	Ago    string
	Kind   string
	Colour switcher.Colour
	What   string // release
	Actor  switcher.Actor
	OK     bool
	Result string
	Took   string
}

// logView is the tail of a slot's output.
type logView struct {
	Colour switcher.Colour
	Name   string
	Lines  []Line
	Error  string
}

// certView is one certificate.
type certView struct {
	Host   string
	Issuer string
	OK     bool
	Warn   bool
	Text   string
	Error  string
}

const (
	historyShown = 8
	linesShown   = 40
	textShown    = 1000 // bytes of a line

	// A page looks for news this often: in milliseconds, at rest and while
	// something happens.
	everyAtRest = 2000
	everyBusy   = 700
)

func appURL(name string) string { return "/apps/" + url.PathEscape(name) }

// showOverview leads to the only app, or shows all.
func (s *Server) showOverview(v *visit, w http.ResponseWriter, r *http.Request) {
	apps := s.options.Apps()
	if len(apps) == 1 {
		http.Redirect(w, r, appURL(apps[0].Name()), http.StatusSeeOther)
		return
	}
	p := overviewPage{frame: v.frame(v.words.t("overview.title"), "")}
	p.Live, p.Every = "/live", everyAtRest
	now := time.Now()
	for _, app := range apps {
		st := app.Status()
		card := appCard{
			Name: st.App, URL: appURL(st.App), At: st.Phase, Phase: v.words.t("phase." + string(st.Phase)), Hosts: st.Routes[switcher.Production].Hosts,
			Alert: v.words.Say(cmp.Or(st.Error, st.Alert)), Slots: v.slots(app, st, now), Notes: v.notes(st, now),
		}
		if st.Operation != nil {
			card.Doing = v.words.t("running", v.words.t("kind."+string(st.Operation.Kind)), st.Operation.Actor)
		}
		p.Cards = append(p.Cards, card)
	}
	s.show(w, v.words, http.StatusOK, part(r, "overview"), p)
}

// part is the name of a page's template, or of what changes in it.
func part(r *http.Request, page string) string {
	if strings.HasSuffix(r.URL.Path, "/live") {
		return page + "-live"
	}
	return page
}

func (s *Server) showApp(v *visit, app *switcher.App, w http.ResponseWriter, r *http.Request) {
	s.show(w, v.words, http.StatusOK, part(r, "app"), v.app(app, r))
}

// app gathers what the page of an app shows at this moment.
func (v *visit) app(app *switcher.App, r *http.Request) appPage {
	st, history, now := app.Status(), app.History(), time.Now()
	reach := reachOf(r.URL.Query().Get("range"))
	asked := r.URL.Query().Get("operation")
	p := appPage{
		frame: v.frame(st.App, st.App), App: st.App, URL: appURL(st.App), At: st.Phase, Phase: v.words.t("phase." + string(st.Phase)),
		Slots: v.slots(app, st, now), Actions: v.actions(st), MayAct: v.who.scope >= admin.ScopeDeploy,
		Rollback: v.rollback(st, now), Database: v.database(st, now), Bake: v.bake(st, now), Drain: v.drain(st, now),
		Operation: v.operation(app, st, asked, now),
		Charts:    v.charts(app, reach, now, history), Rows: v.figures(app, reach, now), Reach: v.words.About(reach.For),
		History: v.history(history, now), Logs: v.logs(r.Context(), st), Certs: v.certificates(st.App, now), Now: now,
	}
	for _, text := range []string{st.Error, st.Alert} {
		if text != "" {
			p.Alerts = append(p.Alerts, v.words.Say(text))
		}
	}
	if st.Bake != nil && st.Phase == switcher.PhaseBaking {
		p.Phase += " · " + v.words.t("left", v.words.Span(st.Bake.Until.Sub(now)))
	}
	p.Notes = v.notes(st, now)
	p.Summary = v.summary(st, p.Operation)
	for _, c := range p.Charts {
		p.ShowMarks = p.ShowMarks || len(c.Marks) > 0
	}
	query := url.Values{}
	if asked != "" {
		query.Set("operation", asked)
	}
	for _, r := range reaches() {
		query.Set("range", r.Name)
		r.URL, r.Here, r.Name = p.URL+"?"+query.Encode(), r.Name == reach.Name, v.words.About(r.For)
		p.Reaches = append(p.Reaches, r)
	}
	query.Set("range", reach.Name)
	p.Live, p.Every = p.URL+"/live?"+query.Encode(), everyAtRest
	if st.Operation != nil || st.Drain != nil {
		p.Every, p.NowRunning = everyBusy, true
	}
	return p
}

// summary is one sentence that changes when something of weight does.
func (v *visit) summary(st switcher.Status, op *operationView) string {
	w := v.words
	said := []string{w.t("phase." + string(st.Phase))}
	for _, c := range switcher.Colours() {
		said = append(said, w.t("colour."+string(c))+": "+w.t("state."+string(st.Slots[c].State)))
	}
	if op != nil {
		said = append(said, op.Title+", "+op.Says)
	}
	said = append(said, v.words.Say(cmp.Or(st.Error, st.Alert)))
	return strings.TrimSuffix(strings.Join(said, ". "), ". ")
}

func (v *visit) rollback(st switcher.Status, now time.Time) statusLine {
	w := v.words
	if why := v.noWayBack(st); why != "" {
		return statusLine{"idle", w.t("rollback.no"), why}
	}
	to := st.Active.Other()
	text := w.t("rollback.to", w.t("colour."+string(to)), short(st.Slots[to].Release))
	if st.Rollback.Until != nil {
		return statusLine{"good", w.t("rollback.ready"), text + ", " + w.t("left", w.Span(st.Rollback.Until.Sub(now)))}
	}
	return statusLine{"good", w.t("rollback.ready"), text + ", " + w.t("rollback.until")}
}

// bakeView is the watch over a release.
type bakeView struct {
	Left    string
	Of      string
	Done    int // per mille
	Release string
	Verdict string
	State   string // of the verdict: good, bad or busy
	Rules   []finding
}

// finding is what one rule says.
type finding struct{ State, Outcome, Rule, Text string }

func (v *visit) bake(st switcher.Status, now time.Time) *bakeView {
	b := st.Bake
	if b == nil {
		return nil
	}
	w, whole := v.words, b.Until.Sub(b.Began)
	view := &bakeView{Left: w.Span(b.Until.Sub(now)), Of: w.Span(whole), State: "busy"}
	if r := st.Slots[st.Active].Release; r != nil {
		view.Release = short(r)
	}
	v.addVerdict(view, b.Verdict)
	if whole > 0 {
		view.Done = int(min(1000, max(0, 1000*now.Sub(b.Began)/whole)))
	}
	return view
}

// addVerdict tells what the figures say so far.
func (v *visit) addVerdict(view *bakeView, verdict *switcher.Verdict) {
	if verdict == nil {
		return
	}
	view.State, view.Verdict = outcomeState(verdict.Outcome), v.words.t("verdict."+string(verdict.Outcome))
	for _, f := range verdict.Findings {
		view.Rules = append(view.Rules, finding{outcomeState(f.Outcome), v.words.t("outcome." + string(f.Outcome)), f.Rule, v.words.Say(f.Text)})
	}
}

func outcomeState(o switcher.Outcome) string {
	switch o {
	case switcher.Good:
		return "good"
	case switcher.Bad:
		return "bad"
	}
	return "busy"
}

func (v *visit) drain(st switcher.Status, now time.Time) *statusLine {
	d, w := st.Drain, v.words
	if d == nil {
		return nil
	}
	text := w.n("inflight", d.InFlight) + ", " + w.n("upgraded", d.Upgraded)
	if d.ClosedBy != nil && d.Upgraded > 0 {
		text += " · " + w.t("drain.until", w.Span(d.ClosedBy.Sub(now)))
	}
	if cut := d.Cut + d.Closed; cut > 0 {
		text += " · " + w.n("ended", cut)
	}
	return &statusLine{"busy", w.t("drain.title", w.t("colour."+string(d.Slot))), text}
}

func (v *visit) notes(st switcher.Status, now time.Time) (all []string) {
	w := v.words
	if p := st.Pause; p != nil {
		all = append(all, w.t("paused", w.n("held", p.Held), p.By, w.Span(p.Until.Sub(now))))
	}
	if st.Phase == switcher.PhaseEmpty && st.Error == "" {
		all = append(all, w.t("begin", st.App))
	}
	if m := st.Maintenance; m != nil {
		all = append(all, w.t("maintenance", m.By, w.Ago(now, m.Since)))
	}
	return all
}

func (v *visit) history(records []switcher.Record, now time.Time) (all []event) {
	for _, r := range slices.Backward(records) {
		if len(all) == historyShown {
			break
		}
		all = append(all, event{
			Time: r.Began, Ago: v.words.Ago(now, r.Began), Kind: v.words.t("kind." + string(r.Kind)), Colour: r.Colour,
			What: cmp.Or(r.Commit, r.Release), Actor: r.Actor, OK: r.OK, Result: v.words.Say(r.Result), Took: v.words.Took(r.Took),
		})
	}
	return all
}

func (v *visit) logs(ctx context.Context, st switcher.Status) (all []logView) {
	if v.server.options.Lines == nil {
		return nil
	}
	for _, c := range switcher.Colours() {
		one := logView{Colour: c, Name: v.words.t("colour." + string(c))}
		lines, err := v.server.options.Lines(ctx, st.App, c, linesShown)
		if err != nil {
			one.Error = err.Error()
		}
		for _, l := range lines {
			l.Text = clip(l.Text)
			one.Lines = append(one.Lines, l)
		}
		all = append(all, one)
	}
	return all
}

// clip shortens a line that would fill the page.
func clip(text string) string {
	if len(text) <= textShown {
		return text
	}
	return strings.ToValidUTF8(text[:textShown], "") + " …"
}

func (v *visit) certificates(app string, now time.Time) (all []certView) {
	if v.server.options.Certificates == nil {
		return nil
	}
	w := v.words
	for _, c := range v.server.options.Certificates(app) {
		one := certView{Host: c.Host, Issuer: c.Issuer, OK: c.OK, Warn: c.Expiring, Error: c.Error}
		switch {
		case c.NotAfter.IsZero():
			one.Text = w.t("cert.none")
		case c.NotAfter.Before(now):
			one.Text = w.t("cert.expired", w.Ago(now, c.NotAfter))
		default:
			one.Text = w.t("left", w.About(c.NotAfter.Sub(now)))
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b certView) int { return cmp.Compare(a.Host, b.Host) })
	return all
}

// operationView is an operation as it goes on, or as it ended.
type operationView struct {
	ID      string
	Title   string
	By      string
	Since   string
	Steps   []step
	Now     string // step that goes on; empty: it has ended
	Says    string // in a word
	State   string // busy, good or bad
	Result  string
	Hint    string
	Output  []string
	Close   string // leads to the page without it; empty while it runs
	Percent int    // of the step, from 0 to 100; -1: not known
}

// step is one line of an operation.
type step struct {
	Name, Text, Took string
	Warning          bool
}

// operation shows the one that runs, or that was asked for.
func (v *visit) operation(app *switcher.App, st switcher.Status, asked string, now time.Time) *operationView {
	id := asked
	if st.Operation != nil {
		id = st.Operation.ID
	}
	op, known := app.Operation(id)
	if !known {
		return nil
	}
	w := v.words
	view := &operationView{
		ID: op.ID, Title: w.t("kind." + string(op.Kind)), By: string(op.Actor), Since: w.Ago(now, op.Began), State: "busy",
		Now: op.Step(), Says: w.t("running.now", w.or("step."+op.Step(), op.Step())), Percent: -1,
	}
	over, stop := context.WithCancel(context.Background())
	stop() // only what there is so far
	last := ""
	for e := range op.Events(over) {
		switch {
		case e.Result != nil:
			view.Now, view.Percent, view.Result, view.Hint, view.Output = "", -1, v.words.Say(e.Result.Text), e.Result.Hint, e.Result.Output
			if len(view.Output) == 0 {
				view.Output = against(e.Result)
			}
			view.Close = appURL(app.Name())
			view.State, view.Says = "bad", w.t("ended.bad", w.Took(e.Took))
			if e.Result.OK {
				view.State, view.Says = "good", w.t("ended.good", w.Took(e.Took))
			}
		case e.Progress != nil:
			view.Percent = -1
			if e.Progress.Total > 0 {
				view.Percent = int(100 * e.Progress.Done / e.Progress.Total)
			}
		case e.Text != "":
			took := ""
			if e.Took > 0 {
				took = w.Took(e.Took)
			}
			name := w.or("step."+e.Step, e.Step)
			if name == last {
				name = "" // it goes on
			} else {
				last = name
			}
			view.Steps = append(view.Steps, step{name, v.words.Say(e.Text), took, e.Warning})
		}
	}
	return view
}
