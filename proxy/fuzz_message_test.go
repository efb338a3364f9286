package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// Whatever net/http and we accept is, once it is written again, one request in
// the eyes of the strict backend.
func FuzzForwardedRequestIsOneStrictRequest(f *testing.F) {
	for _, cases := range ambiguities() {
		for _, c := range cases {
			if len(c.send) < 2000 {
				f.Add([]byte(c.send))
			}
		}
	}
	backend := NewBackend(BackendOptions{Address: "127.0.0.1:1"})
	f.Fuzz(func(t *testing.T, sent []byte) {
		in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
		if err != nil || !servable(in) || in.Method == http.MethodConnect || !unambiguous(in) {
			return
		}
		fl := &flight{route: &Route{Backend: backend}, backend: backend, client: netip.MustParseAddr("127.0.0.1"), id: "id"}
		fl.ctx = flightContext{context.Background(), fl}
		var out *http.Request
		if isWebSocket(in) {
			out = fl.handshakeRequest(in)
		} else {
			out = in.Clone(&fl.ctx)
			if out.ContentLength == 0 {
				out.Body = nil // as ReverseProxy does
			}
			removeHopByHop(out.Header)
			fl.address(out, in)
			out.Trailer, out.Close, out.TransferEncoding = nil, false, nil
		}
		var wire bytes.Buffer
		if out.Write(&wire) != nil {
			return // the body is broken
		}
		reader := bufio.NewReader(bytes.NewReader(wire.Bytes()))
		if _, err := readStrict(reader, io.Discard); err != nil && !errors.Is(err, errCut) {
			t.Fatalf("%q became %q: %v", sent, wire.Bytes(), err)
		}
		if rest, _ := io.ReadAll(reader); len(rest) > 0 {
			t.Fatalf("%q became %q, which goes on with %q", sent, wire.Bytes(), rest)
		}
	})
}

// servable does what http.Server does after http.ReadRequest.
func servable(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.Host == "" || !httpguts.ValidHostHeader(r.Host) {
		return false
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return false
		}
	}
	return true
}

// An id can stand in any log and any field, and is a trusted proxy's or new.
func FuzzRequestID(f *testing.F) {
	for _, id := range []string{"", "abc-123", "a b", "a\"b", "a\nb", "ä", strings.Repeat("x", maxRequestID+1)} {
		f.Add(id, true)
		f.Add(id, false)
	}
	f.Fuzz(func(t *testing.T, told string, trusted bool) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header[requestIDHeader] = []string{told}
		id := requestID(r, trusted)
		if !validID(id) || !httpguts.ValidHeaderFieldValue(id) || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("id %q", id)
		}
		if kept := id == told; kept != (trusted && validID(told)) {
			t.Errorf("told %q, trusted %v: id %q", told, trusted, id)
		}
	})
}

// What is negotiated is always one of the offers, and the first one that a list
// of one exact entry names.
func FuzzNegotiate(f *testing.F) {
	for _, list := range []string{"", "text/html", "*/*;q=0.1, application/json", "es-MX,es;q=0.9,en;q=0.8", "q=;;,", "text/*;q=NaN", "a;q=1e999"} {
		f.Add(list, 0)
	}
	f.Fuzz(func(t *testing.T, list string, otherwise int) {
		for _, offers := range [][]string{formats[:], languageTags[:]} {
			fallback := int(uint(otherwise) % uint(len(offers)))
			if got := negotiate([]string{list}, offers, fallback); !slices.Contains(offers, got) {
				t.Errorf("%q negotiated %q", list, got)
			}
			for _, offer := range offers {
				if got := negotiate([]string{offer, list}, []string{offer}, 0); got != offer {
					t.Errorf("%q alone negotiated %q", offer, got)
				}
			}
		}
	})
}

// A query is unchanged when it is ASCII, and is ASCII afterwards in any case.
func FuzzASCIIQuery(f *testing.F) {
	for _, q := range []string{"", "a=b", "q=canción", "\xff\xfe", "a=%C3%B3&b=ó"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got := asciiQuery(query)
		if strings.ContainsFunc(got, func(c rune) bool { return c >= 0x80 }) {
			t.Errorf("%q became %q", query, got)
		}
		if !strings.ContainsFunc(query, func(c rune) bool { return c >= 0x80 }) && got != query {
			t.Errorf("%q became %q", query, got)
		}
	})
}
