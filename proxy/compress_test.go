package proxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func compress(p *Policy) { p.Compress = true }

var long = strings.Repeat("a line that repeats itself; ", 200)

// sendsLong sends long with the header fields given.
func sendsLong(fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(long)))
		for i := 0; i < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		_, _ = io.WriteString(w, long)
	}
}

func decoded(t *testing.T, coding, body string) string {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	switch coding {
	case "gzip":
		r, err := gzip.NewReader(from)
		if err != nil {
			t.Fatal(err)
		}
		from = r
	case "zstd":
		r, err := zstd.NewReader(from)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		from = r
	}
	all, err := io.ReadAll(from)
	if err != nil {
		t.Errorf("%s: %v", coding, err)
	}
	return string(all)
}

func TestResponseIsCompressedAsTheClientPrefers(t *testing.T) {
	e := startEdge(t, startBackend(t, sendsLong("Content-Type", "text/html; charset=utf-8", "ETag", `"v1"`, "Accept-Ranges", "bytes", "Vary", "Cookie")))
	e.under(compress)
	for accept, coding := range map[string]string{
		"gzip, deflate, br, zstd": "zstd", "gzip": "gzip", "GZIP;q=0.5, zstd;q=0.4": "gzip", "*": "zstd", "zstd;q=0, *": "gzip",
		"": "", "identity": "", "br": "", "gzip;q=0": "", "*;q=0": "",
	} {
		for _, h2 := range []bool{false, true} {
			response, body := e.get(h2, "https://"+appHost+"/", "Accept-Encoding", accept)
			if got := response.Header.Get("Content-Encoding"); got != coding {
				t.Errorf("%q: coding %q, want %q", accept, got, coding)
			}
			if decoded(t, coding, body) != long {
				t.Errorf("%q: the content changed", accept)
			}
			if got := strings.Join(response.Header["Vary"], ", "); got != "Cookie, Accept-Encoding" {
				t.Errorf("%q: Vary %q", accept, got)
			}
			tag, length, ranges := `"v1"`, int64(len(long)), "bytes"
			if coding != "" {
				tag, length, ranges = `W/"v1"`, int64(len(body)), ""
			}
			if got := response.Header.Get("ETag"); got != tag {
				t.Errorf("%q: ETag %s, want %s", accept, got, tag)
			}
			if response.ContentLength != -1 && response.ContentLength != length || response.Header.Get("Accept-Ranges") != ranges {
				t.Errorf("%q: length %d, Accept-Ranges %q", accept, response.ContentLength, response.Header.Get("Accept-Ranges"))
			}
		}
	}
}

func TestWhatIsNotWorthCompressingPassesUntouched(t *testing.T) {
	for name, fields := range map[string][]string{
		"compressed already": {"Content-Type", "text/css", "Content-Encoding", "br"},
		"an image":           {"Content-Type", "image/png"},
		"an archive":         {"Content-Type", "application/zip"},
		"gRPC":               {"Content-Type", "application/grpc+proto"},
		"no type":            {"Content-Type", ""},
		"no-transform":       {"Content-Type", "text/css", "Cache-Control", "public, no-transform"},
		"a digest":           {"Content-Type", "text/css", "Content-Digest", "sha-256=:x:"},
		"events":             {"Content-Type", "text/event-stream; charset=utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, startBackend(t, sendsLong(append(fields, "ETag", `"v1"`)...)))
			e.under(compress)
			response, body := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip, zstd")
			if body != long || response.Header.Get("ETag") != `"v1"` || response.Header.Get("Vary") != "" {
				t.Errorf("%d bytes, %v", len(body), response.Header)
			}
		})
	}
	t.Run("small", func(t *testing.T) {
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", leastCompressed-1))
		}))
		e.under(compress)
		if response, _ := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip"); response.Header.Get("Content-Encoding") != "" {
			t.Error("was compressed")
		}
	})
	t.Run("off", func(t *testing.T) {
		e := startEdge(t, startBackend(t, sendsLong("Content-Type", "text/css")))
		if response, body := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip"); body != long || response.Header.Get("Vary") != "" {
			t.Errorf("%d bytes, %v", len(body), response.Header)
		}
	})
}

// parts serves long as http.ServeContent does, with ranges and conditions.
func parts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Content-Type", "text/plain")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(long))
}

func TestRangesAndHeadAreNotCompressed(t *testing.T) {
	e := startEdge(t, startBackend(t, parts))
	e.under(compress)
	response, body := e.get(false, "https://"+appHost+"/", "Accept-Encoding", "gzip", "Range", "bytes=5-9")
	if response.StatusCode != http.StatusPartialContent || body != long[5:10] || response.Header.Get("Content-Encoding") != "" {
		t.Errorf("range: %d %q %v", response.StatusCode, body, response.Header)
	}
	for _, h2 := range []bool{false, true} {
		response, body = e.do(h2, http.MethodHead, "https://"+appHost+"/", nil, "Accept-Encoding", "gzip")
		if response.StatusCode != 200 || body != "" || response.Header.Get("Content-Encoding") != "" || response.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("HEAD: %d %q %v", response.StatusCode, body, response.Header)
		}
	}
}

