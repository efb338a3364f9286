package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// accessLog is the access log of an app: a file for each slot, with a line in
// JSON for each request.
type accessLog struct {
	app   string
	files map[switcher.Colour]*logfile.File
}

func newAccessLog(c *config.Config, app string, log *slog.Logger) *accessLog {
	l := &accessLog{app: app, files: map[switcher.Colour]*logfile.File{}}
	for _, colour := range switcher.Colours() {
		path := filepath.Join(c.Logs.Dir, app, "access-"+string(colour)+".log")
		l.files[colour] = logfile.New(path, log)
	}
	return l
}

// handler is switcher.Options.AccessLog.
func (l *accessLog) handler(route switcher.RouteName, slot switcher.Colour, release string) slog.Handler {
	file := l.files[slot]
	if file == nil { // before the first deploy there is no slot
		return nil
	}
	return slog.NewJSONHandler(file, nil).WithAttrs([]slog.Attr{
		slog.String("app", l.app), slog.String("route", string(route)),
		slog.String("colour", string(slot)), slog.String("release", release),
	})
}

// run writes the files until ctx ends.
func (l *accessLog) run(ctx context.Context) error {
	var group errgroup.Group
	for _, file := range l.files {
		group.Go(func() error { return file.Run(ctx) })
	}
	return group.Wait()
}
