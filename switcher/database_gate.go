package switcher

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fitTimeout bounds the question whether a release can live with the live
// schema: a rollback waits for it.
const fitTimeout = time.Second

// fitOf asks whether a release can live with the live schema now. When the
// database cannot be asked the last standing verdict counts; known is false
// without one.
func (a *App) fitOf(ctx context.Context, release string) (fit Fit, known bool) {
	fit, err := a.fitNow(ctx, release)
	if err == nil {
		return fit, true
	}
	return a.fitLast(release)
}

func (a *App) fitNow(ctx context.Context, release string) (Fit, error) {
	ctx, cancel := context.WithTimeout(ctx, fitTimeout)
	defer cancel()
	return a.settings.Load().Database.Fit(ctx, release)
}

// fitLast is the last standing verdict on a release. Nothing is asked.
func (a *App) fitLast(release string) (fit Fit, known bool) {
	db := a.settings.Load().Database
	if db == nil {
		return Fit{}, false
	}
	for _, fit := range db.Status().Fits {
		if fit.Release == release {
			return fit, true
		}
	}
	return Fit{}, false
}

// codeUnknown is the code of the finding that nothing could be compared.
const codeUnknown = "unknown"

// All are the findings, with one more when nothing could be compared, so that
// this too can be accepted by its id.
func (f Fit) All() []SchemaFinding {
	if f.Unknown == "" {
		return f.Findings
	}
	return append(slices.Clone(f.Findings), SchemaFinding{
		Code: codeUnknown, Object: f.Release, Verdict: SchemaBlock, What: "nobody can tell whether it can live with the schema: " + f.Unknown,
	})
}

// accept marks the findings that a request accepts.
func (f Fit) accept(allowed *Allowance) Fit {
	if allowed == nil {
		return f
	}
	f.Findings, f.Unknown = slices.Clone(f.All()), ""
	for i, finding := range f.Findings {
		if slices.Contains(allowed.Findings, finding.ID(f.Plan)) {
			f.Findings[i].Allowed = allowed.Reason
		}
	}
	return f
}

// stops says what stands in the way and how each of it is accepted; empty:
// nothing does.
func (f Fit) stops() string {
	var all []string
	for _, finding := range f.Stopping() {
		all = append(all, fmt.Sprintf("%s (--allow %s)", finding.What, finding.ID(f.Plan)))
	}
	return strings.Join(all, ", ")
}

// Stopping are the findings that stand in the way until somebody accepts them.
func (f Fit) Stopping() (stops []SchemaFinding) {
	for _, finding := range f.All() {
		if finding.Stops() {
			stops = append(stops, finding)
		}
	}
	return stops
}

// review says what a person should look at before production goes to the
// release; empty: nothing.
func (f Fit) review() string {
	var all []string
	for _, finding := range f.All() {
		if finding.Allowed == "" && finding.Verdict == SchemaData {
			all = append(all, finding.What)
		}
	}
	return strings.Join(all, ", ")
}

// schemaGate wants a release that can live with the live schema, asked now. What
// speaks against it is accepted finding by finding.
func (a *App) schemaGate(ctx context.Context, to Colour, allowed *Allowance) GateResult {
	release := a.state.Load().Slots[to].Release
	g := GateResult{Gate: gateSchema}
	fit, err := a.fitNow(ctx, release.ID)
	if err != nil {
		g.Text = fmt.Sprintf("the database cannot be asked whether %s can live with its schema: %v", describe(release), err)
		return g
	}
	fit = fit.accept(allowed)
	g.Findings, g.Plan = fit.All(), fit.Plan
	if why := fit.stops(); why != "" {
		g.Text = fmt.Sprintf("%s cannot live with the schema: %s", describe(release), why)
		return g
	}
	g.OK = true
	g.Text = fmt.Sprintf("%s can live with the schema", describe(release))
	var accepted []string
	for _, finding := range g.Findings {
		if finding.Allowed != "" {
			accepted = append(accepted, fmt.Sprintf("%s (%s)", finding.ID(fit.Plan), finding.Allowed))
		}
	}
	if len(accepted) > 0 {
		g.Text += ", but for what was accepted: " + strings.Join(accepted, ", ")
	}
	return g
}

const gateSchema = "schema"

