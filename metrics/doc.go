// Package metrics counts what happens on the routes of an edge, remembers the
// last two hours of it, and exposes everything to Prometheus. Every metric
// name is in names.go.
//
// Recording a request is a handful of atomic additions to counters that were
// found when its route was made. What is read (figures of a span of time,
// Prometheus's classic and native histograms) is computed when somebody reads.
//
// It must not know what a route leads to, where a figure comes from, or what
// follows from it.
package metrics
