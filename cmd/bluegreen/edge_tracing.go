package main

import (
	"os"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/tracing"
)

// newTracing returns what sends the spans of an edge.
func newTracing(o edgeOptions) *tracing.Exporter {
	host, _ := os.Hostname() // empty when nobody knows it
	return tracing.New(tracing.Options{Target: traceTarget(o.Config), Version: o.Version, Host: host, Logger: o.Logger})
}

// traceTarget is where a configuration wants spans to go; nil: nowhere.
func traceTarget(c *config.Config) *tracing.Target {
	if c.Tracing.Endpoint == "" {
		return nil
	}
	t := &tracing.Target{Endpoint: c.Tracing.Endpoint, Sample: float64(c.Tracing.Sample), Headers: map[string]string{}}
	for name, value := range c.Tracing.Headers {
		t.Headers[name] = string(value)
	}
	return t
}

// tracers is switcher.Options.Tracer of an app.
func (e *edge) tracers(app string) func(switcher.RouteName, switcher.Colour, string) proxy.Tracer {
	return func(route switcher.RouteName, slot switcher.Colour, release string) proxy.Tracer {
		if t := e.tracing.Tracer(app, string(route), string(slot), release); t != nil {
			return t
		}
		return nil // and not a nil *tracing.Tracer, which would be a Tracer
	}
}
