package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/switcher"
)

func newDemoCommand(p *program) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: everything on loopback, nothing to set up",
		Long: `Demo starts an edge on loopback with a CA of its own and a built-in chat as the
backend, keeps real load on it, and plays the life of a release: deploy, test,
switch, rollback, and a faulty release that is rolled back by itself. It needs
no root, no Docker and no network, and leaves nothing behind. With --docker the
releases are containers of a throw-away app called demo-...; containers and
images go with it, unless the demo itself is killed.

It goes on until Ctrl-C, so that you can open the chat in a browser and run the
other commands against it. With --once it ends by itself, with exit code 0 only
if not one request failed.`,
		Example: `  bluegreen demo
  bluegreen demo --once
  bluegreen demo --docker      # the same in containers, built from scratch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), o) },
	}
	cmd.Flags().BoolVar(&o.docker, "docker", false, "run the releases as containers on the local engine; nothing is pulled")
	cmd.Flags().BoolVar(&o.once, "once", false, "end after the story; exit code 0 only if nothing was lost")
	cmd.Flags().StringVar(&o.https, "https", "", "address of the HTTPS listener (default 127.0.0.1:8443, or a free port if that is taken)")
	return cmd
}

type demoOptions struct {
	docker, once bool
	https        string
}

// demo plays the story and shows it. Whatever happens, its backends are gone
// at the end.
func (p *program) demo(ctx context.Context, o demoOptions) (err error) {
	stage, err := newDemoStage(ctx, p, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.clear()) }()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	playing, interrupt := context.WithCancelCause(ctx)
	defer interrupt(nil)
	ended := make(chan error, 1)
	go func() {
		err := stage.edge.run(serving)
		interrupt(err) // only if it ends by itself there is something to interrupt
		ended <- err
	}()

	show := newDemoScreen(p.stdout, stage)
	play := &story{stage: stage, show: show, once: o.once}
	told := play.tell(playing)
	stage.load.stop() // before the edge, so that the end fails nothing
	figures := play.figures()
	show.close()
	stop()
	if err := <-ended; err != nil {
		return err
	}
	if told != nil && ctx.Err() == nil {
		return fmt.Errorf("the demo did not go as it should: %w", told)
	}
	if p.json {
		if err := p.printJSON(figures); err != nil {
			return err
		}
	} else {
		figures.print(p.stdout)
	}
	if figures.Failed+figures.Stale > 0 {
		return &switcher.Error{Code: switcher.CodeFailed, What: "requests were lost", Output: figures.Errors}
	}
	return nil
}
