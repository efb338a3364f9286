package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newPauseCommand(p *program) *cobra.Command {
	var request switcher.PauseRequest
	var wait bool
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Hold new requests of production for a moment",
		Long: `Pause keeps the requests that production gets from now on waiting, until
'bluegreen resume' lets them go. They then go to the slot that is active at that
moment: migrate or switch meanwhile, and no request fails. A pause ends by itself
after --max, and with a restart of the edge. A second one moves its end.

Requests that began before go on; --wait stays until the active slot has none.
WebSockets and event streams that are open stay so, and may go on writing. The
internal hosts are for the team and are not held. Up to 10,000 requests wait;
more are answered 503 with Retry-After.`,
		Example: `  bluegreen pause --wait && ./migrate.sh; bluegreen resume
  bluegreen pause --max 2m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if request.Max <= 0 || request.Max > switcher.PauseLimit {
				return usageError("longer than 0s, at most "+span(switcher.PauseLimit), "--max %v is out of range", request.Max)
			}
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				answer, err := client.Pause(cmd.Context(), app, request)
				if err != nil {
					return err
				}
				if wait && !p.json {
					p.stdout.printf("%s\n", answer.Text)
				}
				if wait {
					if answer.Text, err = p.awaitQuiet(cmd.Context(), client, app); err != nil {
						return err
					}
				}
				return p.showAnswer(answer)
			})
		},
	}
	cmd.Flags().DurationVar(&request.Max, "max", switcher.PauseDefault, "how long at most; it then ends by itself (up to 10m)")
	cmd.Flags().BoolVar(&wait, "wait", false, "stay until the active slot has no request in flight")
	return cmd
}

func newResumeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Let the held requests go",
		Long: `Resume ends a pause: what was held goes to the slot that is active now, in no
particular order. Without a pause it changes nothing and succeeds.`,
		Example: `  bluegreen resume`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				answer, err := client.Resume(cmd.Context(), app)
				if err != nil {
					return err
				}
				return p.showAnswer(answer)
			})
		},
	}
}

func (p *program) showAnswer(a switcher.Answer) error {
	if p.json {
		return p.printJSON(a)
	}
	p.stdout.printf("%s\n", a.Text)
	return nil
}

// awaitQuiet waits, while production is paused, until the active slot has no
// request in flight, and says so.
func (p *program) awaitQuiet(ctx context.Context, client *admin.Client, app string) (string, error) {
	show, end := p.quietly()
	defer end()
	tick := time.NewTicker(waitEvery / 5)
	defer tick.Stop()
	for {
		st, err := client.Status(ctx, app)
		if err != nil {
			return "", err
		}
		slot := st.Slots[st.Active]
		switch {
		case st.Pause == nil && slot.InFlight > 0:
			return "", &switcher.Error{Code: switcher.CodeTimeout, Hint: "pause for longer with --max, or look for what takes so long with bluegreen status",
				What: fmt.Sprintf("the pause has ended with %s still in flight", count(slot.InFlight, "request"))}
		case slot.InFlight == 0 && slot.Upgraded > 0:
			return fmt.Sprintf("no request is in flight on %s; still open: %s", st.Active, count(slot.Upgraded, "long connection")), nil
		case slot.InFlight == 0:
			return "nothing is in flight", nil
		}
		show(switcher.Event{Time: time.Now(), Step: "pause", Progress: &switcher.Progress{
			Text: fmt.Sprintf("%s has %s in flight; %s left", st.Active, count(slot.InFlight, "request"), span(time.Until(st.Pause.Until)))}})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", &switcher.Error{Code: switcher.CodeFailed, What: "interrupted; the pause goes on", Hint: "bluegreen resume ends it"}
		}
	}
}

// quietly is follow for what has no events of its own: with --json nothing but
// the answer is told.
func (p *program) quietly() (show tell, end func()) {
	if p.json {
		return func(switcher.Event) {}, func() {}
	}
	return p.follow()
}
