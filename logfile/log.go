package logfile

import (
	"context"
	"time"
)

// Log is a log file that loses nothing: whoever writes to it waits. Any number
// of goroutines may.
type Log struct {
	options Options
	turn    chan struct{} // holds a token while nobody writes
	file    rotated
	failing bool
	worked  bool // once at least
}

// NewLog returns the log file at path. Nothing is opened before it is used.
func NewLog(path string, o Options) *Log {
	o = o.withDefaults()
	l := &Log{options: o, turn: make(chan struct{}, 1), file: rotated{path: path, limits: o.Limits, log: o.Logger}}
	l.turn <- struct{}{}
	return l
}

// Path returns the path of the file.
func (l *Log) Path() string { return l.file.path }

// Mend cuts off what is left of a line whose writer was killed, so that the
// file can be read before anything is written.
func (l *Log) Mend() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if l.file.out != nil {
		return nil // done already
	}
	err := cutTorn(l.file.path)
	if err != nil {
		l.fails(err)
	}
	return err
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Append writes whole lines, all of them or, when it returns an error, none. A
// disk that does not take them is tried again until ctx ends.
func (l *Log) Append(ctx context.Context, lines []byte) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { l.turn <- struct{}{} }()
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := l.file.write(lines)
		if err == nil {
			l.works()
			return nil
		}
		l.fails(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (l *Log) fails(err error) {
	if !l.failing {
		l.options.Logger.Error("log lines wait: the file cannot be written", "file", l.file.path, "error", err)
		l.options.Failed(err)
	}
	l.failing = true
}

func (l *Log) works() {
	if l.failing {
		l.options.Logger.Warn("the log file is written again", "file", l.file.path)
	}
	if l.failing || !l.worked {
		l.options.Failed(nil)
	}
	l.failing, l.worked = false, true
}

// Close waits for whoever writes, and closes the file. A Log can be used again.
func (l *Log) Close() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	return l.file.close()
}
