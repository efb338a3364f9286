package proxy

import (
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp/writer/gzkp"
	"github.com/klauspost/compress/gzhttp/writer/zstdkp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// mostEncoders is how many responses are compressed at once. An encoder holds
// about a megabyte until the client has read everything; beyond this number
// responses go out as they are.
const mostEncoders = 256

// leastCompressed is the size from which compressing is worth it: what is
// smaller fits into one packet either way.
const leastCompressed = 1 << 10

// compressed is the http.ResponseWriter of a request on a route with
// compression. What to do is decided once, from the header of the response, so
// that nothing has to be held back and every flush passes through.
type compressed struct {
	*flight
	request *http.Request
	encoder encoder // nil: the response passes as it is
	taken   int64   // bytes to be encoded
}

// encoder is a content coding (RFC 9110 §8.4.1) at work.
type encoder interface {
	io.WriteCloser
	Flush() error
}

// WriteHeader decides whether the response is compressed. Responses that would
// be for another client say so in Vary.
func (c *compressed) WriteHeader(status int) {
	h := c.Header()
	switch {
	case status < 200:
	case status == http.StatusNotModified:
		vary(h)
		if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) && strings.Contains(c.request.Header.Get("If-None-Match"), "W/"+tag) {
			h.Set("Etag", "W/"+tag) // as the client knows it
		}
	case worthCompressing(status, h) && !noTransform(c.request.Header):
		vary(h)
		if c.request.Method != http.MethodHead {
			c.begin(h)
		}
	}
	c.flight.WriteHeader(status)
}

// begin starts the coding that the client prefers, if it accepts one. The
// entity tag becomes a weak one, for it no longer promises certain bytes
// (RFC 9110 §8.8.1).
func (c *compressed) begin(h http.Header) {
	coding := preferredCoding(c.request.Header["Accept-Encoding"])
	if coding == "" {
		return
	}
	if c.server.encoders.Add(1) > mostEncoders {
		c.server.encoders.Add(-1)
		return
	}
	switch coding {
	case "zstd":
		h.Set("Content-Encoding", "zstd")
		c.encoder = zstdkp.NewWriter(c.flight, int(zstd.SpeedFastest))
	case "gzip":
		h.Set("Content-Encoding", "gzip")
		c.encoder = gzkp.NewWriter(c.flight, gzip.DefaultCompression)
	}
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", "W/"+tag)
	}
}

func (c *compressed) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if c.encoder == nil {
		return c.flight.Write(p)
	}
	n, err := c.encoder.Write(p)
	c.taken += int64(n)
	return n, err
}

// FlushError serves http.ResponseController.
func (c *compressed) FlushError() error {
	if c.encoder != nil {
		if err := c.encoder.Flush(); err != nil {
			return err
		}
	}
	return c.flight.FlushError()
}

// end writes what completes the coding. A response that breaks off does not
// get there: it must not look whole.
func (c *compressed) end() error {
	if c.encoder == nil {
		return nil
	}
	return c.encoder.Close()
}

// release makes room for another encoder, at the end of the request.
func (c *compressed) release() {
	if c.encoder != nil {
		c.server.encoders.Add(-1)
	}
}

// compressor returns the writer of a response that may be compressed. Tags of
// compressed responses come back weak; for If-Match, which compares strongly,
// the backend gets its own again, or no update could ever be made safe by it.
func (f *flight) compressor(r *http.Request) *compressed {
	for i, line := range r.Header["If-Match"] {
		r.Header["If-Match"][i] = strongTags(line)
	}
	return &compressed{flight: f, request: r}
}

// strongTags returns a list of entity tags with the weak ones made strong. What
// looks like the mark of a weak one may end another tag.
func strongTags(list string) string {
	var strong strings.Builder
	quoted := false
	for i := 0; i < len(list); i++ {
		if !quoted && strings.HasPrefix(list[i:], `W/"`) {
			i += len("W/")
		}
		if list[i] == '"' {
			quoted = !quoted
		}
		strong.WriteByte(list[i])
	}
	return strong.String()
}

// worthCompressing reports whether a response may and should be compressed.
func worthCompressing(status int, h http.Header) bool {
	switch {
	case status == http.StatusNoContent, status == http.StatusResetContent, status == http.StatusPartialContent,
		h.Get("Content-Encoding") != "", h.Get("Content-Range") != "", noTransform(h):
		return false
	}
	for _, digest := range [...]string{"Content-Digest", "Repr-Digest", "Digest", "Content-Md5"} {
		if len(h[digest]) > 0 {
			return false // it is of the bytes as they are
		}
	}
	return isLongEnough(h.Get("Content-Length")) && isCompressible(h.Get("Content-Type"))
}

// isLongEnough takes an unknown length for a long one. Lengths have no leading
// zeros worth a thought: four digits are 1000 at least.
func isLongEnough(length string) bool {
	return length == "" || len(length) > 4 || len(length) == 4 && length >= "1024"
}

// noTransform reports whether the sender wants the content left alone
// (RFC 9111 §5.2.2.6).
func noTransform(h http.Header) bool { return hasToken(h["Cache-Control"], "no-transform") }

// vary says that the response depends on Accept-Encoding.
func vary(h http.Header) {
	if !hasToken(h["Vary"], "Accept-Encoding") && !hasToken(h["Vary"], "*") {
		h.Add("Vary", "Accept-Encoding")
	}
}

// isCompressible reports whether content of a type gets smaller. Event streams
// do not: each event is flushed, and some clients do not expect it.
func isCompressible(contentType string) bool {
	if isEventStream(contentType) {
		return false
	}
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	family, name, _ := strings.Cut(kind, "/")
	if family == "text" || strings.HasSuffix(name, "+json") || strings.HasSuffix(name, "+xml") || strings.HasSuffix(name, "+text") {
		return true
	}
	switch kind {
	case "application/json", "application/javascript", "application/x-javascript", "application/ecmascript", "application/xml",
		"application/x-ndjson", "application/json-seq", "application/graphql", "application/yaml", "application/x-yaml", "application/toml",
		"application/sql", "application/rtf", "application/wasm", "application/vnd.ms-fontobject", "application/x-font-ttf",
		"font/ttf", "font/otf", "font/collection", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon":
		return true
	}
	return false
}

// preferredCoding returns zstd or gzip, whichever the client values more, or
// nothing (RFC 9110 §12.5.3). Of equals it is zstd, which costs less.
func preferredCoding(lines []string) string {
	weights := [...]float64{-1, -1} // zstd, gzip
	others := 0.0
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(entry, ";")
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, "zstd"):
				weights[0] = quality(params)
			case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
				weights[1] = quality(params)
			case name == "*":
				others = quality(params)
			}
		}
	}
	for i := range weights {
		if weights[i] < 0 {
			weights[i] = others
		}
	}
	switch {
	case weights[0] <= 0 && weights[1] <= 0:
		return ""
	case weights[0] >= weights[1]:
		return "zstd"
	default:
		return "gzip"
	}
}
