// Package proxy is the request path of the edge: it accepts connections, finds
// the service of a host, counts each request on the backend it goes to,
// forwards it and waits for what is in flight when a backend is taken out.
//
// The life of a request is: host table → service → acquire → forward →
// release. Between those steps no lock is held for more than a few
// assignments; a route is changed by one atomic pointer store.
//
// It must not know Docker, the disk, Prometheus, OpenTelemetry, or what a
// colour means: a route's label is opaque here.
package proxy
