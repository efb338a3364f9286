// Package tracing sends the spans of requests to a collector, as OTLP over HTTP
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). What cannot be sent is
// dropped: no request and no stop of the edge waits for a collector.
//
// It implements proxy.Tracer, and must not know how a request is served, nor
// which app or release there is: it is told their names.
package tracing