// mayReturn refuses production's way back to a release that cannot live with the
// live schema. It is asked at most fitTimeout long; a database that cannot be
// asked must not keep production on a release that fails, so the last standing
// verdict counts then, and without one the way is open.
func (a *App) mayReturn(ctx context.Context, op *Operation, to *Release, allowed *Allowance) error {
	if a.settings.Load().Database == nil || to == nil {
		return nil
	}
	told := op.enter(gateSchema)
	fit, err := a.fitNow(ctx, to.ID)
	if err != nil {
		last, known := a.fitLast(to.ID)
		if !known {
			op.warn("the database cannot be asked whether %s can live with its schema, and never could be: %v", describe(to), err)
			return nil
		}
		op.warn("the database cannot be asked whether %s can live with its schema (%v): what was found at %s counts",
			describe(to), err, last.Checked.Format(time.TimeOnly))
		fit = last
	}
	fit = fit.accept(allowed)
	if why := fit.stops(); why != "" {
		e := refuse("production was not touched; accept each finding by its id, with a reason, if you know better: `bluegreen rollback --allow ID --reason TEXT`",
			"%s", cannotReturn(to, why))
		e.Findings, e.Plan = fit.All(), fit.Plan
		return e
	}
	if why := fit.review(); why != "" {
		op.warn("%s needs review: %s", describe(to), why)
	}
	if err == nil {
		told("%s can live with the schema", describe(to))
	}
	return nil
}

// back is what the last standing verdict says of the way back to a release.
// Nothing is asked, and nothing waits.
func (a *App) back(to *Release) (review, stops string) {
	fit, known := a.fitLast(to.ID)
	if !known {
		return "", ""
	}
	return fit.review(), fit.stops()
}

// unfitNow says why the edge must not by itself move production back to a
// release; empty: it may.
func (a *App) unfitNow(ctx context.Context, to *Release) string {
	if a.settings.Load().Database == nil || to == nil {
		return ""
	}
	fit, known := a.fitOf(ctx, to.ID)
	if !known {
		return ""
	}
	return fit.stops()
}

func cannotReturn(to *Release, why string) string {
	return fmt.Sprintf("%s cannot live with the schema any more: %s", describe(to), why)
}

// noteWayBack remembers what the schema is to the release that a switch leaves,
// and tells when there will be no way back to it.
func (a *App) noteWayBack(ctx context.Context, op *Operation, from *Release) {
	if a.settings.Load().Database == nil {
		return
	}
	fit, err := a.fitNow(ctx, from.ID)
	if err != nil {
		return
	}
	op.wayBack = fit.Plan
	if why := fit.stops(); why != "" {
		op.warn("there is no way back after this switch: %s", cannotReturn(from, why))
	}
}

// staySwitched says why production stays where a switch has moved it although it
// does not answer there; nil: it goes back. That is so while the database does
// not answer either, for then nothing speaks against the release, and when the
// schema was changed in the middle of the switch so that the release before
// cannot live with it any more. On a schema that has not changed it goes back in
// any case: it served production on that a moment ago.
func (a *App) staySwitched(ctx context.Context, op *Operation, to Colour, why string) error {
	if a.settings.Load().Database == nil {
		return nil
	}
	previous := a.state.Load().Slots[to.Other()].Release
	e := &Error{Code: CodeUnhealthy}
	if err := a.askDatabase(ctx); err != nil && !misconfigured(err) {
		e.What = fmt.Sprintf("%s; the database does not answer either, so production stays there", why)
		e.Err = err
		e.Hint = "it says nothing about the release: once the database answers the bake decides; `bluegreen rollback` goes back"
	} else {
		fit, known := a.fitOf(ctx, previous.ID)
		unfit := fit.stops()
		if !known || unfit == "" || op.wayBack == fit.Plan {
			return nil
		}
		e.What = fmt.Sprintf("%s; production stays there, for the schema was changed meanwhile: %s", why, cannotReturn(previous, unfit))
		e.Hint = "deploy a release that works; or, if you know better, `bluegreen rollback --allow ID --reason TEXT`"
		a.setAlert("%s", e.What)
	}
	a.leaveBehind(op, to.Other())
	return e
}

// accepted is what a request accepts of the findings of a schema.
func (a *App) accepted(findings []string, reason string) (*Allowance, error) {
	if len(findings) > 0 && a.settings.Load().Database == nil {
		return nil, NoDatabase()
	}
	return allowance(findings, reason)
}
