package switcher

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// gate is a check that must pass before a switch. forceable says whether a
// forced switch may override it.
type gate struct {
	forceable bool
	check     func(ctx context.Context, to Colour, allowed *Allowance) GateResult
}

// gates are all checks before a switch, in order.
func (a *App) gates() []gate {
	gates := []gate{{true, a.healthGate}}
	if a.settings.Load().Database != nil {
		gates = append(gates, gate{false, a.schemaGate})
	}
	return gates
}

// healthGate wants a slot that has been healthy and still is, asked now.
func (a *App) healthGate(ctx context.Context, to Colour, _ *Allowance) GateResult {
	g := GateResult{Gate: "health"}
	before := a.healthOf(to)
	err := a.probe(ctx, to, a.state.Load().Slots[to].Port)
	switch {
	case err != nil:
		g.Text = fmt.Sprintf("%s does not answer its health check: %v", to, err)
	case before.Status == Unhealthy:
		g.Text = fmt.Sprintf("%s answers again, but has not been healthy for %d probes in a row", to, a.settings.Load().Health.Rise)
	default:
		g.OK, g.Text = true, fmt.Sprintf("%s is healthy", to)
	}
	return g
}

func (a *App) passGates(ctx context.Context, to Colour, force string, allowed *Allowance) []GateResult {
	var results []GateResult
	for _, g := range a.gates() {
		r := g.check(ctx, to, allowed)
		r.Overridden = !r.OK && g.forceable && force != ""
		results = append(results, r)
	}
	return results
}

// passed runs every gate and returns a refusal that lists all that failed.
func (a *App) passed(ctx context.Context, op *Operation, to Colour, force string) error {
	var failed []string
	var findings []SchemaFinding
	plan := ""
	for _, g := range a.passGates(ctx, to, force, op.about.Allowed) {
		switch {
		case g.OK:
			op.say("gate %s: %s", g.Gate, g.Text)
		case g.Overridden:
			op.warn("gate %s overridden (%s): %s", g.Gate, force, g.Text)
		default:
			failed = append(failed, fmt.Sprintf("%s: %s", g.Gate, g.Text))
			findings, plan = append(findings, g.Findings...), cmp.Or(plan, g.Plan)
		}
	}
	if len(failed) > 0 {
		e := refuse("production was not touched; `bluegreen health` probes again, `bluegreen discard` gives the release up",
			"the switch is refused by %s", strings.Join(failed, "; "))
		if e.Findings, e.Plan = findings, plan; len(findings) > 0 {
			e.Hint = "production was not touched; accept each finding by its id, with a reason, if you know better: `bluegreen switch --allow ID --reason TEXT`"
		}
		return e
	}
	return nil
}
