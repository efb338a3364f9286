package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// switchFlags are what a person says of a switch.
type switchFlags struct {
	expectActive string
	bake         time.Duration
	dryRun       bool
	wait         bool
	timeout      time.Duration
	accept       acceptance
	request      switcher.SwitchRequest
}

func newSwitchCommand(p *program) *cobra.Command {
	var f switchFlags
	cmd := &cobra.Command{
		Use:   "switch",
		Short: "Point production at the release in test",
		Long: `Switch checks the gates, points production at the release in test, and returns
once the edge has seen it answer on the production host. Requests in flight end
where they began. For the time of the bake the new release is watched, and
production goes back by itself if it turns unhealthy.

--dry-run tells what each gate says and what a switch would affect. --wait stays
until drain and bake have ended; an automatic rollback meanwhile is exit code 5.
--force overrides the health and hook gates, for admins only. What the schema gate
finds is accepted one by one, by --allow.`,
		Example: `  bluegreen switch --dry-run
  bluegreen switch --expect-active blue --expect-release 4f2a1c9
  bluegreen switch --bake 30m --wait --timeout 45m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.complete(cmd); err != nil {
				return err
			}
			if f.dryRun {
				return p.planSwitch(cmd.Context(), f.request)
			}
			do := func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Switch(cmd.Context(), app, f.request, show)
			}
			if f.wait {
				do = waitAfter(cmd.Context(), f.timeout, do)
			}
			return p.operate(cmd.Context(), do)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "only tell what would happen")
	flags.StringVar(&f.expectActive, "expect-active", "", "refuse unless this `COLOUR` is active now")
	flags.StringVar(&f.request.ExpectRelease, "expect-release", "", "refuse unless this `RELEASE`, an id or a commit, is in test")
	flags.DurationVar(&f.bake, "bake", 0, "how long to watch the new release (default: as configured)")
	flags.StringVar(&f.request.Force, "force", "", "override the health and hook gates for this `REASON`")
	flags.BoolVar(&f.wait, "wait", false, "stay until drain and bake have ended")
	flags.DurationVar(&f.timeout, "timeout", 0, "with --wait: how long at most (default: no limit)")
	p.complete(cmd, "expect-active", completeColours)
	f.accept.add(p, cmd)
	return cmd
}

// complete turns the flags into the request and refuses what makes no sense.
func (f *switchFlags) complete(cmd *cobra.Command) error {
	f.request.ExpectActive = switcher.Colour(f.expectActive)
	f.request.Allow, f.request.Reason = f.accept.allow, f.accept.reason
	flags := cmd.Flags()
	switch {
	case f.expectActive != "" && !f.request.ExpectActive.Valid():
		return usageError("", "--expect-active %q is not a colour: they are blue and green", f.expectActive)
	case flags.Changed("force") && strings.TrimSpace(f.request.Force) == "":
		return usageError("say why, for the history", "--force needs a reason")
	case f.dryRun && f.wait:
		return usageError("", "there is nothing to wait for after --dry-run")
	case f.timeout != 0 && !f.wait:
		return usageError("", "--timeout is for --wait")
	case f.bake < 0:
		return usageError("0 means no bake", "--bake cannot be negative")
	}
	if err := f.accept.check(); err != nil {
		return err
	}
	if flags.Changed("bake") {
		f.request.Bake = &f.bake
	}
	return nil
}

// planSwitch tells what a switch would do. One that would be refused is
// refused here too, so that a script can ask first.
func (p *program) planSwitch(ctx context.Context, request switcher.SwitchRequest) error {
	return p.withApp(ctx, func(client *admin.Client, app string) error {
		plan, err := client.Plan(ctx, app, request)
		if err != nil {
			return err
		}
		if p.json {
			err = p.printJSON(plan)
		} else {
			showPlan(p.stdout, plan)
		}
		if err == nil && !plan.Possible {
			err = &switcher.Error{Code: switcher.CodeRefused, What: "a switch would be refused now"}
		}
		return err
	})
}

func showPlan(t *terminal, plan switcher.Plan) {
	t.printf("%s\n\n", t.bold("nothing is changed; a switch would"))
	t.printf("  move     production from %s to %s\n", t.name(plan.From), t.name(plan.To))
	t.printf("  release  %s\n", plan.Release)
	t.printf("  affect   %s on %s: they end there\n", flying(plan.InFlight, plan.Upgraded), t.name(plan.From))
	t.printf("  drain    %s at most\n", span(plan.Drain))
	t.printf("  bake     %s\n\n", span(plan.Bake))
	for _, gate := range plan.Gates {
		text := gate.Text
		if gate.Overridden {
			text += " (overridden)"
		}
		t.printf("  %s %s %s\n", t.mark(gate.OK || gate.Overridden), pad(gate.Gate, 8), printable(text))
		drawFindings(t, "    ", gate.Findings, gate.Plan)
	}
}
