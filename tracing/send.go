package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// attempts are how often a batch is sent at most, firstRetry is the wait
	// before the second, which doubles, and longestRetry what a collector may
	// ask for instead.
	attempts     = 5
	firstRetry   = time.Second
	longestRetry = 30 * time.Second

	sendTimeout  = 10 * time.Second // the default of OTLP exporters
	mostResponse = 64 << 10
	mostMessage  = 200
	contentType  = "application/x-protobuf"
)

var (
	errQueue    = errors.New("the queue is full: more is recorded than the collector takes")
	errStopped  = errors.New("the edge has stopped")
	errRejected = errors.New("the collector rejects them")
)

// refusal is an answer of a collector that does not take a batch.
type refusal struct {
	status int
	after  time.Duration // that it wants to be left alone
}

func (r *refusal) Error() string { return fmt.Sprintf("the collector answers %d", r.status) }

// retryable reports whether the answer asks for another attempt (OTLP/HTTP,
// failures).
func (r *refusal) retryable() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// newClient returns a client that goes where the configuration says and
// nowhere else, with headers that may be secrets.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: sendTimeout, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       sendTimeout,
	}
}

// encode returns the body of an ExportTraceServiceRequest. Its type comes with
// gRPC; that of TracesData is the same on the wire.
func (e *Exporter) encode(batch []*recorded) ([]byte, error) {
	spans := make([]*trace.Span, len(batch))
	for i, r := range batch {
		spans[i] = r.span()
	}
	return proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   e.resource,
		ScopeSpans: []*trace.ScopeSpans{{Scope: e.scope, Spans: spans}},
	}}})
}

// send makes one attempt, and returns how many spans the collector did not
// want. No error holds more of the target than its host.
func (e *Exporter) send(ctx context.Context, t *Target, body []byte) (rejected int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(t.Endpoint, "/")+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the endpoint is not a URL")
	}
	for name, value := range t.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("User-Agent", "bluegreen/"+e.scope.GetVersion())
	response, err := e.client.Do(request)
	if err != nil {
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err
		}
		return 0, fmt.Errorf("sending to %s: %w", request.URL.Host, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, mostResponse))
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return 0, &refusal{response.StatusCode, retryAfter(response.Header.Get("Retry-After"))}
	case err != nil || response.Header.Get("Content-Type") != contentType:
		return 0, nil // it has taken them
	}
	return rejectedSpans(answer), nil
}

// retryAfter reads a Retry-After (RFC 9110 §10.2.3), which collectors give in
// seconds.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRetry)
}

// pause is how long to wait before the next attempt; 0 makes none.
func (e *Exporter) pause(attempt int, err error) time.Duration {
	var refused *refusal
	switch {
	case err == nil, attempt == attempts-1:
		return 0
	case errors.As(err, &refused) && !refused.retryable():
		return 0
	case refused != nil && refused.after > 0:
		return refused.after
	}
	wait := e.firstRetry << attempt
	return wait/2 + rand.N(wait)
}

// rejectedSpans returns rejected_spans of the partial_success of an
// ExportTraceServiceResponse, whose type comes with gRPC; 0 when it cannot be
// read.
func rejectedSpans(response []byte) int64 {
	partial, _ := field(response, 1)
	_, rejected := field(partial, 1)
	return int64(rejected) //nolint:gosec // an int64 on the wire
}

// field returns the value of a field of a message, by its wire type.
func field(message []byte, number protowire.Number) (content []byte, value uint64) {
	for len(message) > 0 {
		found, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(found, kind, message)
		if size < 0 {
			return nil, 0
		}
		if found == number {
			switch kind {
			case protowire.BytesType:
				content, _ = protowire.ConsumeBytes(message)
			case protowire.VarintType:
				value, _ = protowire.ConsumeVarint(message)
			}
		}
		message = message[size:]
	}
	return content, value
}
