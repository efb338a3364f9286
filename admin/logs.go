package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// LogQuery says which log lines of an app are wanted.
type LogQuery struct {
	Colour switcher.Colour // of the slot; empty: both, merged by time
	Access bool            // those of requests instead of those of instances
	Lines  int             // at most so many, the newest; 0: all
	Since  time.Time       // none that are older; zero: from the beginning
	Follow bool            // go on with what is written
}

// LogAnswer takes the answer to a LogQuery: Line every line, which is its only
// until it returns, Idle is called when no further line is there for the moment.
type LogAnswer struct {
	Line func(line []byte) error
	Idle func() error
}

// values is the query as it is asked for.
func (q LogQuery) values() url.Values {
	v := url.Values{"lines": {strconv.Itoa(q.Lines)}}
	if q.Colour != "" {
		v.Set("colour", string(q.Colour))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Access {
		v.Set("access", "true")
	}
	if q.Follow {
		v.Set("follow", "true")
	}
	return v
}

// parseLogs reads a LogQuery; since is a time (RFC 3339) or how long ago that
// was, such as 10m.
func parseLogs(query url.Values, now time.Time) (q LogQuery, err error) {
	q.Lines = 100
	if query.Get("since") != "" {
		q.Lines = 0
	}
	for name := range query {
		value, bad := query.Get(name), error(nil)
		switch name {
		case "colour":
			q.Colour = switcher.Colour(value)
			bad = checkColour(q.Colour)
		case "lines":
			q.Lines, bad = strconv.Atoi(value)
			if bad == nil && (q.Lines < 0 || q.Lines > MaxLogLines) {
				bad = fmt.Errorf("it is a number up to %d, 0 means all", MaxLogLines)
			}
		case "since":
			q.Since, bad = ParseSince(value, now)
		case "follow":
			q.Follow, bad = strconv.ParseBool(value)
		case "access":
			q.Access, bad = strconv.ParseBool(value)
		default:
			return q, wrong(http.StatusBadRequest, "", fmt.Sprintf("unknown parameter %q", name))
		}
		if bad != nil {
			return q, wrong(http.StatusBadRequest, "", fmt.Sprintf("%s %q: %v", name, value, bad))
		}
	}
	return q, nil
}

// MaxLogLines is how many of the newest lines can be asked for; all have no limit.
const MaxLogLines = 1_000_000

// ParseSince reads a time (RFC 3339), or how long before now it was, such as 10m.
func ParseSince(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, errors.New("write it like 10m, or as a time like 2026-11-24T14:00:00Z")
	}
	return now.Add(-ago), nil
}

// readLogs streams log lines as they are in the files, a JSON object a line. A
// stream that breaks off ends without its last chunk, so that its client knows.
func (s *Server) readLogs(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	q, err := parseLogs(r.URL.Query(), time.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeStream)
	out := http.NewResponseController(w)
	lines := bufio.NewWriterSize(w, 64<<10)
	idle := func() error {
		if err := lines.Flush(); err != nil {
			return err
		}
		return out.Flush()
	}
	err = s.options.Logs(r.Context(), app.Name(), q, LogAnswer{
		Line: func(line []byte) error {
			if lines.Available() <= len(line) {
				_ = out.SetWriteDeadline(time.Now().Add(30 * time.Second))
			}
			_, _ = lines.Write(line)
			return lines.WriteByte('\n')
		},
		Idle: func() error {
			_ = out.SetWriteDeadline(time.Now().Add(30 * time.Second))
			return idle()
		},
	})
	if err != nil {
		s.log.Debug("admin: a stream of log lines ended", "app", app.Name(), "error", err)
		panic(http.ErrAbortHandler)
	}
	_ = lines.Flush()
	return nil
}

// Logs passes on log lines of an app, oldest first, each without its end. With
// Follow it returns only with an error, or when ctx ends.
func (c *Client) Logs(ctx context.Context, app string, q LogQuery, tell func(line []byte) error) error {
	answer, err := c.ask(ctx, http.MethodGet, path(app, "logs")+"?"+q.values().Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for lines := bufio.NewReaderSize(answer.Body, 64<<10); ; {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == nil:
			if err := tell(line[:len(line)-1]); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == io.EOF && len(line) == 0 && !q.Follow:
			return nil
		default:
			return &switcher.Error{
				Code: switcher.CodeUnreachable, What: "the edge went away while it told log lines",
				Hint: "is it running? systemctl status bluegreen", Err: err,
			}
		}
	}
}
