package config

import (
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Tracing sends a span of each sampled request to a collector, as OTLP over HTTP. Without it nothing is recorded, and
// traceparent and tracestate of the client go on untouched.
type Tracing struct {
	// Endpoint is the base URL of the collector, to which /v1/traces is added; required.
	Endpoint string `yaml:"endpoint" jsonschema:"required"`
	// Sample is the part of the requests that is recorded, from 0 to 1; default 0.01. What a trusted proxy has begun to
	// record is always recorded.
	Sample Sample `yaml:"sample"`
	// Headers go with every request to the collector, such as Authorization.
	Headers Headers `yaml:"headers"`
}

// Sample is a part of all requests. In the file it is a number from 0 to 1.
type Sample float64

// Headers maps the names of header fields to their values.
type Headers map[string]HeaderValue

// HeaderValue may be a secret: printing it shows nothing.
type HeaderValue string

// String hides the value.
func (HeaderValue) String() string { return hidden }

// GoString hides the value.
func (HeaderValue) GoString() string { return hidden }

// MarshalText hides the value.
func (HeaderValue) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// decodeNode reads a number from 0 to 1.
func (s *Sample) decodeNode(d *decoder, n *yaml.Node, key string) {
	v, ok := d.scalar(n, key)
	if !ok {
		return
	}
	number, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.IsNaN(number) || number < 0 || number > 1 || !v.is("!!int", "!!float") {
		d.node(n, key, "must be the part of the requests that is recorded, from 0 to 1, such as 0.01, is %s", quote(n.Value))
		return
	}
	*s = Sample(number)
}

// tokenSigns are what a field name may have besides letters and digits (RFC 9110 §5.6.2).
const tokenSigns = "!#$%&'*+-.^_`|~"

// ownHeaders are the fields that belong to the request itself.
var ownHeaders = []string{"content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "host", "user-agent"}

// decodeNode reads a map from names to values. No text it reports contains a value.
func (h *Headers) decodeNode(d *decoder, n *yaml.Node, key string) {
	*h = Headers{}
	if !d.wants(n, key, yaml.MappingNode) {
		return
	}
	taken := map[string]bool{}
	for _, e := range d.entries(n, key) {
		name, path := e.key.Value, join(key, e.key.Value)
		d.note(path, e.key, e.value)
		folded := strings.ToLower(name)
		switch {
		case name == "" || strings.Trim(folded, "abcdefghijklmnopqrstuvwxyz0123456789"+tokenSigns) != "":
			d.node(e.key, path, "is not the name of a header field")
		case slices.Contains(ownHeaders, folded):
			d.node(e.key, path, "is set by bluegreen itself: remove it")
		case taken[folded]:
			d.node(e.key, path, "is given twice, for upper and lower case are the same: keep one of them")
		}
		taken[folded] = true
		value, ok := d.text(resolve(e.value), path)
		if ok && strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			d.node(e.value, path, "has a line break or another control character: remove it, and look at the end of the variable if it comes from one")
		}
		(*h)[name] = HeaderValue(value)
	}
}

// validateTracing checks where spans go. No text contains the endpoint, which may come from a variable.
func validateTracing(t *Tracing, r *report) {
	if !r.at.given("tracing") {
		return
	}
	required(r, "tracing.endpoint", t.Endpoint, "name the collector, such as http://127.0.0.1:4318, or remove tracing")
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.key("tracing.endpoint", "must be an http or https URL without a user and a query, such as http://127.0.0.1:4318; what proves who you are goes into tracing.headers")
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/traces"):
		r.key("tracing.endpoint", "must be the base URL: leave out /v1/traces, which is added")
	case u.Scheme == "http" && len(t.Headers) > 0 && !isNearHost(u.Hostname()):
		r.key("tracing.endpoint", "must be https where headers are given, for they would pass the network in the clear; http is for loopback and private addresses")
	}
}

func isNearHost(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && isNear(address)
}
