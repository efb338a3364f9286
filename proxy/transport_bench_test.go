package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
)

// cannedBackend answers every request with size bytes and costs next to
// nothing itself.
func cannedBackend(b testing.TB, size int) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Length: "+
		strconv.Itoa(size)+"\r\n\r\n"), bytes.Repeat([]byte("x"), size)...)
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		buf := make([]byte, 4<<10)
		for {
			n, err := c.Read(buf)
			if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// BenchmarkRoundTrip compares the exchange on the calling goroutine with the
// one of http.Transport, set up in the same way.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{12, 10 << 10, 1 << 20} {
		backend := NewBackend(BackendOptions{Address: cannedBackend(b, size)})
		b.Cleanup(backend.Close)
		for _, c := range []struct {
			name string
			http.RoundTripper
		}{
			{"own", backend.transport},
			{"net-http", backend.transport.general},
		} {
			b.Run(c.name+"/"+strconv.Itoa(size), func(b *testing.B) { benchmarkRoundTrip(b, c, backend.Address(), size) })
		}
	}
}

func benchmarkRoundTrip(b *testing.B, transport http.RoundTripper, address string, size int) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/some/path?with=query", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{
		"User-Agent":        {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept":            {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Encoding":   {"gzip, deflate, br, zstd"},
		"X-Forwarded-For":   {"192.0.2.7"},
		"X-Forwarded-Host":  {"app.test"},
		"X-Forwarded-Proto": {"https"},
		"X-Real-Ip":         {"192.0.2.7"},
		"X-Request-Id":      {"0123456789abcdef0123456789abcdef"},
	}
	buf := make([]byte, copyBuffer)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		response, err := transport.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, buf)
		if n != int64(size) || err != nil {
			b.Fatalf("%d bytes, %v", n, err)
		}
		_ = response.Body.Close()
	}
}
