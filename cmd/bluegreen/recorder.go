package main

import (
	"time"

	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// recorders is switcher.Options.Recorder of an app.
func recorders(m *metrics.Metrics, app string) func(switcher.RouteName, switcher.Colour, string) proxy.Recorder {
	return func(route switcher.RouteName, slot switcher.Colour, release string) proxy.Recorder {
		return recorder{m.Route(app, string(route), string(slot), release)}
	}
}

// inVain is how long a client has waited for an answer when its leaving may be
// the fault of the release.
const inVain = time.Second

// recorder translates what the proxy has seen of a route.
type recorder struct{ route *metrics.Route }

// Request says something of the release if its backend was asked and neither
// the client nor the edge has ended it. A client that waited in vain is counted apart.
func (r recorder) Request(o proxy.Observation) {
	q := metrics.Request{
		Method: o.Method, Status: o.Status, Duration: o.Duration - o.Held, FirstByte: o.FirstByte - o.Held,
		BytesIn: o.BytesIn, BytesOut: o.BytesOut, Retries: o.Retries, Failure: int(o.Failure), Lasting: o.Lasting,
		Counts: o.Proxied && (o.Failure == proxy.FailureNone || o.Failure.Upstream()),
	}
	if o.Path != "" {
		r.route.PathRequest(o.Path, &q)
		return
	}
	q.Error = q.Counts && (q.Status >= 500 || o.Failure.Upstream())
	q.Abandoned = o.Proxied && o.Failure == proxy.FailureClientGone && q.Status == 0 && q.Duration >= inVain
	r.route.Request(&q)
}

func (r recorder) UpgradeBegin(path string) {
	if path == "" {
		r.route.UpgradeBegin()
	}
}

func (r recorder) UpgradeEnd(o proxy.UpgradeObservation) {
	if o.Path == "" {
		r.route.UpgradeEnd(metrics.Upgrade{Duration: o.Duration, BytesIn: o.BytesIn, BytesOut: o.BytesOut, Cut: o.Cut})
	}
}
