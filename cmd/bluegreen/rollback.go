package main

import (
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newRollbackCommand(p *program) *cobra.Command {
	var accept acceptance
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Point production back at the previous release",
		Long: `Rollback points production, and then the internal hosts, back at the release that
was active before the last switch and is still warm. It returns once the edge has
seen it answer; the failed slot is drained and stopped in the background.
'bluegreen status' always says whether a rollback is possible, and if not, why.`,
		Example: `  bluegreen rollback --reason "messages arrive twice"
  bluegreen rollback --wait --timeout 10m
  bluegreen rollback --allow 'column_dropped:public.users.name@5f0c' --reason "not read"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout != 0 && !wait {
				return usageError("", "--timeout is for --wait")
			}
			if err := accept.check(); err != nil {
				return err
			}
			request := switcher.RollbackRequest{Reason: accept.reason, Allow: accept.allow}
			do := func(c *admin.Client, app string, show tell) (switcher.Result, error) {
				return c.Rollback(cmd.Context(), app, request, show)
			}
			if wait {
				do = waitAfter(cmd.Context(), timeout, do)
			}
			return p.operate(cmd.Context(), do)
		},
	}
	accept.add(p, cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "stay until the failed slot is drained")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "with --wait: how long at most (default: no limit)")
	return cmd
}
