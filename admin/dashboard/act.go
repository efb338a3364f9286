package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// planPage tells what an action will do, and asks for a confirmation.
type planPage struct {
	frame
	App     string
	Back    string
	Kind    switcher.Kind
	Label   string
	Lead    string // what happens, in a sentence
	From    *slotView
	To      *slotView
	Facts   []string
	Gates   []gate
	Refused string // why it cannot be done; empty: it can
	Hint    string
	Problem string // with what was typed

	ExpectActive  switcher.Colour
	ExpectRelease string
	ExpectRunning string   // id of the operation that goes on; it is one that a discard would abort
	Type          []string // any of them confirms
}

type gate struct {
	Name, Text string
	OK         bool
}

// showPlan tells what would happen. It changes nothing.
func (s *Server) showPlan(v *visit, app *switcher.App, w http.ResponseWriter, r *http.Request) {
	kind := switcher.Kind(r.PathValue("action"))
	if !isOffered(kind) {
		s.fail(w, r, http.StatusNotFound, "error.missing")
		return
	}
	s.show(w, v.words, http.StatusOK, "plan", v.plan(app, kind, r))
}

// plan is what an action would do at this moment.
func (v *visit) plan(app *switcher.App, kind switcher.Kind, r *http.Request) planPage {
	st := app.Status()
	p := planPage{
		frame: v.frame(v.label(kind, st)+" · "+st.App, st.App), App: st.App, Back: appURL(st.App), Kind: kind, Label: v.label(kind, st),
		ExpectActive: st.Active, ExpectRunning: runningOf(st), Type: []string{st.App},
		Refused: v.refusal(kind, st),
	}
	if release := st.Slots[subjectOf(kind, st)].Release; release != nil {
		p.ExpectRelease = release.ID
		if release.Commit != "" {
			p.Type = append(p.Type, release.Commit)
		}
	}
	if p.Refused == "" {
		v.foretell(&p, app, st, kind, r)
	}
	return p
}

func runningOf(st switcher.Status) string {
	if st.Operation == nil {
		return ""
	}
	return st.Operation.ID
}

// foretell fills in what will happen.
func (v *visit) foretell(p *planPage, app *switcher.App, st switcher.Status, kind switcher.Kind, r *http.Request) {
	w := v.words
	slots := v.slots(app, st, time.Now())
	side := func(c switcher.Colour) *slotView {
		for i := range slots {
			if slots[i].Colour == c {
				return &slots[i]
			}
		}
		return nil
	}
	fact := func(key string, about ...any) { p.Facts = append(p.Facts, w.t(key, about...)) }
	active, other := st.Slots[st.Active], st.Slots[st.Inactive]
	name := func(c switcher.Colour) string { return w.t("colour." + string(c)) }
	drain := switcher.DrainSettings{}
	if v.server.options.Drain != nil {
		drain = v.server.options.Drain(st.App)
	}
	longest := w.Span(drain.Websockets + drain.Spread)
	p.Lead = w.t("plan."+string(kind), v.subject(kind, st))
	switch kind {
	case switcher.KindSwitch:
		p.Lead += " " + strings.Join(st.Routes[switcher.Production].Hosts, ", ") + "."
		plan, err := app.Plan(r.Context(), switcher.SwitchRequest{ExpectActive: p.ExpectActive, ExpectRelease: p.ExpectRelease})
		if err != nil {
			p.refuse(err)
			return
		}
		p.From, p.To = side(plan.From), side(plan.To)
		for _, g := range plan.Gates {
			p.Gates = append(p.Gates, gate{w.or("gate."+g.Gate, g.Gate), v.words.Say(g.Text), g.OK})
		}
		if !plan.Possible {
			p.Refused, p.Hint = w.t("plan.gates"), w.t("plan.gates.hint")
		}
		fact("fact.stay", w.n("inflight", plan.InFlight), name(plan.From))
		fact("fact.sockets", w.n("upgraded", plan.Upgraded), w.Span(plan.Drain))
		fact("fact.bake", w.Span(plan.Bake))
		fact("fact.warm", name(plan.From), short(active.Release))
	case switcher.KindRollback:
		p.From, p.To = side(st.Active), side(st.Inactive)
		fact("fact.finish", w.n("inflight", active.InFlight), w.Span(drain.Timeout))
		fact("fact.sockets", w.n("upgraded", active.Upgraded), longest)
		fact("fact.stopped", name(st.Active), short(active.Release))
		if st.Bake != nil {
			fact("fact.bakeends")
		}
	case switcher.KindConfirm:
		p.To = side(st.Active)
		fact("fact.watchends", w.Span(time.Until(st.Bake.Until)))
		fact("fact.nothingmoves", name(st.Active))
		if st.Rollback.Ready {
			fact("fact.warm", name(st.Inactive), short(other.Release))
		}
	case switcher.KindDiscard:
		p.From = side(st.Inactive)
		if st.Operation != nil {
			fact("fact.aborted", st.Operation.Actor)
		}
		if st.Active != "" && st.Routes[switcher.Internal].Slot != st.Active {
			fact("fact.internal", name(st.Active))
		}
		fact("fact.removed", name(st.Inactive), w.n("inflight", other.InFlight), w.n("upgraded", other.Upgraded), longest)
		fact("fact.untouched")
	case switcher.KindCleanup:
		p.From = side(st.Inactive)
		fact("fact.removed", name(st.Inactive), w.n("inflight", other.InFlight), w.n("upgraded", other.Upgraded), longest)
		if st.Rollback.Ready {
			fact("fact.noback")
		}
		fact("fact.pruned")
		fact("fact.untouched")
	}
}

