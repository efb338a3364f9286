package probe

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// GRPCHealth is the path of gRPC's health checking protocol. A target with it
// is asked as that protocol says, for the health of the whole server.
const GRPCHealth = "/grpc.health.v1.Health/Check"

// grpcPrefix is what stands before a gRPC message: not compressed, its length.
const grpcPrefix = 5

func (t Target) isGRPC() bool { return t.Path == GRPCHealth }

// askHTTP2 sends one request over conn in HTTP/2, reads the whole answer and
// closes conn. The body of the answer has been read and can be read again.
func (t Target) askHTTP2(ctx context.Context, conn net.Conn, header http.Header) (*http.Response, error) {
	defer conn.Close()
	uri, err := url.ParseRequestURI(cmp.Or(t.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("%q is no path to ask for", t.path())
	}
	// The connection has its TLS already, if any.
	uri.Scheme, uri.Host = "http", t.Host
	header.Set("User-Agent", UserAgent)
	request := (&http.Request{Method: http.MethodGet, URL: uri, Host: t.Host, Header: header}).WithContext(ctx)
	if t.isGRPC() {
		request.Method = http.MethodPost
		request.Body = io.NopCloser(bytes.NewReader(make([]byte, grpcPrefix))) // the empty message
		request.ContentLength = -1
		header.Set("Content-Type", "application/grpc")
		header.Set("Te", "trailers")
	}
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// judgeGRPC looks for status OK and the one field of a HealthCheckResponse.
func judgeGRPC(answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", GRPCHealth, answer.StatusCode)
	}
	// Without a message it is in the header.
	if code := cmp.Or(answer.Trailer.Get("Grpc-Status"), answer.Header.Get("Grpc-Status")); code != "0" {
		return fmt.Errorf("%s answered with grpc-status %q", GRPCHealth, code)
	}
	message, err := io.ReadAll(answer.Body)
	serving := []byte{0, 0, 0, 0, 2, 1 << 3, 1}
	if err != nil || !bytes.Equal(message, serving) {
		return fmt.Errorf("%s does not say SERVING", GRPCHealth)
	}
	return nil
}
