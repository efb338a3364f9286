package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxLoggedPath  = 1024
	maxLoggedAgent = 256
)

// logged is what the access log says of a request that the flight does not
// need for anything else. The query is left out: it may hold secrets.
type logged struct{ host, path, proto, agent string }

func loggedOf(r *http.Request) logged {
	l := logged{host: r.Host, path: cmp.Or(r.URL.RawPath, r.URL.Path), proto: r.Proto}
	if agent := r.Header["User-Agent"]; len(agent) > 0 {
		l.agent = agent[0]
	}
	return l
}

// keep makes copies, so that a WebSocket does not hold the header it came with.
func (l *logged) keep() {
	l.host, l.path, l.agent = strings.Clone(l.host), strings.Clone(l.path), strings.Clone(l.agent)
}

// bounded cuts s; the log's writer escapes what a cut rune leaves.
func bounded(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

// attributes are the fields of one access log line. They are lent from a pool,
// as a group without a name, since a slog.Record has room for five only.
type attributes [17]slog.Attr

var attributesPool = sync.Pool{New: func() any { return new(attributes) }}

// logAccess writes the line of a request or WebSocket that has ended. Probes
// of the edge itself are no traffic.
func (f *flight) logAccess(duration time.Duration, bytesIn, bytesOut int64) {
	h := f.route.AccessLog
	if h == nil || f.probe {
		return
	}
	a := attributesPool.Get().(*attributes)
	defer attributesPool.Put(a)
	fields := append(a[:0],
		slog.String("method", bounded(f.method, 16)),
		slog.String("host", bounded(f.logged.host, maxLoggedAgent)),
		slog.String("path", bounded(f.logged.path, maxLoggedPath)),
		slog.String("proto", f.logged.proto),
		slog.Int("status", f.status),
		slog.Int64("duration_us", duration.Microseconds()),
		slog.Int64("first_byte_us", f.firstByte.Microseconds()),
		slog.Int64("bytes_in", bytesIn),
		slog.Int64("bytes_out", bytesOut),
		slog.String("client", f.clientText()),
		slog.String("request", f.id),
		slog.String("agent", bounded(f.logged.agent, maxLoggedAgent)),
	)
	if f.held > 0 {
		fields = append(fields, slog.Int64("held_us", f.held.Microseconds()))
	}
	if f.trace != nil {
		context := f.trace.context()
		fields = append(fields, slog.String("trace_id", context.trace()), slog.String("span_id", context.span()))
	}
	if f.path != nil {
		fields = append(fields, slog.String("path_route", f.path.Path))
	}
	if f.failure != FailureNone {
		fields = append(fields, slog.String("failure", f.failure.String()))
	}
	r := slog.NewRecord(f.start.Add(duration), slog.LevelInfo, "request", 0)
	r.AddAttrs(slog.Attr{Value: slog.GroupValue(fields...)})
	// There is nobody to be told: what writes the log says itself when it cannot.
	_ = h.Handle(context.Background(), r)
}
