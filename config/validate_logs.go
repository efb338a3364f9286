package config

import "time"

// validateLogs wants limits that can be kept: a total that has room for each of
// the four files of an app and the newest that was rotated out of it.
func validateLogs(l Logs, r *report) {
	if l.MaxSize < 64<<10 {
		r.key("logs.max_size", "must be at least 64k, is %s", r.shown("logs.max_size", "less"))
	}
	if l.MaxAge < time.Hour {
		r.key("logs.max_age", "must be at least 1h, is %s", r.shown("logs.max_age", l.MaxAge.String()))
	}
	if l.Keep < 1 {
		r.key("logs.keep", "must be at least 1, is %s", r.number("logs.keep", l.Keep))
	}
	if l.TotalSize/8 < l.MaxSize {
		r.key("logs.total_size", "must be at least eight times logs.max_size: an app has four files, and the newest that was rotated out of each is kept")
	}
}
