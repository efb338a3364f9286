package proxy

import "time"

// Recorder observes the requests of a route. An implementation resolves its
// handles ahead of the requests, one Recorder per Route, and must not block,
// allocate or keep locks: it is called on the request path, from many
// goroutines at once.
type Recorder interface {
	// Request is called once for each request that was answered or given
	// up, for a refused WebSocket handshake, and at the end of an event
	// stream. Probes of the edge itself are no traffic.
	Request(Observation)
	// UpgradeBegin is called when a WebSocket is established (status 101);
	// path is as in Observation.
	UpgradeBegin(path string)
	// UpgradeEnd is called when it has ended.
	UpgradeEnd(UpgradeObservation)
}

// Observation is what is known about a request at its end.
type Observation struct {
	// Method is the client's, which may be any token: map it to known names
	// before using it as a label.
	Method string
	// Status is what the client got; 0 when nothing was written.
	Status int
	// Duration is from the end of the request header to the end of the
	// response.
	Duration time.Duration
	// FirstByte is from the end of the request header to the response
	// header; 0 when nothing was written.
	FirstByte time.Duration
	// Held is the part of both in which a pause kept the request waiting.
	Held time.Duration
	// BytesIn and BytesOut count body bytes from and to the client.
	BytesIn, BytesOut int64
	// Retries is how many attempts to reach the backend there were after the
	// first.
	Retries int
	// Proxied says that the request was taken to a backend, rather than
	// answered by the edge itself.
	Proxied bool
	// Lasting says that the response was a stream of server-sent events,
	// which lasts as a WebSocket does.
	Lasting bool
	// Path is the path route that served the request; empty: none, so that
	// it tells something about the release.
	Path string
	// Failure says what went wrong, if anything did.
	Failure Failure
}

// UpgradeObservation is what is known about a WebSocket at its end.
type UpgradeObservation struct {
	// Duration is from the request to the end of the connection.
	Duration time.Duration
	// BytesIn and BytesOut count bytes from and to the client.
	BytesIn, BytesOut int64
	// Path is as in Observation.
	Path string
	// Cut says that a drain or a shutdown ended it.
	Cut bool
}

// Failure says why a request was not served in full.
type Failure uint8

// The failures. FailureDial to FailureBody are the backend's.
const (
	// FailureNone: the request was answered in full, by a backend or by the
	// edge itself.
	FailureNone Failure = iota
	// FailureDial: no connection to the backend.
	FailureDial
	// FailureReset: the backend broke the connection before it answered, or
	// answered with something that is not HTTP.
	FailureReset
	// FailureTimeout: no response header in time.
	FailureTimeout
	// FailureBody: the backend broke off in the middle of its response.
	FailureBody
	// FailureNoBackend: the route has no backend.
	FailureNoBackend
	// FailureDrained: a drain ended the request, or a drain or a shutdown
	// the event stream.
	FailureDrained
	// FailureDenied: the policy of the route refused the client.
	FailureDenied
	// FailureClientGone: the client went away.
	FailureClientGone
	// FailureClientSlow: the client sent or read nothing for too long.
	FailureClientSlow
	// FailureRateLimited: the client sent more requests than the route
	// allows.
	FailureRateLimited
	// FailureTooLarge: the body of the request is larger than the route
	// allows.
	FailureTooLarge
	// FailureHeld: a pause had no place left to wait, or the edge stopped
	// while the request waited.
	FailureHeld
	// FailureMaintenance: the route shows a page instead of the backend.
	FailureMaintenance
	// FailureMalformed: the body of the request is not what its framing
	// promised.
	FailureMalformed
	// FailureAmbiguous: the path of the request can be read as that of two
	// places.
	FailureAmbiguous
	// FailureReadOnly: the route takes nothing that may write.
	FailureReadOnly
)

// Upstream reports whether the failure is the backend's.
func (f Failure) Upstream() bool { return f >= FailureDial && f <= FailureBody }

var failureNames = [...]string{
	"none", "dial", "reset", "timeout", "body", "no_backend", "drained", "denied", "client_gone", "client_slow",
	"rate_limited", "too_large", "held", "maintenance", "malformed", "ambiguous",
	"read_only",
}

// Failures lists all of them, in the order of their values.
func Failures() []Failure {
	all := make([]Failure, len(failureNames))
	for i := range all {
		all[i] = Failure(i)
	}
	return all
}

// String returns a short name that is fit for a metric label.
func (f Failure) String() string {
	if int(f) < len(failureNames) {
		return failureNames[f]
	}
	return "unknown"
}
