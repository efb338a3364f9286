package logfile

import "log/slog"

// Options make a log file.
type Options struct {
	Limits Limits
	// Logger is told when writing begins to fail, and when it works again; nil
	// means silence.
	Logger *slog.Logger
	// Failed is called with the error when writing begins to fail, and with nil
	// when it works again, and at the first write: an earlier process may have told
	// of a failure. It must not block; nil tells nobody.
	Failed func(error)
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	return o
}
