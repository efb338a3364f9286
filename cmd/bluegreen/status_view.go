package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// wideColumns is the width from which both slots stand side by side.
const wideColumns = 100

// drawStatus writes a status for a person: what needs attention, the slots,
// then where the routes lead and what is going on.
func drawStatus(t *terminal, st admin.Status, now time.Time) {
	v := &statusView{terminal: t, st: st, now: now, width: t.size()}
	v.heading()
	v.slots()
	t.printf("\n")
	v.routes()
	v.pause()
	v.maintenance()
	v.failing()
	v.rollback()
	v.database()
	v.bake()
	v.verdict()
	v.drain()
	v.operation()
	v.certificates()
}

type statusView struct {
	*terminal
	st    admin.Status
	now   time.Time
	width int
}

func (v *statusView) heading() {
	phase := strings.ReplaceAll(string(v.st.Phase), "_", " ")
	v.printf("%s  %s\n", v.bold(v.st.App), phase)
	for _, problem := range []string{v.st.Error, v.st.Alert} {
		if problem != "" {
			v.printf("%s\n", v.red("! "+printable(problem)))
		}
	}
	v.printf("\n")
}

// slots draws blue and green, side by side where there is room.
func (v *statusView) slots() {
	blue, green := v.slot(switcher.Blue), v.slot(switcher.Green)
	if v.width < wideColumns {
		v.column(blue)
		v.printf("\n")
		v.column(green)
		return
	}
	half := v.width / 2
	for i := range max(len(blue), len(green)) {
		left, right := "", ""
		if i < len(blue) {
			left = clip(blue[i], half-2)
		}
		if i < len(green) {
			right = clip(green[i], v.width-half)
		}
		v.printf("%s\n", strings.TrimRight(pad(left, half)+right, " "))
	}
}

func (v *statusView) column(lines []string) {
	for _, line := range lines {
		v.printf("%s\n", strings.TrimRight(clip(line, v.width), " "))
	}
}

// slot describes one slot, a line for each thing to know.
func (v *statusView) slot(c switcher.Colour) []string {
	s := v.st.Slots[c]
	lines := []string{v.slotTitle(c, s)}
	add := func(label, value string) {
		if value != "" {
			lines = append(lines, "  "+v.dim(pad(label, 11))+value)
		}
	}
	if s.Release != nil {
		add("release", v.release(s.Release))
		add("image", s.Release.Image)
		add("deployed", ago(v.now, s.Release.DeployedAt)+" by "+cmp.Or(s.Release.DeployedBy, "somebody"))
	}
	if s.State != switcher.Empty && s.State != switcher.Failed {
		add("health", v.health(s.Health))
		if s.Running != nil {
			add("running", "for "+span(v.now.Sub(*s.Running)))
		}
		add("in flight", flying(s.InFlight, s.Upgraded))
	}
	add("address", s.Address)
	if s.State != switcher.Empty && s.State != switcher.Failed {
		add("failed", v.lastFailure(s.Health))
	}
	return lines
}

// slotTitle says what the slot is, and which routes lead to it.
func (v *statusView) slotTitle(c switcher.Colour, s switcher.SlotStatus) string {
	var leading []string
	for _, name := range routeNames() {
		if v.st.Routes[name].Slot == c {
			leading = append(leading, string(name))
		}
	}
	sign := "○"
	if v.st.Routes[switcher.Production].Slot == c {
		sign = "●"
	}
	if !v.live {
		sign = "-"
	}
	title := fmt.Sprintf("%s %s %s", v.in(c, sign), pad(v.bold(v.name(c)), 6), pad(string(s.State), 9))
	if len(leading) > 0 {
		title += "  " + v.bold(v.arrow()+" "+and(leading))
	}
	return title
}

func (v *statusView) arrow() string {
	if v.live {
		return "←"
	}
	return "<-"
}

func (v *statusView) release(r *switcher.Release) string {
	if r.Commit == "" {
		return v.bold(r.ID)
	}
	return v.bold(r.Commit) + "  " + v.dim(r.ID)
}

func (v *statusView) health(h switcher.Health) string {
	checked := "not checked yet"
	if h.CheckedAt != nil {
		checked = ago(v.now, *h.CheckedAt)
	}
	switch h.Status {
	case switcher.Healthy:
		said := v.sign(true) + v.green("healthy") + v.since(h) + fmt.Sprintf(", %.1f ms, %s", h.LatencyMS, checked)
		if h.Failures > 0 {
			said += v.yellow(", now failing")
		}
		return said
	case switcher.Unhealthy:
		return v.sign(false) + v.red("unhealthy") + v.since(h) + ", " + checked
	}
	return "unknown, " + checked
}

func (v *statusView) since(h switcher.Health) string {
	if h.Since == nil {
		return ""
	}
	return " for " + span(v.now.Sub(*h.Since))
}

