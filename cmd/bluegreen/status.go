package main

import (
	"bytes"
	"context"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
)

// watchEvery is how often status --watch looks.
const watchEvery = time.Second

func newStatusCommand(p *program) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show slots, routes, health and whether a rollback is possible",
		Long: `Status shows both slots with their releases, health and what they have in flight,
where production and the internal hosts lead, what is going on, the certificates,
and whether a rollback is possible, until when, and if not, why.

--watch shows it anew every second; with --json, one document a second.`,
		Example: `  bluegreen status
  bluegreen status --watch
  bluegreen status --json | jq -r .active`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch && !p.json && !p.stdout.live {
				return usageError("use --json for a program to read", "--watch needs a terminal")
			}
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				switch {
				case watch && p.json:
					return p.streamStatus(cmd.Context(), client, app)
				case watch:
					return p.watchStatus(cmd.Context(), client, app)
				}
				return p.showStatus(cmd.Context(), client, app)
			})
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it anew every second")
	return cmd
}

func (p *program) showStatus(ctx context.Context, client *admin.Client, app string) error {
	status, err := client.Status(ctx, app)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(status)
	}
	drawStatus(p.stdout, status, time.Now())
	return nil
}

func (p *program) streamStatus(ctx context.Context, client *admin.Client, app string) error {
	return everySecond(ctx, func() error {
		status, err := client.Status(ctx, app)
		if err != nil {
			return err
		}
		return p.printJSON(status)
	})
}

// watchStatus draws on the terminal's other screen, so that what was there is
// back afterwards. An edge that is away, as during its upgrade, is waited for.
func (p *program) watchStatus(ctx context.Context, client *admin.Client, app string) error {
	p.stdout.printf("\x1b[?1049h\x1b[?25l")
	defer p.stdout.printf("\x1b[?25h\x1b[?1049l")
	return everySecond(ctx, func() error {
		var screen bytes.Buffer
		t := *p.stdout
		t.Writer = &screen
		status, err := client.Status(ctx, app)
		if err != nil {
			t.printf("%s %v\n", t.red("bluegreen:"), err)
		} else {
			drawStatus(&t, status, time.Now())
		}
		t.printf("\n%s\n", t.dim(time.Now().Format(time.TimeOnly)+"  Ctrl-C ends this"))
		page := bytes.ReplaceAll(screen.Bytes(), []byte("\n"), []byte("\x1b[K\n"))
		p.stdout.printf("\x1b[H%s\x1b[J", page) // over the old one: no flicker
		return nil
	})
}

// everySecond repeats look until it fails or ctx ends, which is no error.
func everySecond(ctx context.Context, look func() error) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if err := look(); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