func TestTagOfACompressedResponseStillValidates(t *testing.T) {
	e := startEdge(t, startBackend(t, parts))
	e.under(compress)
	response, _ := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "zstd")
	tag := response.Header.Get("ETag")
	response, body := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "zstd", "If-None-Match", tag)
	if response.StatusCode != http.StatusNotModified || response.Header.Get("ETag") != tag || response.Header.Get("Vary") != "Accept-Encoding" || body != "" {
		t.Errorf("%d, %v, %q", response.StatusCode, response.Header, body)
	}
	for condition, status := range map[string]int{tag: 200, `"v1"`: 200, `"v0", ` + tag: 200, `"v0"`: 412, `"v1W/"`: 412} {
		if response, _ := e.get(true, "https://"+appHost+"/", "If-Match", condition); response.StatusCode != status {
			t.Errorf("If-Match %s: %d, want %d", condition, response.StatusCode, status)
		}
	}
}

func TestStrongTagsKeepsWhatOnlyLooksWeak(t *testing.T) {
	for list, want := range map[string]string{
		``: ``, `*`: `*`, `"a"`: `"a"`, `W/"a"`: `"a"`, `W/"a",W/"b" , "c"`: `"a","b" , "c"`, `"aW/", W/"bW/"`: `"aW/", "bW/"`, `W/`: `W/`,
	} {
		if got := strongTags(list); got != want {
			t.Errorf("%s became %s, want %s", list, got, want)
		}
	}
}

// What the backend flushes arrives, though the coding is not at its end.
func TestFlushesPassThroughCompression(t *testing.T) {
	proceed := make(chan struct{})
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Trailer", "X-Sum")
		_ = http.NewResponseController(w).Flush() // the header alone
		<-proceed
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "{\"line\":%d}\n", i)
			_ = http.NewResponseController(w).Flush()
			<-proceed
		}
		w.Header().Set("X-Sum", "42")
	}))
	e.under(compress)
	for _, coding := range []string{"gzip", "zstd"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/", nil)
		r.Header.Set("Accept-Encoding", coding)
		response, err := e.client(true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		proceed <- struct{}{}
		var from io.Reader
		if coding == "gzip" {
			from, err = gzip.NewReader(response.Body)
		} else {
			from, err = zstd.NewReader(response.Body, zstd.WithDecoderConcurrency(1))
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len("{\"line\":0}\n"))
		for i := range 3 {
			if _, err := io.ReadFull(from, line); err != nil || string(line) != fmt.Sprintf("{\"line\":%d}\n", i) {
				t.Errorf("%s: %q, %v", coding, line, err)
			}
			proceed <- struct{}{}
		}
		if rest, err := io.ReadAll(from); len(rest) > 0 || err != nil {
			t.Errorf("%s: %q, %v", coding, rest, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.Header.Get("Content-Encoding") != coding || response.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%s: %v, trailer %v", coding, response.Header, response.Trailer)
		}
	}
}

// RFC 9112 §8: even to a client that takes the end of the connection for the
// end of the response, for the coding itself is not complete.
func TestBrokenResponseHasNoWholeCoding(t *testing.T) {
	e := startEdge(t, brokenBackend(t, func(c net.Conn) {
		readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	}))
	e.under(compress)
	c := e.dial(appHost)
	c.send("GET / HTTP/1.0", "Host: "+appHost, "Accept-Encoding: gzip", "")
	all, _ := io.ReadAll(c)
	_, body, _ := bytes.Cut(all, []byte("\r\n\r\n"))
	if len(body) > 0 {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%q looks whole", body)
		}
	}
	if o := e.recorder.only(t); o.Failure != FailureBody {
		t.Errorf("recorded %+v", o)
	}
}

func TestOnlySoManyResponsesAreCompressedAtOnce(t *testing.T) {
	e := startEdge(t, startBackend(t, sendsLong("Content-Type", "text/plain")))
	e.under(compress)
	e.encoders.Store(mostEncoders)
	response, body := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip")
	if response.Header.Get("Content-Encoding") != "" || body != long || response.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v", response.Header)
	}
	e.encoders.Store(mostEncoders - 1)
	for range 3 {
		if response, _ := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip"); response.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%v", response.Header)
		}
		eventually(t, "the room is given back", func() bool { return e.encoders.Load() == mostEncoders-1 })
	}
}

func TestErrorPagesPassOnARouteWithCompression(t *testing.T) {
	e := startEdge(t, brokenBackend(t, readHead))
	e.under(compress)
	response, body := e.get(true, "https://"+appHost+"/", "Accept-Encoding", "gzip")
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(body, "502") {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

func TestCompressibleTypes(t *testing.T) {
	for kind, want := range map[string]bool{
		"text/html": true, "TEXT/Plain ; charset=x": true, "application/json": true, "application/problem+json": true, "image/svg+xml": true,
		"application/wasm": true, "font/ttf": true, "text/event-stream": false, "": false, "font/woff2": false, "image/webp": false,
		"video/mp4": false, "application/octet-stream": false, "application/grpc": false, "application/grpc-web+proto": false,
		"multipart/x-mixed-replace": false, "application/gzip": false,
	} {
		if isCompressible(kind) != want {
			t.Errorf("%q: %v", kind, !want)
		}
	}
	for length, want := range map[string]bool{"": true, "0": false, "1023": false, "1024": true, "999": false, "2000": true, "10000": true} {
		if isLongEnough(length) != want {
			t.Errorf("length %q: %v", length, !want)
		}
	}
}