// lastFailure is of a slot that does not fail now; why one fails has a line of
// its own, where there is room.
func (v *statusView) lastFailure(h switcher.Health) string {
	if h.FailedAt == nil || h.Failures > 0 {
		return ""
	}
	return v.dim(ago(v.now, *h.FailedAt) + ": " + printable(h.LastError))
}

// sign is a mark before a word that says the same.
func (v *statusView) sign(ok bool) string {
	if !v.live {
		return ""
	}
	return v.mark(ok) + " "
}

// failing says why probes fail, where there is room for a reason.
func (v *statusView) failing() {
	for _, c := range switcher.Colours() {
		if h := v.st.Slots[c].Health; h.Failures > 0 && v.st.Slots[c].State != switcher.Failed {
			v.row("failing", fmt.Sprintf("%s, %s in a row: %s", v.name(c), count(int64(h.Failures), "probe"), v.red(printable(h.Error))))
		}
	}
}

func routeNames() []switcher.RouteName {
	return []switcher.RouteName{switcher.Production, switcher.Internal}
}

// row writes a line of the lower half. It is not clipped: a reason that cannot
// be read is worth nothing.
func (v *statusView) row(label, value string) {
	v.printf("%s%s\n", v.dim(pad(label, 13)), value)
}

func (v *statusView) routes() {
	for _, name := range routeNames() {
		r := v.st.Routes[name]
		v.row(string(name), pad(v.name(r.Slot), 7)+"  "+strings.Join(r.Hosts, ", "))
	}
}

func (v *statusView) pause() {
	if p := v.st.Pause; p != nil {
		v.row("paused", v.yellow(count(p.Held, "request")+" held")+fmt.Sprintf(", for %s by %s, %s left", span(v.now.Sub(p.Since)), p.By, span(p.Until.Sub(v.now))))
	}
}

func (v *statusView) maintenance() {
	m := v.st.Maintenance
	if m == nil {
		return
	}
	v.row("maintenance", v.yellow("on")+fmt.Sprintf(", for %s by %s", span(v.now.Sub(m.Since)), m.By))
	if m.Message != "" {
		v.row("", v.dim(clip(printable(strings.ReplaceAll(m.Message, "\n", " ")), v.width-13)))
	}
}

func (v *statusView) rollback() {
	r := v.st.Rollback
	switch {
	case !r.Ready:
		v.row("rollback", "not possible: "+cmp.Or(r.Reason, "no reason given"))
	case r.Until != nil:
		v.row("rollback", v.green("ready")+", for "+span(r.Until.Sub(v.now))+parenthesis(r.Reason))
	default:
		v.row("rollback", v.green("ready")+parenthesis(cmp.Or(r.Reason, "until the next deploy or cleanup")))
	}
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func (v *statusView) bake() {
	if b := v.st.Bake; b != nil {
		v.row("bake", fmt.Sprintf("%s left of %s for %s", span(b.Until.Sub(v.now)), span(b.Until.Sub(b.Began)), b.Release))
	}
}

func (v *statusView) drain() {
	if d := v.st.Drain; d != nil {
		p := drainProgress(*d, v.now)
		v.row("drain", pad(v.name(d.Slot), 7)+"  "+v.bar(p)+p.Text)
	}
}

func (v *statusView) operation() {
	o := v.st.Operation
	if o == nil {
		return
	}
	text := fmt.Sprintf("%s by %s for %s", v.bold(string(o.Kind)), o.Actor, span(v.now.Sub(o.Since)))
	if o.Step != "" && o.Step != string(o.Kind) {
		text += ", now " + o.Step
	}
	v.row("running", text+"  "+v.dim(o.ID))
}

func (v *statusView) certificates() {
	label := "certificates"
	widest := 0
	for _, c := range v.st.Certificates {
		widest = max(widest, visible(c.Host))
	}
	byHost := slices.SortedFunc(slices.Values(v.st.Certificates), func(a, b admin.Certificate) int { return cmp.Compare(a.Host, b.Host) })
	for _, c := range byHost {
		v.row(label, fmt.Sprintf("%s %s  %s", v.mark(c.OK && !c.Expiring), pad(c.Host, widest), v.validity(c)))
		label = ""
	}
}

func (v *statusView) validity(c admin.Certificate) string {
	text := "none yet"
	if !c.NotAfter.IsZero() {
		text = span(c.NotAfter.Sub(v.now)) + " left"
	}
	if c.NotAfter.Before(v.now) && !c.NotAfter.IsZero() {
		text = "expired " + ago(v.now, c.NotAfter)
	}
	if c.Error != "" {
		text += ": " + v.red(printable(c.Error))
	}
	return text + parenthesis(c.Issuer)
}
