package dashboard

import (
	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// action is an operation that the pages offer.
type action struct {
	Kind    switcher.Kind
	Label   string
	URL     string
	Allowed bool
	Why     string // why not, or what it would do
	Primary bool   // it is what comes next
}

// offered are the operations of the pages, in the order of a release's life.
func offered() []switcher.Kind {
	return []switcher.Kind{switcher.KindSwitch, switcher.KindConfirm, switcher.KindRollback, switcher.KindDiscard, switcher.KindCleanup}
}

// isOffered reports whether the pages offer an operation.
func isOffered(kind switcher.Kind) bool {
	for _, k := range offered() {
		if k == kind {
			return true
		}
	}
	return false
}

// actions says what can be done now, and why the rest cannot. Who may only look
// is offered nothing.
func (v *visit) actions(st switcher.Status) []action {
	if v.who.scope < admin.ScopeDeploy {
		return nil
	}
	var all []action
	for _, kind := range offered() {
		why := v.refusal(kind, st)
		a := action{Kind: kind, Label: v.label(kind, st), URL: appURL(st.App) + "/" + string(kind), Allowed: why == "", Why: why}
		if a.Allowed {
			a.Why = v.words.t("does."+string(kind), v.subject(kind, st))
			a.Primary = kind == switcher.KindSwitch || kind == switcher.KindConfirm
		}
		all = append(all, a)
	}
	return all
}

// label names the action by where it leads.
func (v *visit) label(kind switcher.Kind, st switcher.Status) string {
	if to := st.Active.Other(); to != "" && (kind == switcher.KindSwitch || kind == switcher.KindRollback) {
		return v.words.t("do."+string(kind)+".to", v.words.t("colour."+string(to)))
	}
	return v.words.t("do." + string(kind))
}

// subjectOf is the slot whose release an action is about.
func subjectOf(kind switcher.Kind, st switcher.Status) switcher.Colour {
	if kind == switcher.KindConfirm {
		return st.Active
	}
	return st.Inactive
}

// subject names the release an action is about.
func (v *visit) subject(kind switcher.Kind, st switcher.Status) string {
	r := st.Slots[subjectOf(kind, st)].Release
	if r == nil {
		return v.words.t("release.none")
	}
	return short(r)
}

// short is the name of a release that a person knows.
func short(r *switcher.Release) string {
	if r.Commit != "" {
		return r.Commit
	}
	return r.ID
}

// refusal says why an operation cannot be asked for now; empty: it can. The
// switcher has the last word.
func (v *visit) refusal(kind switcher.Kind, st switcher.Status) string {
	t := v.words.t
	needed := admin.ScopeOperate
	if kind == switcher.KindDiscard {
		needed = admin.ScopeDeploy
	}
	inactive := st.Slots[st.Inactive]
	aborts := kind == switcher.KindDiscard && st.Operation != nil && st.Operation.Kind == switcher.KindDeploy
	switch {
	case v.who.scope < needed:
		return t("not.scope", t("scope."+needed.String()))
	case st.Error != "":
		return t("not.service")
	case kind == switcher.KindDiscard && admin.MayDiscard(v.who.scope, v.who.actor, st) != nil:
		return t("not.own")
	case aborts:
		return ""
	case st.Operation != nil:
		return t("not.busy", t("kind."+string(st.Operation.Kind)), st.Operation.Actor)
	case kind == switcher.KindConfirm:
		return when(st.Bake == nil, t("not.confirm"))
	case kind == switcher.KindRollback:
		return v.noWayBack(st)
	case st.Active == "" && kind != switcher.KindDiscard:
		return t("not.deployed")
	case kind == switcher.KindDiscard && inactive.State == switcher.Previous:
		return t("not.discard.previous")
	case kind == switcher.KindDiscard:
		return when(inactive.State == switcher.Empty, t("not.discard"))
	case st.Bake != nil:
		return t("not.baking")
	case kind == switcher.KindSwitch:
		return when(inactive.State != switcher.Testing, t("not.switch"))
	case inactive.State == switcher.Testing:
		return t("not.cleanup.testing")
	}
	return when(inactive.State == switcher.Empty, t("not.cleanup"))
}

func when(so bool, text string) string {
	if so {
		return text
	}
	return ""
}

// noWayBack says why a rollback is not possible; empty: it is.
func (v *visit) noWayBack(st switcher.Status) string {
	t := v.words.t
	previous := st.Slots[st.Active.Other()]
	switch {
	case st.Rollback.Ready:
		return ""
	case st.Active == "":
		return t("not.deployed")
	case previous.State != switcher.Previous:
		return t("not.warm")
	case previous.Health.Status == switcher.Unhealthy:
		return t("not.sick", short(previous.Release))
	}
	return t("not.probed", short(previous.Release))
}
