package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/collect"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// appLogs are the log files of an app: for each slot one with a line in JSON for
// each request, and one for each line of what its instances write.
type appLogs struct {
	app    string
	access map[switcher.Colour]*logfile.File
	output *collect.Collector
}

func newAppLogs(c *config.Config, app string, log *slog.Logger, notify func(switcher.Notice)) *appLogs {
	l := &appLogs{app: app, access: map[switcher.Colour]*logfile.File{}}
	output := map[switcher.Colour]*logfile.Log{}
	for _, colour := range switcher.Colours() {
		options := func(path string) logfile.Options {
			return logfile.Options{Limits: logLimits(c.Logs), Logger: log, Failed: func(err error) {
				notify(logNotice(app, colour, path, err))
			}}
		}
		path := logPath(c, app, colour, true)
		l.access[colour] = logfile.NewFile(path, options(path))
		path = logPath(c, app, colour, false)
		output[colour] = logfile.NewLog(path, options(path))
	}
	l.output = collect.New(collect.Options{App: app, Files: output, Logger: log})
	return l
}

// logPath is where the lines of a slot go: those of its requests, or of its
// instances.
func logPath(c *config.Config, app string, colour switcher.Colour, access bool) string {
	name := string(colour) + ".log"
	if access {
		name = "access-" + name
	}
	return filepath.Join(c.Logs.Dir, app, name)
}

func logLimits(l config.Logs) logfile.Limits {
	return logfile.Limits{Size: int64(l.MaxSize), Age: l.MaxAge, Keep: l.Keep, Total: int64(l.TotalSize)}
}

// logNotice tells that a file cannot be written, or that it can be again.
func logNotice(app string, colour switcher.Colour, path string, err error) switcher.Notice {
	n := switcher.Notice{
		Kind: switcher.NoticeLogs, Time: time.Now(), App: app, Colour: colour, Subject: path, Over: err == nil,
	}
	var failed *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		n.Cause = "the disk is full"
	case errors.As(err, &failed):
		n.Cause = fmt.Sprintf("%s: %v", failed.Op, failed.Err)
	case err != nil:
		n.Cause = err.Error()
	}
	return n
}

// lost returns how many lines each file has lost.
func (l *appLogs) lost() map[string]int64 {
	lost := map[string]int64{}
	for _, colour := range switcher.Colours() {
		lost["access-"+string(colour)+".log"] = l.access[colour].Lost()
	}
	return lost
}

// handler is switcher.Options.AccessLog.
func (l *appLogs) handler(route switcher.RouteName, slot switcher.Colour, release string) slog.Handler {
	file := l.access[slot]
	if file == nil { // before the first deploy there is no slot
		return nil
	}
	return slog.NewJSONHandler(file, nil).WithAttrs([]slog.Attr{
		slog.String("app", l.app), slog.String("route", string(route)),
		slog.String("colour", string(slot)), slog.String("release", release),
	})
}

// collecting makes a runtime the one whose instances are followed.
func (l *appLogs) collecting(runtime switcher.Runtime) switcher.Runtime {
	if runtime == nil {
		return nil
	}
	return l.output.Through(runtime)
}

// run writes the files until ctx ends.
func (l *appLogs) run(ctx context.Context) error {
	var group errgroup.Group
	for _, file := range l.access {
		group.Go(func() error { return file.Run(ctx) })
	}
	group.Go(func() error { return l.output.Run(ctx) })
	return group.Wait()
}

// readLogs answers a query of the admin API.
func (e *edge) readLogs(ctx context.Context, app string, q admin.LogQuery, a admin.LogAnswer) error {
	c := e.current()
	query := collect.Query{Lines: q.Lines, Since: q.Since, Follow: q.Follow}
	for _, colour := range switcher.Colours() {
		if q.Colour == "" || q.Colour == colour {
			query.Paths = append(query.Paths, logPath(c, app, colour, q.Access))
		}
	}
	return collect.Read(ctx, query, collect.Answer(a))
}
