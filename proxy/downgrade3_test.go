package proxy

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// HTTP/3 says what HTTP/2 does (RFC 9114 §4.3). quic-go refuses most of what is
// malformed by itself; these are what its client lets through.
func TestNothingAmbiguousGoesUpstreamFromHTTP3(t *testing.T) {
	for name, c := range map[string]struct {
		method   string
		url      url.URL
		header   http.Header
		body     string
		status   int
		upstream []string
	}{
		"plain":                          {"GET", url.URL{Path: "/"}, nil, "", 200, []string{"GET /"}},
		"a body":                         {"POST", url.URL{Path: "/"}, nil, "hello", 200, []string{"POST / hello"}},
		"a body that looks chunked":      {"POST", url.URL{Path: "/"}, nil, "0\r\n\r\n" + strings.TrimSpace(hidden), 200, []string{"POST / 0\r\n\r\n" + strings.TrimSpace(hidden)}},
		"a query with a space":           {"GET", url.URL{Path: "/", RawQuery: "a HTTP/1.1"}, nil, "", 400, nil},
		"a fragment in the query":        {"GET", url.URL{Path: "/", RawQuery: "a#b"}, nil, "", 400, nil},
		"a letter beyond ASCII":          {"GET", url.URL{Path: "/", RawQuery: "q=ó"}, nil, "", 200, []string{"GET /?q=%C3%B3"}},
		"x_forwarded_for":                {"GET", url.URL{Path: "/"}, http.Header{"X_forwarded_for": {"forged"}}, "", 200, []string{"GET /"}},
		"transfer_encoding":              {"POST", url.URL{Path: "/"}, http.Header{"Transfer_encoding": {"forged"}}, "hello", 200, []string{"POST / hello"}},
		"a trailer that is a host":       {"POST", url.URL{Path: "/"}, http.Header{"Trailer": {"Host"}}, "hello", 200, []string{"POST / hello"}},
		"TRACE":                          {"TRACE", url.URL{Path: "/"}, nil, "", 405, nil},
		"an asterisk for OPTIONS":        {"OPTIONS", url.URL{Path: "*"}, nil, "", 204, nil},
		"an expectation of 100-continue": {"POST", url.URL{Path: "/"}, http.Header{"Expect": {"100-continue"}}, "hello", 200, []string{"POST / hello"}},
	} {
		t.Run(name, func(t *testing.T) {
			backend := startStrictBackend(t)
			target := backendAt(t, backend.listener.Addr().String())
			e := startEdge3(t, target)
			c.url.Scheme, c.url.Host = "https", appHost
			r := (&http.Request{Method: c.method, URL: &c.url, Header: c.header, Host: appHost}).WithContext(t.Context())
			if r.Header == nil {
				r.Header = http.Header{}
			}
			if c.body != "" {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
			}
			response, err := e.client3().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			_ = e.stop()
			target.Close()
			backend.stop()
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d", response.StatusCode, c.status)
			}
			backend.verify(t, c.upstream)
		})
	}
}
