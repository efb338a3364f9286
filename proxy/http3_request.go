package proxy

import (
	"io"
	"net/http"
	"time"
)

// serveHTTP makes a request of HTTP/3 what net/http would make of it.
func (q *quicServer) serveHTTP(w http.ResponseWriter, r *http.Request) {
	a := r.Context().Value(arrivalKey{}).(*arrival)
	a.enter()
	defer a.leave()
	w = h3Writer{w}
	if !q.findBody(w, r) {
		q.server.refuse(w, r, q.server.table.Load().language, http.StatusRequestTimeout)
		return
	}
	if r.Body != http.NoBody && r.Header.Get("Expect") != "" {
		// Saying it when the body is first read would be in the way of the
		// response, which another goroutine may write by then.
		w.WriteHeader(http.StatusContinue)
	}
	q.server.ServeHTTP(w, r)
}

// findBody gives a request without content http.NoBody, as other servers do.
// Where the header does not tell, the end of the stream does, which comes with
// the header unless the method usually has content. False means that it does
// not come.
func (q *quicServer) findBody(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.ContentLength == 0:
		r.Body = http.NoBody
		return true
	case r.ContentLength > 0 || !usuallyEmpty(r.Method):
		return true
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(q.server.header))
	var first [1]byte
	n, err := r.Body.Read(first[:])
	_ = control.SetReadDeadline(time.Time{})
	switch {
	case n > 0:
		r.Body = &begunBody{ReadCloser: r.Body, first: first[:], err: err}
	case err == io.EOF:
		r.Body, r.ContentLength = http.NoBody, 0
	default:
		return false
	}
	return true
}

// usuallyEmpty reports whether requests of a method have no content as a rule
// (RFC 9110 §9.3).
func usuallyEmpty(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace, http.MethodConnect:
		return true
	}
	return false
}

// begunBody is a body whose first byte has been read, with what came with it.
type begunBody struct {
	io.ReadCloser
	first []byte
	err   error
}

// Read serves io.Reader.
func (b *begunBody) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, b.err
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// h3Writer leaves out the fields that HTTP/3 forbids (RFC 9114 §4.2), which
// net/http does by itself for HTTP/2.
type h3Writer struct{ http.ResponseWriter }

// Unwrap serves http.ResponseController.
func (w h3Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader serves http.ResponseWriter.
func (w h3Writer) WriteHeader(status int) {
	h := w.Header()
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
	w.ResponseWriter.WriteHeader(status)
}
