package main

import (
	"bufio"
	"context"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
)

func newLogsCommand(p *program) *cobra.Command {
	q := admin.LogQuery{Lines: 100}
	var since string
	cmd := &cobra.Command{
		Use:   "logs [COLOUR]",
		Short: "Show what the releases write, or what was asked of them",
		Long: `Logs shows the newest lines that the containers of a slot have written, or of
both slots, merged by time. They come from the files below logs.dir, also from
those that were rotated out and compressed. With --json each line is the JSON
object that is in the file.

With --follow it goes on until it is interrupted; exit code 8 means that the
edge went away.`,
		Example: `  bluegreen logs
  bluegreen logs green -f -n 100 --since 10m
  bluegreen logs --access --since 1h --json | jq 'select(.status >= 500)'`,
		Args:              oneColour,
		ValidArgsFunction: completeColours,
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Colour = colourOf(args)
			if q.Lines < 0 || q.Lines > admin.MaxLogLines {
				return usageError("0 means all", "-n %d: it is a number from 0 to %d", q.Lines, admin.MaxLogLines)
			}
			if since != "" {
				var err error
				if q.Since, err = admin.ParseSince(since, time.Now()); err != nil {
					return usageError("", "--since %q: %v", since, err)
				}
				if !cmd.Flags().Changed("lines") {
					q.Lines = 0
				}
			}
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				return p.showLogs(cmd.Context(), client, app, q)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&q.Follow, "follow", "f", false, "go on with what is written")
	flags.IntVarP(&q.Lines, "lines", "n", q.Lines, "how many of the newest lines; 0 is all, as with --since")
	flags.StringVar(&since, "since", "", "no lines older than this: 10m, or a time like 2026-11-24T14:00:00Z")
	flags.BoolVar(&q.Access, "access", false, "the requests, from the access log")
	return cmd
}

// showLogs writes lines in batches, but none later than a moment.
func (p *program) showLogs(ctx context.Context, client *admin.Client, app string, q admin.LogQuery) error {
	lines := make(chan []byte, 256)
	asked, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer close(lines)
		ended <- client.Logs(asked, app, q, func(line []byte) error {
			select {
			case lines <- line:
				return nil
			case <-asked.Done():
				return asked.Err()
			}
		})
	}()
	v := logView{p.stdout, time.Now}
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	var unwritten error
	for line := range lines {
		if p.json {
			_, _ = out.Write(append(line, '\n'))
		} else {
			_, _ = out.WriteString(v.line(line) + "\n")
		}
		if len(lines) == 0 {
			if unwritten = out.Flush(); unwritten != nil {
				stop() // whoever reads has had enough
				break
			}
		}
	}
	for range lines {
		continue // until the reader has seen that it is to stop
	}
	err := <-ended
	switch {
	case unwritten != nil:
		return unwritten
	case q.Follow && ctx.Err() != nil:
		return nil // it was interrupted, which is how it ends
	}
	return err
}