// refuse shows why the switcher would not do it.
func (p *planPage) refuse(err error) {
	p.Refused = err.Error()
	var told *switcher.Error
	if errors.As(err, &told) {
		p.Hint = told.Hint
	}
}

// act begins an operation that was confirmed, and leads to where it is shown.
// What the page was about must still be so.
func (s *Server) act(v *visit, app *switcher.App, w http.ResponseWriter, r *http.Request) {
	kind := switcher.Kind(r.PathValue("action"))
	if !isOffered(kind) {
		s.fail(w, r, http.StatusNotFound, "error.missing")
		return
	}
	if v.who.scope < admin.ScopeDeploy || kind != switcher.KindDiscard && v.who.scope < admin.ScopeOperate {
		s.log.Warn("dashboard: refused", "actor", v.who.actor, "action", kind, "scope", v.who.scope.String())
		s.fail(w, r, http.StatusForbidden, "error.scope")
		return
	}
	if op := app.Status().Operation; op != nil && op.Kind == kind && op.Actor == v.who.actor { // a second click
		http.Redirect(w, r, operationURL(app, op.ID), http.StatusSeeOther)
		return
	}
	p := v.plan(app, kind, r)
	again := func(status int) { s.show(w, v.words, status, "plan", p) }
	if p.Refused != "" {
		again(http.StatusConflict)
		return
	}
	active, release := switcher.Colour(r.PostFormValue("expect_active")), r.PostFormValue("expect_release")
	if active != p.ExpectActive || release != p.ExpectRelease || r.PostFormValue("expect_running") != p.ExpectRunning {
		p.Problem = v.words.t("plan.stale")
		again(http.StatusConflict)
		return
	}
	if !p.confirmed(r.PostFormValue("confirm")) {
		p.Problem = v.words.t("plan.mistyped", p.Type[0])
		again(http.StatusUnprocessableEntity)
		return
	}
	op, err := v.begin(app, kind, active, release)
	if err != nil {
		s.log.Info("dashboard: refused", "actor", v.who.actor, "action", kind, "error", err)
		p.refuse(err)
		again(admin.ProblemOf(err).Status)
		return
	}
	http.Redirect(w, r, operationURL(app, op.ID), http.StatusSeeOther)
}

func operationURL(app *switcher.App, id string) string {
	return appURL(app.Name()) + "?operation=" + url.QueryEscape(id)
}

func (p *planPage) confirmed(typed string) bool {
	typed = strings.TrimSpace(typed)
	for _, want := range p.Type {
		if typed == want {
			return true
		}
	}
	return false
}

func (v *visit) begin(app *switcher.App, kind switcher.Kind, active switcher.Colour, release string) (*switcher.Operation, error) {
	switch kind {
	case switcher.KindSwitch:
		return app.Switch(v.who.actor, switcher.SwitchRequest{ExpectActive: active, ExpectRelease: release})
	case switcher.KindConfirm:
		return app.Confirm(v.who.actor)
	case switcher.KindRollback:
		return app.Rollback(v.who.actor, switcher.RollbackRequest{})
	case switcher.KindDiscard:
		return app.Discard(v.who.actor)
	case switcher.KindCleanup:
		return app.Cleanup(v.who.actor)
	}
	return nil, fmt.Errorf("the pages do not offer %s", kind)
}
